"""Keys as Lightning logs them: decoded into values that people know, whatever bytes a line holds."""

from __future__ import annotations

import re
import struct
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import recordings

from safe_lightning.core.key_codec import BadKey, Kind, read_value
from safe_lightning.core.row_key import decode_key, describe_key, show_value
from safe_lightning.core.tables import TableName

SIGN = 1 << 63


def grouped(data: bytes) -> bytes:
    """Write bytes so that they order, as the key codec does: groups of eight and a mark."""
    encoded = b""
    for at in range(0, len(data) + 1, 8):
        group = data[at : at + 8]
        encoded += group.ljust(8, b"\0") + bytes([0xFF - (8 - len(group))])
    return encoded


def integer(value: int) -> bytes:
    return (value + SIGN).to_bytes(8, "big")


def flagged_float(value: float) -> bytes:
    bits = int.from_bytes(struct.pack(">d", value), "big")
    return b"\x05" + (bits ^ ((1 << 64) - 1) if bits & SIGN else bits | SIGN).to_bytes(8, "big")


def decimal(value: Decimal, whole: int, fraction: int) -> bytes:
    """Write a decimal in the server's binary form: nine digits in four bytes, the rest in as few as hold them."""
    size = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)
    digits = f"{int(abs(value) * 10**fraction):0{whole + fraction}d}"
    head, tail = digits[:whole], digits[whole:]
    raw = int(head[: whole % 9]).to_bytes(size[whole % 9], "big") if whole % 9 else b""
    raw += b"".join(int(head[i : i + 9]).to_bytes(4, "big") for i in range(whole % 9, whole, 9))
    for i in range(0, fraction, 9):
        part = tail[i : i + 9]
        raw += int(part).to_bytes(size[len(part)], "big")
    if value < 0:
        raw = bytes(byte ^ 0xFF for byte in raw)
    return bytes([6, whole + fraction, fraction, raw[0] ^ 0x80]) + raw[1:]


def row(table_id: int, handle: bytes) -> str:
    return (b"t" + integer(table_id) + b"_r" + handle).hex().upper()


def entry(table_id: int, index_id: int, values: bytes) -> str:
    return (b"t" + integer(table_id) + b"_i" + integer(index_id) + values).hex().upper()


ORDERS = TableName("shop", "orders")


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("7480000000000000745F7280000000000001F4", "row 500 of `shop`.`orders`"),
        ("7480000000000000745f7280000000000001f4", "row 500 of `shop`.`orders`"),
        ("7480000000000000865F698000000000000001014330303030313000FE", "entry ('C000010') of index 1 of table 134"),
        ("7480000000000003335F72017800000000000000F80419B8C20000000000",
         "row 'x', 1853444551918747648 (as a time: 2026-01-01) of table 819"),
        ("7480000000000002675F698000000000000002060A02800004E2000380000000000003E8",
         "entry (1250.00, 1000) of index 2 of table 615"),
        ("7480000000000000ff745f728000000000ff0001f40000000000fa", "row 500 of `shop`.`orders`"),
        (row(116, integer(-7)), "row -7 of `shop`.`orders`"),
        (row(116, b"\x01" + grouped(b"12345678")), "row '12345678' of `shop`.`orders`"),
        (row(116, b"\x08\x04".ljust(9, b"\0")), "row 2 of `shop`.`orders`"),
        (entry(116, 2, b"\0"), "entry (NULL) of index 2 of `shop`.`orders`"),
        (entry(116, 2, b"\x01" + grouped(b"\0A\0B\0C")),
         "entry ('ABC' (as its collation folds it)) of index 2 of `shop`.`orders`"),
        (entry(116, 2, b"\x01" + grouped(b"\x1c\x47\x1c\x60")), "entry (0x1C471C60) of index 2 of `shop`.`orders`"),
        (entry(116, 2, b"\x07" + integer(-3_723_500_000_000)), "entry (-01:02:03.5) of index 2 of `shop`.`orders`"),
        (entry(116, 2, b"\x04" + (42).to_bytes(8, "big") + flagged_float(-0.5)),
         "entry (42, -0.5) of index 2 of `shop`.`orders`"),
        (entry(116, 2, b"\x09\xac\x02\x02\x04ab"), "entry (300, 'ab') of index 2 of `shop`.`orders`"),
        ("?", "key ?: the key is not written in hexadecimal (it may be redacted)"),
        ("", "key : the key ends within a value"),
        ("74", "key 74: the key ends within a value"),
        (row(116, integer(1))[:-2], "key 7480000000000000745F7280000000000000: the flag 128 is not known"),
        (entry(116, 1, b"\x0a"), "key 7480000000000000745F6980000000000000010A: the flag 10 is not known"),
    ],
)  # fmt: skip
def test_a_key_is_told_in_words(key: str, words: str) -> None:
    assert describe_key(key, {116: ORDERS}) == words


VALUES = st.one_of(
    st.integers(-SIGN, SIGN - 1).map(lambda n: (b"\x03" + integer(n), Kind.INTEGER, n)),
    st.integers(0, 2 * SIGN - 1).map(lambda n: (b"\x04" + n.to_bytes(8, "big"), Kind.UNSIGNED, n)),
    st.binary(max_size=40).map(lambda b: (b"\x01" + grouped(b), Kind.BYTES, b)),
    st.floats(allow_nan=False).map(lambda f: (flagged_float(f), Kind.FLOAT, f)),
    st.just((b"\0", Kind.NULL, None)),
)


@given(st.integers(-SIGN, SIGN - 1), st.integers(-SIGN, SIGN - 1), st.lists(VALUES, min_size=1, max_size=16))
def test_an_index_entry_is_read_back_as_it_was_written(
    table: int, index: int, written: list[tuple[bytes, Kind, object]]
) -> None:
    key = decode_key(entry(table, index, b"".join(raw for raw, _, _ in written)))
    assert (key.table_id, key.index_id) == (table, index)
    assert [(value.kind, value.value) for value in key.values] == [(kind, value) for _, kind, value in written]


@given(st.integers(1, 30), st.integers(0, 30), st.data())
def test_a_decimal_is_read_back_as_it_was_written(whole: int, fraction: int, data: st.DataObject) -> None:
    number = data.draw(st.integers(-(10 ** (whole + fraction)) + 1, 10 ** (whole + fraction) - 1))
    expected = Decimal(number).scaleb(-fraction) if number else Decimal(0)
    raw = decimal(Decimal(f"{number}E-{fraction}"), whole, fraction) if _is_exact(number) else b""
    if raw:
        value, end = read_value(raw, 0)
        assert (value.value, end) == (expected, len(raw))


def _is_exact(number: int) -> bool:
    return len(str(abs(number))) <= 27  # what the test's own arithmetic carries


@given(st.integers(-SIGN, SIGN - 1), st.integers(-SIGN, SIGN - 1))
def test_a_row_key_is_read_with_and_without_the_grouping_of_the_storage(table: int, handle: int) -> None:
    plain = bytes.fromhex(row(table, integer(handle)))
    for key in (plain.hex(), grouped(plain).hex()):
        assert decode_key(key).values[0].value == handle


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda b: b"t" + bytes(8) + b"_i" + bytes(8) + b))
def test_any_bytes_are_decoded_or_refused(data: bytes) -> None:
    words = describe_key(data.hex(), {})
    assert words.isprintable()
    try:
        key = decode_key(data.hex())
    except BadKey:
        assert words.startswith("key ")
    else:
        assert all(show_value(value) for value in key.values)


@given(st.text(max_size=100))
def test_any_text_in_the_place_of_a_key_is_told_as_such(text: str) -> None:
    assert describe_key(text, {}).isprintable()


def test_every_recorded_key_is_decoded() -> None:
    names = re.compile(rb"\[(?:key|firstKey|lastKey)=([0-9A-F]{20,})\]")
    logs = (recording.bytes_of("lightning.log") for recording in recordings())
    keys = {key.decode() for log in logs for key in names.findall(log)}
    assert keys
    assert not [key for key in keys if describe_key(key, {}).startswith("key ")]
