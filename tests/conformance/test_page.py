"""The page of conformance speaks of every file, and counts what it lists."""

from __future__ import annotations

import re

import corpus
import pytest

PAGE = corpus.ROOT / "docs" / "conformance.md"

pytestmark = pytest.mark.skipif(corpus.ABSENT is not None, reason=str(corpus.ABSENT))


def listed():
    rows = [line.split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines()]
    return {row[0].removeprefix("| "): row for row in rows if len(row) > 3 and "/" in row[0]}


def test_the_page_has_a_row_for_every_model_file_and_every_test():
    files = {
        path.relative_to(corpus.CORPUS).as_posix()
        for folder in corpus.COLLECTIONS
        for path in (*corpus.model_files(folder), *corpus.model_files(folder, ".omt"))
    }
    assert set(listed()) == files


def test_the_page_holds_no_path_of_a_machine():
    assert re.findall(r"(?<![\w.:/])/(?:home|root|tmp|work|usr|Users)\b\S*", PAGE.read_text()) == []


def test_every_source_that_the_reference_ran_matches_by_the_page():
    rows = listed()
    for entry in corpus.manifest():
        if entry["rc"] == 0 and entry["files"]:
            path = corpus.source_of(corpus.key_of(entry))
            assert rows[path.relative_to(corpus.CORPUS).as_posix()][3].startswith("yes")


def test_every_test_that_is_missed_has_a_reason():
    rows = {name: row for name, row in listed().items() if name.endswith(".omt")}
    missed = {
        name: row for name, row in rows.items() if (counts := row[3].split(" of "))[0] != counts[1]
    }
    assert 0 < len(missed) < len(rows) / 4
    for row in missed.values():
        assert "**" in row[4], row
    assert "not explained yet" not in PAGE.read_text(encoding="utf-8")
