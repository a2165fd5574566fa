"""Rows as pairs: what shares a key, what does not, and how they are summed."""

from __future__ import annotations

import pytest

from safe_lightning.core.tables import Totals
from safe_lightning.rehearsal.pairs import add, crc64, decode_record, encode_row, sum_pairs
from safe_lightning.rehearsal.schema import read_create_table

SCHEMA = read_create_table(
    "CREATE TABLE t (id bigint PRIMARY KEY, code varchar(9), n decimal(9,2), UNIQUE (code), KEY (n))"
)
NO_KEY = read_create_table("CREATE TABLE t (a int)")
WORDS = read_create_table("CREATE TABLE t (a varchar(9), b int, PRIMARY KEY (a, b))")


def keys(row: list[str | None], row_id: int = 1) -> set[bytes]:
    return {pair.key for pair in encode_row(SCHEMA, 112, row_id, row)}


def test_the_checksum_is_gos_crc64_ecma() -> None:
    assert (crc64(b""), crc64(b"123456789")) == (0, 0x995DC9BBDF1939FA)


def test_a_record_key_has_tikvs_layout() -> None:
    assert (
        encode_row(SCHEMA, 112, 9, ["500", "x", "1"])[0].key.hex().upper() == "7480000000000000705F7280000000000001F4"
    )


def test_one_pair_per_row_and_one_per_secondary_index() -> None:
    assert len(encode_row(SCHEMA, 112, 1, ["1", "a", "2"])) == 3
    assert len(encode_row(NO_KEY, 112, 1, ["1"])) == 1
    assert len(encode_row(WORDS, 112, 1, ["a", "1"])) == 1


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        (["1", "a", "1"], ["1", "b", "2"], 1),  # the primary key
        (["1", "a", "1"], ["01", "b", "2"], 1),  # the same number, written otherwise
        (["1", "a", "1"], ["2", "a", "2"], 1),  # the unique key
        (["1", "a", "1"], ["2", "a  ", "2"], 1),  # blanks at the end do not count
        (["1", None, "1"], ["2", None, "2"], 0),  # NULLs are never equal
        (["1", "a", "1"], ["2", "b", "1"], 0),  # a plain index holds both
        (["1", "a", "1.5"], ["1", "a", "1.50"], 3),  # the same row
    ],
)
def test_equal_keys_share_pairs(one: list[str | None], other: list[str | None], shared: int) -> None:
    assert len(keys(one, 1) & keys(other, 2)) == shared


def test_a_table_without_a_key_keeps_every_row() -> None:
    first, second = (encode_row(NO_KEY, 112, row_id, ["1"])[0].key for row_id in (1, 2))
    assert first != second


def test_sums_count_every_pair_and_cancel_exact_copies() -> None:
    pairs = encode_row(SCHEMA, 112, 1, ["1", "a", "2"])
    once, twice = sum_pairs(pairs), sum_pairs(pairs * 2)
    assert twice == add(once, once) == Totals(0, 2 * once.kvs, 2 * once.bytes)


@pytest.mark.parametrize("row", [["1", None, ""], ["", "ü\n\udcff", "x" * 300]])
def test_a_record_gives_its_row_back(row: list[str | None]) -> None:
    assert decode_record(encode_row(SCHEMA, 1, 1, row)[0].value) == row


@pytest.mark.parametrize("value", ["", "abc", "1e999999999", "-", "NaN", "9" * 60])
def test_no_value_breaks_an_integer_key(value: str) -> None:
    assert encode_row(SCHEMA, 1, 1, [value, value, value])
