"""Random expressions, for properties that must hold of every one."""

from __future__ import annotations

from hypothesis import strategies as st
from lemsmith.converter.expressions import Binary, Call, Choose, Name, Negative, Number

NAMES = ("a", "b", "x", "v")

NUMBERS = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, 2.0, 0.5, 10.0]),
    st.floats(min_value=-5, max_value=5, allow_nan=False).map(lambda x: round(x, 3)),
).map(Number)

LEAVES = st.one_of(NUMBERS, st.sampled_from(NAMES).map(Name))

CONDITIONS = st.builds(Binary, st.sampled_from([">", "<", ">=", "<=", "==", "!="]), LEAVES, LEAVES)


def _smooth(inner):
    return st.one_of(
        st.builds(Binary, st.sampled_from("+-*"), inner, inner),
        st.builds(Negative, inner),
        st.builds(Binary, st.just("^"), inner, st.sampled_from([0.0, 1.0, 2.0, 3.0]).map(Number)),
        st.builds(
            lambda function, tree: Call(function, (tree,)),
            st.sampled_from(["exp", "sin", "cos", "tanh"]),
            inner,
        ),
    )


def _any(inner):
    return st.one_of(
        _smooth(inner),
        st.builds(Binary, st.just("/"), inner, inner),
        st.builds(
            lambda function, tree: Call(function, (tree,)),
            st.sampled_from(["exprelr", "abs"]),
            inner,
        ),
        st.builds(Choose, CONDITIONS, inner, inner),
    )


#: Trees of the names `NAMES`, a handful of nodes deep.
TREES = st.recursive(LEAVES, _any, max_leaves=10)

#: Those without quotients and corners, which have a slope everywhere.
SMOOTH = st.recursive(LEAVES, _smooth, max_leaves=10)

#: Values of the names.
VALUES = st.fixed_dictionaries(
    {name: st.floats(min_value=-3, max_value=3, allow_nan=False) for name in NAMES}
)
