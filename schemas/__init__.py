"""The shapes of documents.

`lems` holds the elements of LEMS as data, `neuroml2/` our own LEMS definitions of the
NeuroML 2 component types, and `core_types` finds one of those files for an `Include`.
"""
