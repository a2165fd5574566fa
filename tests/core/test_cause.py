"""What a mismatch can mean: totals as real clusters gave them, and the ranked causes that follow."""

from __future__ import annotations

from typing import Any

import pytest
from recordings import Recording, recordings

from safe_lightning.core.cause import (
    Cause,
    MismatchFacts,
    causes_by_table,
    find_causes,
    incomplete_cause,
    mismatch_facts,
    tied,
)
from safe_lightning.core.causes.catalogue import BY_NAME, CATALOGUE
from safe_lightning.core.causes.incomplete import kind_of
from safe_lightning.core.causes.version_bugs import SIGNS, read_release, version_bugs
from safe_lightning.core.classification import judge
from safe_lightning.core.clues import EngineClue, FileClue
from safe_lightning.core.import_report import build_report
from safe_lightning.core.outcome import Outcome
from safe_lightning.core.tables import Comparison, TableName, Totals
from safe_lightning.core.verdict import ImportReport

from .test_recorded_outcomes import end_of, gather

KEYS, FOLDED, LEFTOVER, ENGINE = "key-conflicts", "collation-conflicts", "leftover-checkpoint", "engine-never-ingested"
BEFORE, TWICE, NOWHERE, WRITERS = "rows-before", "imported-twice", "nothing-arrived", "concurrent-writes"
RECORDS, OWN, BYTES, BUG = (
    "stale-conflict-records",
    "lightning-schema-in-dump",
    "same-count-other-bytes",
    "version-bug",
)
NOTHING = "unexplained"


def compared(remote: tuple[int, int], local: tuple[int, int], sums: tuple[int | None, int | None] = (1, 2)) -> Any:
    return Comparison(Totals(sums[0], *remote), Totals(sums[1], *local))


def facts(comparison: Comparison, **known: Any) -> MismatchFacts:
    """Facts of a table that was imported from its beginning, unless it is said otherwise."""
    return MismatchFacts(comparison, **{"was_resumed": False, **known})


DUPLICATE_PK = compared((3004, 147075), (3006, 147183))
OVERLAP = compared((302, 14683), (309, 15024))
FOREIGN = compared((3003, 147032), (3000, 146893))
DOUBLE = compared((3000, 146893 * 2), (1500, 146893))
NONE = compared((0, 0), (3000, 146893))
EQUAL = compared((3000, 146893), (3000, 146900))
A_FILE = FileClue("a.b.2.csv:0", Totals(3, 300, 9000))
ONE_FILE_SHORT = compared((2700, 91000), (3000, 100000), (6 ^ 3, 6))
TABLE = TableName("tidb_lightning_checkpoint", "engine_v5")


@pytest.mark.parametrize(
    ("known", "causes"),
    [
        # keys, by what the log or a scan says of them
        (facts(DUPLICATE_PK, duplicate_keys_skipped=2), {KEYS: 0.95}),
        (facts(DUPLICATE_PK, duplicate_keys_skipped=3), {KEYS: 0.8}),
        (facts(DUPLICATE_PK, duplicate_keys_skipped=2, tables_sharing_skips=2), {KEYS: 0.8}),
        (facts(DUPLICATE_PK, duplicate_keys_skipped=2, had_rows_before=True), {KEYS: 0.95, BEFORE: 0.3}),
        (facts(DUPLICATE_PK, duplicate_keys_skipped=2, was_resumed=True), {KEYS: 0.95, LEFTOVER: 0.2}),
        (facts(DUPLICATE_PK, duplicate_keys_skipped=2, has_text_keys=True), {KEYS: 0.95, FOLDED: 0.4}),
        (facts(DUPLICATE_PK, conflicts_found=2, conflicts_folded=0), {KEYS: 0.97}),
        (facts(DUPLICATE_PK, conflicts_found=0, conflicts_folded=2), {FOLDED: 0.97}),
        (facts(DUPLICATE_PK, conflicts_found=1, conflicts_folded=1), {KEYS: 0.97, FOLDED: 0.85}),
        (facts(DUPLICATE_PK, conflicts_found=0, folds_keys=True), {FOLDED: 0.8}),
        (facts(DUPLICATE_PK, conflicts_found=0, conflicts_folded=0), {NOTHING: 1.0}),
        # keys, by the arithmetic alone
        (facts(compared((3000, 146893), (3003, 147040), (5, 5))), {KEYS: 0.9}),
        (facts(compared((100, 5000), (200, 10000), (7, 0))), {KEYS: 0.9}),
        (facts(compared((100, 5000), (300, 15000))), {KEYS: 0.7}),
        (facts(compared((100, 5000), (300, 15001))), {KEYS: 0.5}),
        (facts(DUPLICATE_PK, keys_per_row=3), {KEYS: 0.6}),
        (facts(DUPLICATE_PK, keys_per_row=2), {KEYS: 0.5}),
        (facts(DUPLICATE_PK, engines=(EngineClue("0", 1002, 1000), EngineClue("-1", 2004, 2004))), {KEYS: 0.9}),
        # rows and index entries of the target
        (facts(DUPLICATE_PK, rows_in_target=1000, entries_in_target={"k": 1002}), {KEYS: 0.85}),
        (facts(DUPLICATE_PK, rows_in_target=1002, entries_in_target={"k": 1001}), {KEYS: 0.85}),
        (facts(DUPLICATE_PK, rows_in_target=1001, entries_in_target={"k": 1001}), {NOTHING: 0.7, KEYS: 0.3}),
        (facts(DUPLICATE_PK, is_consistent=False), {KEYS: 0.85}),
        (facts(DUPLICATE_PK, is_consistent=True), {NOTHING: 0.7, KEYS: 0.3}),
        (facts(DUPLICATE_PK, rows_in_target=9, entries_in_target={}), {KEYS: 0.5}),
        (facts(DUPLICATE_PK, rows_in_target=0, entries_in_target={"k": 3004}), {ENGINE: 0.95, KEYS: 0.3}),
        (facts(DUPLICATE_PK, rows_in_target=1, entries_in_target={"k": 0, "l": 0}), {ENGINE: 0.95, KEYS: 0.3}),
        (
            facts(DUPLICATE_PK, rows_in_target=0, entries_in_target={"k": 3004}, was_resumed=True),
            {ENGINE: 0.95, LEFTOVER: 0.4, KEYS: 0.3},
        ),
        (
            facts(DUPLICATE_PK, rows_in_target=7, entries_in_target={"k": 7}, was_resumed=True, keys_per_row=2),
            {LEFTOVER: 0.85, ENGINE: 0.45, KEYS: 0.3},
        ),
        # the cluster, asked again
        (facts(DUPLICATE_PK, checksum_now=DUPLICATE_PK.local, duplicate_keys_skipped=2), {NOTHING: 1.0}),
        (facts(DUPLICATE_PK, checksum_now=DUPLICATE_PK.local, version="v5.1.1"), {BUG: 0.95}),
        (facts(FOREIGN, checksum_now=Totals(9, 3009, 147300)), {WRITERS: 0.95, BEFORE: 0.5}),
        (facts(FOREIGN, checksum_now=FOREIGN.remote, had_rows_before=False), {WRITERS: 0.8}),
        # a checkpoint
        (facts(DUPLICATE_PK, was_resumed=True), {LEFTOVER: 0.75, ENGINE: 0.45, KEYS: 0.3}),
        (facts(DUPLICATE_PK, was_resumed=None), {KEYS: 0.5, LEFTOVER: 0.3}),
        (facts(NONE, was_resumed=True), {LEFTOVER: 0.9, NOWHERE: 0.6}),
        (facts(DUPLICATE_PK, was_resumed=True, checkpoint_verdict="stale"), {LEFTOVER: 0.9, ENGINE: 0.45, KEYS: 0.3}),
        (facts(DUPLICATE_PK, was_resumed=True, source_changed=True), {LEFTOVER: 0.85, ENGINE: 0.45, KEYS: 0.3}),
        (
            facts(compared((300, 9000), (3000, 90000)), was_resumed=True, files=(A_FILE,)),
            {LEFTOVER: 0.95, ENGINE: 0.45, KEYS: 0.3},
        ),
        # an engine or a file that never arrived
        (facts(ONE_FILE_SHORT, files=(A_FILE,)), {ENGINE: 0.9, KEYS: 0.5}),
        (facts(ONE_FILE_SHORT, lost_engines=(EngineClue("2", 300, 0),)), {ENGINE: 0.97, KEYS: 0.5}),
        (facts(ONE_FILE_SHORT, engines=(EngineClue("2", 500, 0),)), {ENGINE: 0.75, KEYS: 0.5}),
        (facts(compared((1000, 9), (3000, 99)), rows_in_source=1000, keys_per_row=3), {ENGINE: 0.7, KEYS: 0.6}),
        (
            facts(DUPLICATE_PK, was_resumed=True, was_interrupted=True),
            {LEFTOVER: 0.75, ENGINE: 0.7, KEYS: 0.3},
        ),
        # rows that stood there
        (facts(FOREIGN), {BEFORE: 0.5, WRITERS: 0.35}),
        (facts(FOREIGN, had_rows_before=True), {BEFORE: 0.95, WRITERS: 0.2}),
        (facts(FOREIGN, had_rows_before=False), {WRITERS: 0.8}),
        (facts(OVERLAP, had_rows_before=True), {KEYS: 0.5, BEFORE: 0.5}),
        (facts(OVERLAP, admits_old_rows=True), {KEYS: 0.5, BEFORE: 0.3}),
        (facts(OVERLAP, admits_old_rows=True, had_rows_before=False), {KEYS: 0.5}),
        (facts(OVERLAP, base=Totals(1, 9, 432), own=Totals(2, 300, 14592)), {BEFORE: 0.9, KEYS: 0.3}),
        # the same twice, or several instances
        (facts(DOUBLE, had_rows_before=False), {TWICE: 0.85, WRITERS: 0.5}),
        (
            facts(compared((18161516, 3368780389), (9080796, 1684395306)), had_rows_before=False),
            {TWICE: 0.55, WRITERS: 0.5},
        ),
        (facts(FOREIGN, had_rows_before=False, is_parallel=True), {WRITERS: 0.8, TWICE: 0.4}),
        (
            facts(
                compared((300, 30), (100, 10)),
                instances=(Totals(3, 100, 10), Totals(2, 200, 20)),
                had_rows_before=False,
            ),
            {TWICE: 0.97, WRITERS: 0.5},
        ),
        (
            facts(compared((270, 27), (300, 30)), own=Totals(1, 100, 10), is_parallel=True, had_rows_before=False),
            {KEYS: 0.8},
        ),
        # nothing of it, other content, somebody else
        (facts(NONE), {NOWHERE: 0.9}),
        (facts(EQUAL), {BYTES: 0.7, WRITERS: 0.4}),
        (facts(compared((3000, 9), (3000, 9))), {BYTES: 0.6, WRITERS: 0.4}),
        # good rows deleted, Lightning's own schema, a defect of the release
        (facts(DUPLICATE_PK, stale_conflict_records=7, conflicts_found=0, conflicts_folded=0), {RECORDS: 0.85}),
        (facts(DUPLICATE_PK, stale_conflict_records=7, conflict_strategy="none"), {KEYS: 0.5}),
        (facts(DUPLICATE_PK, conflict_strategy="replace"), {KEYS: 0.5, RECORDS: 0.35}),
        (facts(FOREIGN, table=TABLE, had_rows_before=False), {OWN: 0.97, WRITERS: 0.8}),
        (facts(DUPLICATE_PK, version="v6.5.0", conflict_strategy="remove"), {BUG: 0.55, KEYS: 0.5, RECORDS: 0.35}),
        (facts(DUPLICATE_PK, version="v5.1.1"), {BUG: 0.6, KEYS: 0.5}),
        (facts(DUPLICATE_PK, version="v4.0.9"), {KEYS: 0.5, BUG: 0.4}),
        (facts(FOREIGN, version="v6.5.0"), {BEFORE: 0.5, BUG: 0.4, WRITERS: 0.35}),
        (facts(FOREIGN, version="v6.5.1"), {BEFORE: 0.5, WRITERS: 0.35}),
        # nothing known
        (facts(Comparison(None, None)), {NOTHING: 1.0}),
        (facts(Comparison(Totals(1, 2, 3), None)), {NOTHING: 1.0}),
        (facts(compared((0, 0), (0, 0))), {NOTHING: 1.0}),
    ],
)
def test_the_causes_are_ranked(known: MismatchFacts, causes: dict[str, float]) -> None:
    found = find_causes(known)
    assert {cause.name: cause.confidence for cause in found} == causes
    assert [cause.confidence for cause in found] == sorted(causes.values(), reverse=True)
    assert all(cause.evidence and cause.settle for cause in found)


@pytest.mark.parametrize(
    ("known", "line"),
    [
        (facts(DUPLICATE_PK), "in the cluster 3,004 key-value pairs (147,075 bytes), from the source "),
        (facts(DUPLICATE_PK, keys_per_row=2), "with 2 keys per row, between 1 and 2 rows are concerned"),
        (facts(DUPLICATE_PK, keys_per_row=1), "with 1 keys per row, 2 rows are concerned"),
        (facts(DUPLICATE_PK, keys_per_row=1, keys_per_row_most=4),
         "with 1 to 4 keys per row, between 1 and 2 rows are "),
        (facts(DUPLICATE_PK), "at most 2 rows are concerned (the number of keys per row is not known)"),
        (facts(compared((5, 9), (5, 8)), version="v5.1.1"), "a mismatch is reported although the data is right ("),
        (facts(compared((60, 9), (30, 8)), version="v5.3.0"),
         "one instance of a parallel import is compared with the "),
        (facts(ONE_FILE_SHORT, files=(A_FILE,)),
         "exactly the 300 pairs (9,000 bytes) of a.b.2.csv:0 are missing; the XOR"),
        (facts(ONE_FILE_SHORT, lost_engines=(EngineClue("2", 300, 0),)),
         "engine 2: counted as imported, yet of 300 pairs 300"),
        (facts(OVERLAP, base=Totals(1, 9, 432), own=Totals(2, 300, 1)),
         "before the import the table held 9 pairs, the import"),
        (facts(DUPLICATE_PK, duplicate_keys_skipped=2, keys_shown=("row 1 of t", "b", "c", "d")),
         "keys that the log names: row 1"),
    ],
)  # fmt: skip
def test_the_arithmetic_is_shown(known: MismatchFacts, line: str) -> None:
    assert any(text.startswith(line) for cause in find_causes(known) for text in cause.evidence)


def test_a_chunk_of_the_right_size_with_another_checksum_is_not_the_lost_one() -> None:
    other = FileClue("a.b.2.csv:0", Totals(99, 300, 9000))
    assert [cause.name for cause in find_causes(facts(ONE_FILE_SHORT, files=(other,)))] == [KEYS]


def test_a_tie_is_told_as_one() -> None:
    found = find_causes(facts(OVERLAP, had_rows_before=True))
    assert {cause.name for cause in tied(found)} == {KEYS, BEFORE}
    assert [cause.name for cause in tied(find_causes(facts(OVERLAP, admits_old_rows=True)))] == [KEYS]


def test_every_cause_of_the_catalogue_is_found_for_some_facts() -> None:
    rows = test_the_causes_are_ranked.pytestmark[0].args[1]  # type: ignore[attr-defined]
    first = {next(iter(dict(sorted(causes.items(), key=lambda pair: -pair[1])))) for _, causes in rows}
    assert first | {"checksum-incomplete"} == set(BY_NAME)
    assert len(BY_NAME) == len(CATALOGUE)


# --- not a mismatch --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("[tikv:9006]GC life time is shorter than transaction duration, transaction starts at x", "GC life time"),
        ("compute remote checksum failed: context deadline exceeded", "timeout"),
        ("Error 1105 (HY000): Out Of Memory Quota![conn=1]", "memory quota"),
        ("Error 8175 (HY000): Your query has been cancelled due to exceeding the allowed memory limit", "memory quota"),
        ("Error 1142 (42000): SELECT command denied to user 'l'@'%' for table 't'", "privilege"),
        ("driver: bad connection", "server gone"),
        ("dial tcp 10.0.0.1:4000: connect: connection refused", "server gone"),
        ("[tikv:9005]Region is unavailable", "region unavailable"),
        ("something else", "unknown reason"),
    ],
)
def test_what_kept_a_checksum_from_being_completed_is_named(error: str, kind: str) -> None:
    report = ImportReport(Outcome.CHECKSUM_INCOMPLETE, "r", 1, None, None, (), error, ())
    cause = incomplete_cause(report)
    assert cause is not None
    assert (kind_of(error), cause.name) == (kind, "checksum-incomplete")
    assert cause.evidence == (f"not a mismatch, nothing is proven wrong: {kind}",)


@pytest.mark.parametrize("outcome", [o for o in Outcome if o is not Outcome.CHECKSUM_INCOMPLETE])
def test_only_a_checksum_that_was_not_completed_is_called_so(outcome: Outcome) -> None:
    assert incomplete_cause(ImportReport(outcome, "time-out", 1, None, None, (), "time-out", ())) is None


# --- releases --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("earlier", "later"),
    [("v5.0.0-rc", "v5.0.0"), ("4.0.8", "v4.0.11"), ("v6.1.0-alpha-1-g1", "v6.1.0-beta"), ("v7.5.1", "8.0.0-20240101")],
)
def test_releases_order_as_they_came(earlier: str, later: str) -> None:
    first, second = read_release(earlier), read_release(later)
    assert first is not None
    assert second is not None
    assert first < second


@pytest.mark.parametrize("text", ["", "None", "nightly", "v8", "8.5"])
def test_what_is_no_release_is_none(text: str) -> None:
    assert read_release(text) is None


def test_every_known_defect_can_be_read_and_has_a_sign() -> None:
    for bug in version_bugs():
        assert bug.sign in SIGNS
        assert all(read_release(end) for span in bug.ranges for end in span)
        assert 0 < bug.confidence < 1


# --- recorded --------------------------------------------------------------------------------------------------------


def judged(recording: Recording) -> dict[str, tuple[Cause, ...]]:
    seen = gather(recording)
    end = end_of(recording.case["exit_code"])
    report = build_report(end, seen, judge(end, seen))
    causes = causes_by_table(report, lambda table, totals: mismatch_facts(report, table, totals, None))
    return {str(table): found for table, found in causes.items()}


#: What made the recorded imports mismatch, by words of their names.
MADE_BY = {
    "two-without-parallel-flag-A": WRITERS,
    "two-without-parallel-flag-B": TWICE,
    "concurrent-insert": WRITERS,
    "prerows-": BEFORE,
    "36-incremental": BEFORE,
    "error-ignore-file.2-rerun": LEFTOVER,
}
MISMATCHED = [r for r in recordings() if r.outcome == "checksum-mismatch"]


@pytest.mark.parametrize("recording", MISMATCHED, ids=lambda recording: recording.name)
def test_every_recorded_mismatch_names_its_table_and_its_likeliest_cause(recording: Recording) -> None:
    found = judged(recording)
    expected = next((cause for words, cause in MADE_BY.items() if words in recording.name), KEYS)
    assert [causes[0].name for causes in found.values()] == [expected]
    assert "None" not in found


@pytest.mark.parametrize(
    ("name", "line"),
    [
        (
            "02-mismatch-dup-pk-file",
            "keys that the log names: row 500 of `shop2`.`orders`; row 501 of `shop2`.`orders`",
        ),
        ("04-mismatch-dup-uk-file", "keys that the log names: entry ('C000010') of index 1 of `shop4`.`orders`"),
        ("35d-int-pk-textual-variants", "keys that the log names: row 7 of `shop35d`.`t`"),
        ("02-mismatch-dup-pk-file", "with 3 keys per row, between 1 and 2 rows are concerned"),
    ],
)
def test_the_log_names_the_keys_and_the_keys_per_row(name: str, line: str) -> None:
    found = [recording for recording in MISMATCHED if recording.name.endswith(f"/{name}")]
    if not found:
        pytest.skip("this recording is in the shared folder only")
    (causes,) = judged(found[0]).values()
    assert line in causes[0].evidence
