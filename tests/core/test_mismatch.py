"""Reading totals out of sentences, in the wordings of all eras and whatever else is in the line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_lightning.core.mismatch import read_mismatch, read_totals, table_before
from safe_lightning.core.tables import Comparison, TableName, Totals

BIG = (1 << 64) - 1
SENTENCE = "checksum mismatched remote vs local => (checksum: {} vs {}) (total_kvs: {} vs {}) (total_bytes:{} vs {})"


@given(st.lists(st.integers(0, BIG), min_size=6, max_size=6), st.text(), st.text())
def test_every_number_is_read_exactly(numbers: list[int], before: str, after: str) -> None:
    found = read_mismatch(before.replace("checksum", "") + SENTENCE.format(*numbers) + after)
    a, b, c, d, e, f = numbers
    assert found == Comparison(Totals(a, c, e), Totals(b, d, f))


@given(st.text())
def test_any_other_text_is_no_mismatch(text: str) -> None:
    assert read_mismatch(text) is None or "checksum mismatched" in text
    assert read_totals(text) is None or "{cksum=" in text


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("restore table `a`.`b` failed: checksum mismatched remote", TableName("a", "b")),
        ("`a``x`.`b.c` failed: [Lighting:Restore:ErrChecksumMismatch]checksum mismatched", TableName("a`x", "b.c")),
        ("`first`.`t` ok; `last`.`t` failed: checksum mismatched `later`.`t`", TableName("last", "t")),
        ("checksum mismatched `later`.`t`", None),
        ("a.b failed: checksum mismatched", None),
        ("", None),
    ],
)
def test_the_table_that_a_sentence_speaks_of(text: str, table: TableName | None) -> None:
    assert table_before(text) == table


@given(st.text(), st.text(min_size=1), st.text(min_size=1))
def test_a_table_is_read_or_not_but_never_raises(text: str, schema: str, name: str) -> None:
    table_before(text)
    table_before(f"{text}{TableName(schema, name)} failed: checksum mismatched")


@pytest.mark.parametrize(
    ("text", "totals"),
    [
        (f"{{cksum={BIG},size=8,kvs=9}}", Totals(BIG, 9, 8)),
        ("{cksum=7, size=8, kvs=9}", Totals(7, 9, 8)),
        ("local={cksum=1,size=2,kvs=3} remote=", Totals(1, 3, 2)),
        ("{cksum=-1,size=8,kvs=9}", None),
        ("{}", None),
    ],
)
def test_totals_of_a_log_field(text: str, totals: Totals | None) -> None:
    assert read_totals(text) == totals
