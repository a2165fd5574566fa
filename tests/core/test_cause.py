"""What a mismatch can mean: totals as real clusters gave them, and the ranked causes that follow."""

from __future__ import annotations

from typing import Any

import pytest
from recordings import Recording, recordings

from safe_lightning.core.cause import MismatchFacts, causes_by_table, find_causes, mismatch_facts, tied
from safe_lightning.core.classification import judge
from safe_lightning.core.import_report import build_report
from safe_lightning.core.tables import Comparison, Totals

from .test_recorded_outcomes import end_of, gather

KEYS, LEFTOVER, BEFORE, NOTHING = "key-conflicts", "leftover-checkpoint", "rows-before", "unexplained"


def compared(remote: tuple[int, int], local: tuple[int, int], sums: tuple[int | None, int | None] = (1, 2)) -> Any:
    return Comparison(Totals(sums[0], *remote), Totals(sums[1], *local))


DUPLICATE_PK = compared((3004, 147075), (3006, 147183))
OVERLAP = compared((302, 14683), (309, 15024))
FOREIGN = compared((3003, 147032), (3000, 146893))


@pytest.mark.parametrize(
    ("facts", "causes"),
    [
        # the log names the keys
        (MismatchFacts(DUPLICATE_PK, duplicate_keys_skipped=2), {KEYS: 0.95}),
        (MismatchFacts(DUPLICATE_PK, duplicate_keys_skipped=3), {KEYS: 0.8}),
        (MismatchFacts(DUPLICATE_PK, duplicate_keys_skipped=2, tables_sharing_skips=2), {KEYS: 0.8}),
        (MismatchFacts(DUPLICATE_PK, duplicate_keys_skipped=2, had_rows_before=True), {KEYS: 0.95, BEFORE: 0.3}),
        (MismatchFacts(DUPLICATE_PK, duplicate_keys_skipped=2, was_resumed=True), {KEYS: 0.95, LEFTOVER: 0.2}),
        # the arithmetic alone
        (MismatchFacts(compared((3000, 146893), (3003, 147040), (5, 5))), {KEYS: 0.9}),
        (MismatchFacts(compared((100, 5000), (200, 10000), (7, 0))), {KEYS: 0.9}),
        (MismatchFacts(compared((100, 5000), (300, 15000))), {KEYS: 0.7}),
        (MismatchFacts(compared((100, 5000), (300, 15001))), {KEYS: 0.5}),
        (MismatchFacts(DUPLICATE_PK, keys_per_row=3), {KEYS: 0.6}),
        (MismatchFacts(DUPLICATE_PK, keys_per_row=2), {KEYS: 0.5}),
        # a resumed table
        (MismatchFacts(DUPLICATE_PK, was_resumed=True), {LEFTOVER: 0.75, KEYS: 0.3}),
        (MismatchFacts(compared((0, 0), (3000, 9)), was_resumed=True), {LEFTOVER: 0.9}),
        (MismatchFacts(FOREIGN, was_resumed=True), {BEFORE: 0.5, LEFTOVER: 0.4}),
        (MismatchFacts(compared((3000, 9), (3000, 8)), was_resumed=True), {NOTHING: 0.7, LEFTOVER: 0.3}),
        # rows that stood there
        (MismatchFacts(FOREIGN), {BEFORE: 0.5}),
        (MismatchFacts(FOREIGN, had_rows_before=True), {BEFORE: 0.95}),
        (MismatchFacts(FOREIGN, had_rows_before=False), {NOTHING: 1.0}),
        (MismatchFacts(OVERLAP, had_rows_before=True), {KEYS: 0.5, BEFORE: 0.5}),
        (MismatchFacts(OVERLAP, admits_old_rows=True), {KEYS: 0.5, BEFORE: 0.3}),
        (MismatchFacts(OVERLAP, admits_old_rows=True, had_rows_before=False), {KEYS: 0.5}),
        # nothing fits
        (MismatchFacts(compared((0, 0), (3000, 9))), {NOTHING: 1.0}),
        (MismatchFacts(compared((3000, 9), (3000, 9))), {NOTHING: 1.0}),
        (MismatchFacts(Comparison(None, None)), {NOTHING: 1.0}),
        (MismatchFacts(Comparison(Totals(1, 2, 3), None)), {NOTHING: 1.0}),
    ],
)
def test_the_causes_are_ranked(facts: MismatchFacts, causes: dict[str, float]) -> None:
    found = find_causes(facts)
    assert {cause.name: cause.confidence for cause in found} == causes
    assert [cause.confidence for cause in found] == sorted(causes.values(), reverse=True)
    assert all(cause.evidence and cause.settle for cause in found)


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        (MismatchFacts(DUPLICATE_PK), "in the cluster 3,004 key-value pairs (147,075 bytes), from the source "),
        (MismatchFacts(DUPLICATE_PK, keys_per_row=2), "with 2 keys per row, between 1 and 2 rows are concerned"),
        (MismatchFacts(DUPLICATE_PK), "at most 2 rows are concerned (the number of keys per row is not known)"),
        (MismatchFacts(compared((5, 9), (5, 8)), version="v5.1.1"), "releases 5.1.0 and 5.1.1 report false mismatches"),
        (
            MismatchFacts(compared((60, 9), (30, 8)), version="v5.3.0", had_rows_before=False),
            "release 5.3.0 compares one instance of a parallel import with the whole table",
        ),
    ],
)
def test_the_arithmetic_is_shown(facts: MismatchFacts, line: str) -> None:
    assert any(text.startswith(line) for cause in find_causes(facts) for text in cause.evidence)


def test_a_tie_is_told_as_one() -> None:
    found = find_causes(MismatchFacts(OVERLAP, had_rows_before=True))
    assert {cause.name for cause in tied(found)} == {KEYS, BEFORE}
    assert [cause.name for cause in tied(find_causes(MismatchFacts(OVERLAP, admits_old_rows=True)))] == [KEYS]


def judged(recording: Recording) -> dict[str, str]:
    seen = gather(recording)
    end = end_of(recording.case["exit_code"])
    report = build_report(end, seen, judge(end, seen))
    causes = causes_by_table(report, lambda table, totals: mismatch_facts(report, table, totals, None))
    return {str(table): found[0].name for table, found in causes.items()}


#: What made the recorded imports mismatch, by words of their names.
MADE_BY = {"two-without-parallel": BEFORE, "concurrent-insert": BEFORE, "error-ignore-file.2-rerun": LEFTOVER}


@pytest.mark.parametrize(
    "recording", [r for r in recordings() if r.outcome == "checksum-mismatch"], ids=lambda recording: recording.name
)
def test_every_recorded_mismatch_names_its_table_and_its_likeliest_cause(recording: Recording) -> None:
    found = judged(recording)
    expected = next((cause for words, cause in MADE_BY.items() if words in recording.name), KEYS)
    assert list(found.values()) == [expected]
    assert "None" not in found
