"""Expat's events in, elements and tables out: what networks repeat becomes columns.

A row that holds more than a table can, such as a property, is an element like others, and
the rows around it are tables of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from xml.parsers import expat

from ..errors import Fault, Place
from .document import STREAMED
from .flat_rows import flat_rows
from .tables import CHUNK, Run, Unstorable
from .xml_elements import FOR_PEOPLE, ElementReader, Refused, XmlFile, named

#: The one child that a row of a table may have; its attributes become columns.
LEAVES: Final[Mapping[str, str]] = {"instance": "location"}


class RowReader(ElementReader):
    """An `ElementReader` that makes tables of runs of rows.

    While `run` is set, expat calls `start_in_run` and `end_in_run`.
    """

    def __init__(self, file: XmlFile, parser: expat.XMLParserType) -> None:
        self.run: Run | None = None
        super().__init__(file, parser)
        self.names: list[str] | None = None  # a row with just these can go straight in
        self.tag = ""  # of the rows, as expat spells it
        self.leaf_tag = ""  # the child that rows may have
        self.in_row = 0  # 1 inside a row's element, 2 inside its leaf
        self.row: list[str] = []  # the attributes of a row that waits for its leaf
        self.row_at = (0, 0)
        self.leaf: tuple[list[str], int, int] | None = None
        self.leaf_names: dict[str, str] = {}

    def attach(self) -> None:
        """Have expat call this reader."""
        if self.run is None:
            super().attach()
            return
        self.parser.StartElementHandler = self.start_in_run
        self.parser.EndElementHandler = self.end_in_run
        self.parser.CharacterDataHandler = None

    def start_any(self, tag: str, attributes: list[str]) -> None:
        """Take a start tag, whatever is being read."""
        (self.start if self.run is None else self.start_in_run)(tag, attributes)

    @property
    def reads_rows(self) -> bool:
        """Whether rows of a table are being read."""
        return self.run is not None

    def flat_rows(self, content: bytearray, begin: int, end: int) -> int:
        """Take flat rows from `content[begin:end]`, if they are all that is there; tell how many.

        Everything before `begin` has been parsed, and just before it a row ends.
        """
        run = self.run
        if run is None or self.in_row or self.passing or self.names is None or self.leaf_tag:
            return 0
        last = content.rfind(b"<", 0, begin)
        # The row before was known for ours by its name and namespace; these are spelled alike.
        if not content.startswith(f"<{run.tag} ".encode(), last):
            return 0
        self._pack(run)
        texts = [run.texts[name] for name in self.names]
        found = flat_rows(bytes(content[begin:end]), run.tag, self.names, texts)
        if found is None:
            return 0
        line = run.lines[-1] + content.count(b"\n", last, begin) + 1
        run.add_packed(found.packed, line, found.column)
        return found.rows

    def after_piece(self) -> None:
        """Pack the rows that wait, if they are many."""
        if self.run is not None and not self.in_row and len(self.run.values) > CHUNK:
            self._pack(self.run)

    def innermost(self) -> tuple[str, Place] | None:
        """Return the tag and place of the element that is open, if it is one that is kept."""
        if self.run is None or not self.in_row or self.passing:
            return super().innermost()
        at = self.row_at if self.leaf_tag else (self.run.lines[-1], self.run.columns_at[-1])
        return self.run.tag, self.place(*at)

    # --- events ---

    def start(self, tag: str, attributes: list[str]) -> None:
        """Take a start tag outside a run."""
        if not self.passing and self.open:
            local = self.local_name(tag)
            if local in STREAMED:
                self._start_run(local, tag, attributes)
                return
        super().start(tag, attributes)

    def start_in_run(self, tag: str, attributes: list[str]) -> None:
        """Take a start tag while a run goes on; called once for each of a million rows."""
        run = self.run
        if run is None:  # never so while this is expat's handler; the checker can't know
            return
        if not self.in_row and tag == self.tag and attributes[::2] == self.names:
            run.values += attributes[1::2]
            run.lines.append(self.parser.CurrentLineNumber)
            run.columns_at.append(self.parser.CurrentColumnNumber + 1)
            self.in_row = 1
        elif self.passing:
            self.pass_over("", attributes)
        elif self.in_row:
            self._start_in_row(run, tag, attributes)
        elif tag != self.tag or not self._start_row(run, attributes):
            self._end_run(run)
            self.start(tag, attributes)

    def end_in_run(self, tag: str) -> None:
        """Take an end tag while a run goes on."""
        if self.in_row and not self.passing:
            self.in_row -= 1
            if self.leaf_tag and not self.in_row and self.run is not None:
                self._commit_row(self.run)
        elif self.passing:
            self.passing -= 1
        elif self.run is not None:
            self._end_run(self.run)
            self.end(tag)

    # --- runs ---

    def _start_run(self, local: str, tag: str, attributes: list[str]) -> None:
        self.run = Run(local, self.file.name)
        self.tag = tag
        self.leaf_tag = LEAVES.get(local, "")
        self.attach()
        self._start_row(self.run, attributes)

    def _end_run(self, run: Run) -> None:
        self.run = None
        self.attach()
        if not run.lines:
            return
        if self.bom and run.lines[0] == 1:
            for row, line in enumerate(run.lines):
                run.columns_at[row] -= line == 1
        self._pack(run)
        self.open[-1].children.append(run.table())

    def _pack(self, run: Run) -> None:
        try:
            run.pack()
        except Unstorable:
            raise self._unstorable(run) from None

    def _unstorable(self, run: Run) -> Refused:
        """Return the fault of the first waiting row with braces in it."""
        at = next(i for i, value in enumerate(run.values) if value is not None and "{}" in value)
        row = run.rows_packed + at // len(run.names)
        place = self.place(run.lines[row], run.columns_at[row])
        return Refused(Fault(f"this {run.tag} names something with '{{}}' in it", place))

    # --- rows ---

    def _start_row(self, run: Run, attributes: list[str]) -> bool:
        """Begin a row that isn't like the one before; False if the table has no room."""
        line, column = self.parser.CurrentLineNumber, self.parser.CurrentColumnNumber + 1
        if self.leaf_tag:
            self.row, self.row_at, self.leaf = attributes, (line, column), None
            self.names = None
        else:
            if not self._add(run, attributes, line, column):
                return False
            self.names = run.names
        self.in_row = 1
        return True

    def _add(self, run: Run, attributes: list[str], line: int, column: int) -> bool:
        try:
            return run.add(named(attributes), line, column)
        except Unstorable:
            raise self._unstorable(run) from None

    def _start_in_row(self, run: Run, tag: str, attributes: list[str]) -> None:
        """Take a start tag inside a row."""
        local = self.local_name(tag)
        if not local or local in FOR_PEOPLE:
            self.passing = 1
        elif local == self.leaf_tag and self.in_row == 1 and self.leaf is None:
            parser = self.parser
            self.leaf = (attributes, parser.CurrentLineNumber, parser.CurrentColumnNumber + 1)
            self.in_row = 2
        else:
            self._open_row(run)
            self.start(tag, attributes)

    def _commit_row(self, run: Run) -> None:
        """Take the end of a row that waited for its leaf."""
        row = self.row
        if self.leaf is not None:
            row = row[:]
            for i, text in enumerate(self.leaf[0]):
                row.append(text if i % 2 else self._leaf_name(text))
        if row[::2] == run.names:
            run.values += row[1::2]
            run.lines.append(self.row_at[0])
            run.columns_at.append(self.row_at[1])
        elif not self._add(run, row, *self.row_at):
            self.in_row = 1
            self._open_row(run)
            self.close()

    def _leaf_name(self, name: str) -> str:
        """Return the column of a leaf's attribute; with a space, as foreign names are, if none."""
        joined = self.leaf_names.get(name)
        if joined is None:
            ours = next(iter(named([name, ""])), None)
            joined = f"{name} " if ours is None else f"{self.leaf_tag}/{ours}"
            self.leaf_names[name] = joined
        return joined

    def _open_row(self, run: Run) -> None:
        """Make the row that is being read an open element: it holds more than a table can."""
        depth, leaf = self.in_row, self.leaf if self.leaf_tag else None
        self.in_row = 0
        if self.leaf_tag:
            attributes, (line, column) = named(self.row), self.row_at
        else:
            attributes, line, column = run.take_last()
        self._end_run(run)
        self.push(run.tag, attributes, self.place(line, column))
        if leaf is not None:
            self.push(self.leaf_tag, named(leaf[0]), self.place(leaf[1], leaf[2]))
            if depth == 1:
                self.close()
