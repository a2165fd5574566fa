"""Reading single rows again: many pieces of a file as one chunk, because a chunk takes its time however short it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from safe_lightning.conflicts.kernel.binding import UNLIMITED, Kind
from safe_lightning.conflicts.kernel.vectorised.arrays import Index, count_before
from safe_lightning.conflicts.kernel.vectorised.batch import Batch, FileRules, Handed, odd_rows, regular_rows
from safe_lightning.conflicts.kernel.vectorised.chunk import Chunk
from safe_lightning.conflicts.kernel.vectorised.handing import HandedRows
from safe_lightning.conflicts.kernel.vectorised.parsed import Parsed
from safe_lightning.conflicts.kernel.vectorised.parser import Parser

Request = tuple[int, int, int]
"""From which byte to which, and the number of the row among those between."""


def fetch_rows(
    file: int, requests: Sequence[Request], parser: Parser, rules: FileRules, chunk_bytes: int, handed: HandedRows
) -> bool:
    """Hand out a row per request; False if one is not there. Raises OSError."""
    chunk = Chunk(chunk_bytes)
    for together in _batches(requests, chunk_bytes):
        if _fetch(file, together, chunk, parser, rules, handed):
            continue
        # One of the pieces is no whole rows: the last of a file may end in a way that only its end explains.
        if not all(_fetch_alone(file, request, chunk, parser, rules, handed) for request in together):
            return False
    return True


def _batches(requests: Sequence[Request], bytes_most: int) -> Iterator[list[Request]]:
    batch: list[Request] = []
    size = 0
    for request in requests:
        if batch and size > bytes_most:
            yield batch
            batch, size = [], 0
        batch.append(request)
        size += request[1] - request[0]
    if batch:
        yield batch


def _fetch(
    file: int, requests: Sequence[Request], chunk: Chunk, parser: Parser, rules: FileRules, handed: HandedRows
) -> bool:
    """Hand out the rows of some pieces that are read as one; False, and no row, if one is not there."""
    chunk.drop(chunk.size)
    starts: list[int] = []
    for start, stop, _ in requests:
        if starts:
            chunk.append(parser.end)
        starts.append(chunk.size)
        chunk.read(file, stop - start, start)
    starts.append(chunk.size)
    parsed = parser.parse(chunk, UNLIMITED, True, False)
    if parsed.is_stopped or parsed.goes_on or parsed.used < chunk.size:
        return False
    numbers = count_before(parsed.rows.start, np.array(starts))
    wanted = numbers[:-1] + np.array([number for _, _, number in requests])
    # The last piece may have a row at its very end: one of nothing, behind blanks.
    stops = np.append(numbers[1:-1], len(parsed.rows.start))
    if (wanted >= stops).any():
        return False
    feeds = count_before(parsed.feeds, np.array(starts))
    for row, (start, _, _), (begin, _), line in zip(
        _rows(parsed, rules, wanted), requests, pairwise(starts), feeds.tolist(), strict=False
    ):
        text = chunk.text(row.start, row.stop)
        handed.add((start + row.start - begin, row.line - line), row.row, row.kind, row.columns, text, row.bounds)
    return True


def _fetch_alone(
    file: int, request: Request, chunk: Chunk, parser: Parser, rules: FileRules, handed: HandedRows
) -> bool:
    """Hand out the row of one piece; False if it is not there."""
    start, stop, number = request
    chunk.drop(chunk.size)
    chunk.read(file, stop - start, start)
    line = 0
    while True:
        parsed = parser.parse(chunk, UNLIMITED, True, False)
        if number < len(parsed.rows.start):
            (row,) = _rows(parsed, rules, np.array([number]))
            text = chunk.text(row.start, row.stop)
            handed.add((start + row.start, line + row.line), row.row, row.kind, row.columns, text, row.bounds)
            return True
        if not parsed.goes_on:
            return False
        number -= len(parsed.rows.start)
        start, line = start + parsed.used, line + int(np.searchsorted(parsed.feeds, parsed.used))
        chunk.drop(parsed.used)


def _rows(parsed: Parsed, rules: FileRules, wanted: Index) -> list[Handed]:
    """Return the rows with these numbers, in this order."""
    rows = parsed.rows
    numbers = np.arange(len(rows.start))
    batch = Batch(rows.start[rows.regular], rows.behind[rows.regular], rows.regular, parsed.fields)
    regular = batch.of(np.flatnonzero(np.isin(rows.regular, wanted)))
    odd = rows.odd[np.isin(rows.odd, wanted)]
    found = regular_rows(rules, regular, parsed.feeds, Kind.WANTED, [0] * len(regular.row))
    found += odd_rows(rows.start[odd], rows.behind[odd], numbers[odd], parsed.feeds, is_capture=True)
    by_number = {row.row: row for row in found}
    return [by_number[number] for number in wanted.tolist()]
