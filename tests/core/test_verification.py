"""Totals against totals, rows against rows: what is proven, what does not match, and what nobody can tell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_lightning.core.exitcodes import ExitCode
from safe_lightning.core.outcome import Outcome
from safe_lightning.core.row_proof import RowFacts, prove_rows
from safe_lightning.core.tables import Comparison, TableName, Totals
from safe_lightning.core.verdict import ImportReport, TableResult
from safe_lightning.core.verification import (
    Expected,
    Proof,
    TableProof,
    could_not,
    finish_report,
    logged_totals,
    pending_totals,
    verify_exit_code,
    verify_totals,
)

T = TableName("shop2", "orders")
OTHER = TableName("shop2", "items")
#: A mismatch as a physical import with two duplicate keys left it, and a whole table as another recorded it.
REMOTE, LOCAL = Totals(15746503122478725883, 3004, 147075), Totals(10831222967895497704, 3006, 147183)
WHOLE = Totals(10506916028506289368, 3000, 146893)
GC = "[tikv:9006]GC life time is shorter than transaction duration"


@pytest.mark.parametrize(
    ("local", "remote", "proof", "words"),
    [
        (WHOLE, WHOLE, "proven", "3,000 pairs, 146,893 bytes and checksum as in the log"),
        (
            LOCAL, REMOTE, "mismatch",
            "3,004 pairs in the target, 3,006 in the log (2 pairs missing, 108 bytes missing)",
        ),
        (
            WHOLE, Totals(WHOLE.checksum, 3001, 146894), "mismatch",
            "3,001 pairs in the target, 3,000 in the log (1 pair more, 1 byte more)",
        ),
        (
            WHOLE, Totals(1, 3000, 146893), "mismatch",
            "3,000 pairs in the target, 3,000 in the log (no pair more or less, no byte more or less): "
            "the numbers agree, the checksum does not, so contents differ",
        ),
        (Totals(None, 3000, 146893), WHOLE, "could-not-look", "not all totals of both sides are known"),
        (Totals(None, 3002, 146893), WHOLE, "mismatch", "2 pairs missing"),
        (Totals(WHOLE.checksum, 3000, 0, has_bytes=False), WHOLE, "could-not-look", "not all totals"),
        (Totals(0, 0, 0), Totals(0, 0, 0), "proven", "0 pairs, 0 bytes"),
    ],
    ids=["equal", "recorded-duplicates", "more", "other-contents", "no-sum", "no-sum-and-fewer", "no-bytes", "empty"],
)  # fmt: skip
def test_only_equal_totals_are_proof(local: Totals, remote: Totals, proof: str, words: str) -> None:
    found = verify_totals(T, Expected(local, "the log"), remote)
    assert (found.proof, found.checksum) == (proof, Comparison(remote, local))
    assert words in found.message


NUMBERS = st.integers(0, 2**64 - 1)


@given(st.tuples(NUMBERS, NUMBERS, NUMBERS), st.tuples(NUMBERS, NUMBERS, NUMBERS))
def test_totals_that_differ_anywhere_are_never_proven(a: tuple[int, int, int], b: tuple[int, int, int]) -> None:
    found = verify_totals(T, Expected(Totals(*a), "the log"), Totals(*b))
    assert (found.proof is Proof.PROVEN) == (a == b)


def report(*tables: TableResult, outcome: Outcome = Outcome.CHECKSUM_INCOMPLETE) -> ImportReport:
    return ImportReport(outcome, GC, 1, None, "v8.5.4", tables, GC, ("noted",), checksum_incomplete=True)


PENDING = TableResult(T, "imported, not verified", Comparison(None, LOCAL))
PASSED = TableResult(OTHER, "checksum-passed", Comparison(WHOLE, WHOLE))
PROVEN = verify_totals(T, Expected(LOCAL, "the log"), LOCAL)
WRONG = verify_totals(T, Expected(LOCAL, "the log"), REMOTE)


def test_what_is_open_is_what_lightning_summed_up_and_never_compared() -> None:
    unsummed = TableResult(TableName("a", "b"), "imported, not verified")
    unnamed = TableResult(None, "imported, not verified", Comparison(None, WHOLE))
    assert {table: e.totals for table, e in pending_totals(report(PENDING, PASSED, unsummed, unnamed)).items()} == {
        T: LOCAL
    }


@pytest.mark.parametrize(
    ("status", "is_known"),
    [
        ("checksum-passed", True), ("checksum-mismatch", True), ("imported, not verified", True),
        ("conflicts-resolved", False), ("left-to-other-instance", False),
    ],
)  # fmt: skip
def test_a_sum_that_is_not_the_whole_of_the_table_is_no_yardstick(status: str, is_known: bool) -> None:
    assert logged_totals([TableResult(T, status, Comparison(None, WHOLE))]) == ({T: WHOLE} if is_known else {})


@pytest.mark.parametrize(
    ("tables", "proofs", "outcome"),
    [
        ((PENDING,), [PROVEN], "succeeded"),
        ((PENDING, PASSED), [PROVEN], "succeeded"),
        ((PENDING,), [WRONG], "checksum-mismatch"),
        ((PENDING, PASSED), [WRONG], "checksum-mismatch"),
        ((PENDING,), [could_not(T, "refused")], "checksum-incomplete"),
        ((PENDING,), [], "checksum-incomplete"),
        ((PASSED,), [], "checksum-incomplete"),
        ((PENDING, TableResult(OTHER, "imported, not verified")), [PROVEN], "checksum-incomplete"),
        ((PENDING, TableResult(OTHER, "unfinished")), [PROVEN], "checksum-incomplete"),
        ((PENDING, TableResult(OTHER, "failed at analyzed")), [PROVEN], "checksum-incomplete"),
        ((PENDING, TableResult(None, "checksum-mismatch")), [PROVEN], "checksum-incomplete"),
    ],
    ids=[
        "proven", "proven-beside-passed", "wrong", "wrong-beside-passed", "refused", "not-looked", "nothing-open",
        "one-without-a-sum", "one-unfinished", "one-failed-otherwise", "one-that-nobody-named",
    ],
)  # fmt: skip
def test_a_run_succeeds_only_where_every_table_is_proven(
    tables: tuple[TableResult, ...], proofs: list[TableProof], outcome: str
) -> None:
    assert finish_report(report(*tables), proofs).outcome == outcome


def test_a_finished_run_keeps_its_evidence_and_tells_both_sides() -> None:
    finished = finish_report(report(PENDING), [WRONG])
    assert finished.tables == (TableResult(T, "checksum-mismatch", Comparison(REMOTE, LOCAL)),)
    assert finished.evidence[0] == "noted"
    assert "2 pairs missing" in finished.evidence[1]
    assert not finished.checksum_incomplete


UNKNOWN = could_not(OTHER, "refused")


@pytest.mark.parametrize(
    ("proofs", "code"),
    [
        ([PROVEN], ExitCode.OK),
        ([PROVEN, UNKNOWN], ExitCode.CHECKSUM_INCOMPLETE),
        ([UNKNOWN], ExitCode.COULD_NOT_LOOK),
        ([], ExitCode.COULD_NOT_LOOK),
        ([PROVEN, UNKNOWN, WRONG], ExitCode.CHECKSUM_MISMATCH),
    ],
)
def test_the_exit_code_is_that_of_the_worst_table(proofs: list[TableProof], code: ExitCode) -> None:
    assert verify_exit_code(proofs) is code


@pytest.mark.parametrize(
    ("source", "target", "had_rows", "may_collapse", "proof", "words"),
    [
        (500, 500, False, False, "proven", "contents were not compared"),
        (500, 422, False, False, "mismatch", "500 rows in the source, 422 in the target: 78 missing"),
        (4800, 5281, False, False, "mismatch", "481 more than the source holds"),
        (60_000, 61_603, False, True, "mismatch", "1,603 more"),
        (500, 422, False, True, "could-not-look", "78 fewer, which rows that share a key may explain"),
        (500, 422, None, False, "mismatch", "78 missing"),
        (500, 500, None, False, "could-not-look", "not known whether the table was empty"),
        (500, 700, None, False, "could-not-look", "not known whether the table was empty"),
        (500, 700, True, False, "could-not-look", "held rows before"),
        (500, 400, True, False, "could-not-look", "held rows before"),
        (None, 500, False, False, "could-not-look", "how many rows the source holds"),
        (500, None, False, False, "could-not-look", "how many rows the target holds"),
        (0, 0, False, False, "proven", "0 rows in the source, 0 in the target"),
    ],
)
def test_rows_are_missing_or_doubled_only_where_nothing_else_explains_it(
    source: int | None, target: int | None, had_rows: bool | None, may_collapse: bool, proof: str, words: str
) -> None:
    found = prove_rows(T, RowFacts(source, target, had_rows, may_collapse))
    assert found.proof == proof
    assert words in found.message
