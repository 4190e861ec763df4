"""Writes `reference_traces.json` anew: how much of each source was compared, and was equal.

A source that fails keeps the counts that it must come to, and says what is wrong.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import corpus
import lemsmith

#: Counts that hold whatever a run gives.
FIXED = ("trace_files", "columns", "rows", "event_files", "event_lines")


def figures_of(key: str) -> dict[str, object]:
    """Run one source and return what it came to."""
    try:
        recording = lemsmith.run(corpus.source_of(key), method="jlems")
        done = corpus.compare(key, recording)
    except lemsmith.ModelError as error:
        done = corpus.Comparison(faults=[error.faults[0].message])
    if not done.faults:
        return dict(done.figures())
    files = list(corpus.result_files(key))
    traces = [file for file in files if file["kind"] == "trace"]
    counts = (
        len(traces),
        sum(len(file["columns"]) for file in traces),
        sum(len(file["columns"]) * file["rows_saved"] for file in traces),
        len(files) - len(traces),
        sum(file["rows_saved"] for file in files if file not in traces),
    )
    return {"wrong": done.faults[0], **dict(zip(FIXED, counts, strict=True))}


def main() -> None:
    """Run every source that the reference ran."""
    keys = dict.fromkeys(corpus.key_of(e) for e in corpus.manifest() if e["rc"] == 0)
    figures = {}
    for key in keys:
        figures[key] = figures_of(key)
        print(key, figures[key].get("wrong", "equal"))
    path = Path(__file__).parent / "reference_traces.json"
    path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
