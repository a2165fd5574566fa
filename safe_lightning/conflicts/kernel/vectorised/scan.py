"""One thread's scan: chunks of a file or a stream, their rows numbered, their words kept, the rest handed out."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import overload

import numpy as np

from safe_lightning.conflicts.kernel.binding import GRANULE, UNLIMITED, Dialect, Kind, Place, Plan, Status, Where
from safe_lightning.conflicts.kernel.vectorised.arrays import NONE, Index, count_before
from safe_lightning.conflicts.kernel.vectorised.batch import (
    Batch,
    FileRules,
    Handed,
    Table,
    hard_rows,
    key_words,
    odd_rows,
    read_columns,
    regular_rows,
)
from safe_lightning.conflicts.kernel.vectorised.chunk import Chunk
from safe_lightning.conflicts.kernel.vectorised.fetch import fetch_rows
from safe_lightning.conflicts.kernel.vectorised.guess import guess_start
from safe_lightning.conflicts.kernel.vectorised.handing import HandedRows
from safe_lightning.conflicts.kernel.vectorised.meanings import Meanings
from safe_lightning.conflicts.kernel.vectorised.parsed import Parsed, Rows
from safe_lightning.conflicts.kernel.vectorised.parser import Parser
from safe_lightning.conflicts.kernel.vectorised.word_store import WordStore

CHUNKS_TOGETHER = 8  # each step over a chunk has a price of its own, and threads wait for one another between them
HANDED_BYTES = 1 << 20
ROWS_MOST = (1 << 32) - (1 << 28)


class Places(Sequence[Place]):
    """Where every 64th row begins."""

    def __init__(self) -> None:
        self._offsets, self._lines = array("Q"), array("Q")

    def __len__(self) -> int:
        return len(self._offsets)

    @overload
    def __getitem__(self, number: int) -> Place: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Place]: ...
    def __getitem__(self, number: int | slice) -> Place | Sequence[Place]:
        if isinstance(number, slice):
            return [self[place] for place in range(*number.indices(len(self)))]
        return Place(self._offsets[number], self._lines[number])

    def add(self, offsets: Index, lines: Index) -> None:
        """Note some more."""
        self._offsets.frombytes(offsets.astype(np.uint64).tobytes())
        self._lines.frombytes(lines.astype(np.uint64).tobytes())

    def clear(self) -> None:
        """Forget all."""
        self._offsets, self._lines = array("Q"), array("Q")


class Scan:
    """What one handle stands for. See `compiled.CompiledKernel` for each call."""

    def __init__(self, plan: Plan, spill_file: int) -> None:
        self._table = Table.of(plan)
        self.store = WordStore(
            plan.keys, plan.partition_bits, plan.pool_bytes or UNLIMITED, plan.sample_of_4096, spill_file
        )
        self.seed: int = plan.seed
        self.places = Places()
        self.meanings = [Meanings() for _ in self._table.rules]
        self.handed = HandedRows()
        self._row_bytes_most: int = plan.row_bytes_most
        self._chunk_bytes: int = CHUNKS_TOGETHER * plan.chunk_bytes
        self._chunk = Chunk(self._chunk_bytes)
        self._next_row = 0
        self._wanted: Index | None = None
        self._file, self._position, self._base = -1, 0, 0
        self._limit, self._file_size = UNLIMITED, UNLIMITED
        self._lines = 0
        self._is_behind_blanks = False

    def set_dialect(self, dialect: Dialect) -> None:
        """Take a file's dialect."""
        self._rules = FileRules.of(dialect, len(self._table.rules))
        self._parser = Parser(dialect)

    def begin(self, file: int, start: int, limit: int, file_size: int) -> int:
        """Begin at a row's start; return the first row's number."""
        self._next_row = -(-self._next_row // GRANULE) * GRANULE
        self._file, self._position, self._base = file, start, start
        self._limit, self._file_size = limit, file_size
        self._lines = 0
        self._is_behind_blanks = False
        self._chunk.restart()
        return self._next_row

    def where(self) -> Where:
        """Tell where the scan stands."""
        return Where(
            offset=self._base,
            next_row=self._next_row,
            lines=self._lines,
            hard_bytes=self.handed.size_bytes,
            places=len(self.places),
            spilled_bytes=self.store.spilled_bytes,
            spill_errno=self.store.errno,
            carried_bytes=self._chunk.size,
        )

    def number_row(self, offset: int, line: int) -> int:
        """Give a number to a row that is read elsewhere."""
        if self._next_row % GRANULE == 0:
            self.places.add(np.array([offset]), np.array([line]))
        self._next_row += 1
        return self._next_row - 1

    def want(self, rows: Sequence[int]) -> None:
        """Hand out only the rows with these ascending numbers, counted from the next beginning."""
        self._wanted = np.array(rows, np.intp)
        self._next_row = 0
        self.places.clear()

    def problem(self) -> Status:
        """Tell what is wrong with the machine, if anything is."""
        if self.store.errno:
            return Status.SPILL
        return Status.ROWS if self._next_row >= ROWS_MOST else Status.DONE

    def step(self, bytes_most: int) -> Status:
        """Read on from the file, for at most so many bytes, and less if many rows are handed out."""
        self.handed.empty()
        done = 0
        while True:
            size = min(self._file_size - self._position, self._chunk.room)
            try:
                self._chunk.read(self._file, size, self._position)
            except OSError:
                return Status.READ
            self._position += size
            done += size
            status = self._take(self._position >= self._file_size)
            if status is not Status.MORE or done >= bytes_most or self._has_much_handed():
                return status

    def push(self, content: bytes, is_final: bool) -> tuple[Status, int]:
        """Take bytes that were read elsewhere; return how many were taken, too."""
        self.handed.empty()
        taken, view = 0, memoryview(content)
        while True:
            part = view[taken : taken + self._chunk.room]
            self._chunk.append(part)
            taken += len(part)
            status = self._take(is_final and taken == len(content))
            if status is not Status.MORE or taken == len(content) or self._has_much_handed():
                return status, taken

    def _has_much_handed(self) -> bool:
        """Tell whether to return, for the rows handed out to be worked on; early on any of them teaches something."""
        return self.handed.size_bytes > (0 if self._chunk.is_growing else HANDED_BYTES)

    def fetch(self, file: int, requests: Sequence[tuple[int, int, int]]) -> bool:
        """Hand out a row per request: of those in [from, to) the one with this number."""
        self.handed.empty()
        try:
            return fetch_rows(file, requests, self._parser, self._rules, self._chunk_bytes, self.handed)
        except OSError:
            return False

    def guess(self, file: int, start: int, file_size: int) -> int | None:
        """Guess where a row begins behind a cut."""
        size = min(self._chunk_bytes, file_size - start + 1)
        return guess_start(file, start, size, self._parser.signs, self._parser.shape.separators)

    def _take(self, is_final: bool) -> Status:
        """Read the rows of what is in hand."""
        parsed = self._take_some(is_final)
        while parsed.goes_on:
            parsed = self._take_some(is_final)
        self._chunk.grow()
        problem = self.problem()
        if problem is not Status.DONE:
            return problem
        if parsed.is_at_limit:
            return Status.DONE
        if parsed.is_stopped or (not is_final and self._chunk.size > self._row_bytes_most):
            return Status.STOPPED
        return Status.DONE if is_final else Status.MORE

    def _take_some(self, is_final: bool) -> Parsed:
        limit = self._limit - self._base
        parsed = self._parser.parse(self._chunk, limit, is_final, self._is_behind_blanks)
        self._take_rows(parsed)
        self._is_behind_blanks = parsed.is_behind_blanks
        self._lines += int(count_before(parsed.feeds, np.array(parsed.used)))
        self._base += parsed.used
        self._chunk.drop(parsed.used)
        return parsed

    def _take_rows(self, parsed: Parsed) -> None:
        rows = parsed.rows
        numbers = self._number(rows, parsed.feeds)
        odd, regular = rows.odd, rows.regular
        batch = Batch(rows.start[regular], rows.behind[regular], numbers[regular], parsed.fields)
        whole = odd_rows(rows.start[odd], rows.behind[odd], numbers[odd], parsed.feeds, is_capture=self._is_capture)
        if self._wanted is None:
            self._hand(whole)
            self._take_words(parsed, batch)
            return
        chosen = np.flatnonzero(np.isin(batch.row, self._wanted))
        found = regular_rows(self._rules, batch.of(chosen), parsed.feeds, Kind.WANTED, [0] * len(chosen))
        found += [row for row in whole if row.row in self._wanted]
        self._hand(sorted(found, key=lambda row: row.row))

    @property
    def _is_capture(self) -> bool:
        return self._wanted is not None

    def _number(self, rows: Rows, feeds: Index) -> Index:
        numbers = np.arange(self._next_row, self._next_row + len(rows.start))
        self._next_row += len(numbers)
        noted = rows.start[-numbers[0] % GRANULE :: GRANULE] if len(numbers) else NONE
        self.places.add(noted + self._base, count_before(feeds, noted) + self._lines)
        return numbers

    def _take_words(self, parsed: Parsed, batch: Batch) -> None:
        if not len(batch.row):
            return
        columns = read_columns(self._table, self._rules, parsed.content, batch, parsed.special, self.meanings)
        self._hand(hard_rows(self._rules, batch, parsed.feeds, columns))
        for key in range(len(self._table.keys)):
            self.store.add(key, *key_words(self._table, columns, key, batch))

    def _hand(self, rows: Sequence[Handed]) -> None:
        for row in rows:
            text = self._chunk.text(row.start, row.stop)
            place = (self._base + row.start, self._lines + row.line)
            self.handed.add(place, row.row, row.kind, row.columns, text, row.bounds)
