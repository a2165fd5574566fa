"""Character and byte strings: character sets, lengths, blanks, zero bytes, prefixes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_lightning.conflicts.canonical import Altered, Canonical, NotReproducible
from safe_lightning.conflicts.canonicaliser import canonicalise
from safe_lightning.core.columns import ColumnType, KeyMode

LENIENT = KeyMode()
STRICT = KeyMode(sql_mode=frozenset({"STRICT_ALL_TABLES"}))


def character(name: str, length: int | None, charset: str = "utf8mb4", collation: str = "") -> ColumnType:
    return ColumnType(name, length, charset=charset, collation=collation or f"{charset}_bin")


def octets(name: str, length: int | None = None) -> ColumnType:
    return ColumnType(name, length, charset="binary", collation="binary")


def cast(column: ColumnType, field: bytes, mode: KeyMode = LENIENT, prefix: int | None = None) -> Canonical:
    return canonicalise(column, mode, prefix)(field)


BROKEN = [
    ("utf8mb4", b"a\xffb", b"a?b"),
    ("utf8mb4", b"\xed\xa0\x80", b"???"),
    ("utf8mb4", b"\xc3", b"?"),
    ("utf8mb4", b"\xf0\x9f\x98", b"???"),
    ("utf8", b"\xf0\x9f\x98\x80", b"?"),
    ("ascii", b"a\xffb", b"a?"),
    ("ascii", "né".encode(), b"n?"),
    ("gbk", b"a\xffb", b"a?"),
    ("gbk", "€中😀".encode(), "?中?".encode()),
    ("gbk", b"\xc3(", b"?"),
]


@pytest.mark.parametrize(("charset", "field", "stored"), BROKEN)
def test_bytes_that_the_character_set_does_not_know(charset: str, field: bytes, stored: bytes) -> None:
    column = character("varchar", 20, charset)
    assert cast(column, field) == Canonical(stored, stored, Altered.REPLACED)
    assert cast(column, field, STRICT).refused == 1366


@pytest.mark.parametrize("field", [b"a\xffb", "€😀".encode(), "\ufffd".encode()])
def test_latin1_takes_any_bytes(field: bytes) -> None:
    assert cast(character("varchar", 20, "latin1"), field, STRICT) == Canonical(field, field)


def test_a_genuine_replacement_character_is_kept() -> None:
    assert cast(character("varchar", 3), "\ufffd".encode(), STRICT).stored == "\ufffd".encode()


TOO_LONG = [
    (character("varchar", 3), "abcd", "abc", 1406),
    (character("varchar", 3), "äöüß", "äöü", 1406),
    (character("varchar", 3), "abc \t\r\n", "abc", 0),
    (character("char", 3), "ab  x", "ab", 1406),
    (character("char", 3), "ab   ", "ab", 0),
    (character("tinytext", None), "x" * 256, "x" * 255, 1406),
    (character("tinytext", None), "x" * 255 + " ", "x" * 255, 1406),
    (character("tinytext", None), "ä" * 128, "ä" * 127, 1406),
    (character("varchar", 2, "latin1"), "äöü", "äö", 1406),
    (octets("varbinary", 2), "abc", "ab", 1406),
    (octets("varbinary", 2), "ab ", "ab", 1406),
    (octets("binary", 2), "abc", "ab", 1406),
]


@pytest.mark.parametrize(("column", "text", "stored", "code"), TOO_LONG)
def test_a_string_that_is_too_long(column: ColumnType, text: str, stored: str, code: int) -> None:
    result = cast(column, text.encode())
    assert (result.stored, result.altered) == (stored.encode(), Altered.CUT)
    assert cast(column, text.encode(), STRICT).refused == code


def test_a_string_in_which_a_byte_was_replaced_is_not_cut() -> None:
    assert cast(character("varchar", 3), b"abcd\xffef  ").stored == b"abcd?ef  "
    assert cast(character("char", 3), b"abcd\xffef  ").stored == b"abcd?ef"


def test_only_char_loses_its_blanks_and_only_padding_collations_forget_them() -> None:
    assert cast(character("char", 5), b"a  ").stored == b"a"
    assert cast(character("varchar", 5), b"a  ") == Canonical(b"a", b"a  ")
    assert cast(character("varchar", 5, collation="utf8mb4_0900_bin"), b"a  ").key == b"a  "
    assert cast(character("varchar", 5), b"a  ", KeyMode(new_collation=False)).key == b"a  "


def test_binary_is_filled_up_and_varbinary_is_not() -> None:
    assert cast(octets("binary", 3), b"a").key == b"a\0\0"
    assert cast(octets("varbinary", 3), b"a").key == b"a"
    assert cast(octets("binary", 3), b"a", prefix=2).key == b"a\0"


PREFIXES = [
    (character("varchar", 9), "äöü", 2, "äö".encode()),
    (character("varchar", 9), "a b", 2, b"a"),
    (character("varchar", 9, "ascii"), "abc", 2, b"ab"),
    (character("varchar", 9, collation="utf8mb4_general_ci"), "äöü", 1, b"A"),
    (character("text", None), "abc", 2, b"ab"),
    (octets("blob"), "äö", 3, "äö".encode()[:3]),
]


@pytest.mark.parametrize(("column", "text", "prefix", "key"), PREFIXES)
def test_a_prefix_is_taken_before_the_collation(column: ColumnType, text: str, prefix: int, key: bytes) -> None:
    assert cast(column, text.encode(), prefix=prefix) == Canonical(key, text.encode())


def test_a_prefix_of_latin1_makes_broken_bytes_whole() -> None:
    column = character("varchar", 9, "latin1")
    assert cast(column, b"a\xffb", prefix=2).key == "a\ufffd".encode()
    assert cast(column, b"a\xff", prefix=2).key == b"a\xff"


def test_a_prefix_as_long_as_the_column_is_none() -> None:
    assert cast(character("varchar", 3), b"abcd\xff", prefix=3).key == b"abcd?"


def test_the_character_on_which_the_server_fails() -> None:
    column = character("varchar", 9, collation="utf8mb4_0900_ai_ci")
    assert cast(column, "a\U0002cea1".encode()).refused == 1105
    assert cast(column, "a\U0002cea1".encode(), prefix=1).refused == 0
    assert cast(column, "a\U0002cea1".encode(), KeyMode(new_collation=False)).refused == 0


@given(text=st.text(max_size=12), length=st.integers(1, 8))
def test_cutting_counts_characters(text: str, length: int) -> None:
    stored = cast(character("varchar", length), text.encode()).stored
    assert stored == text[:length].encode()


@given(text=st.text(min_size=1, max_size=300))
def test_a_tinytext_is_cut_between_characters(text: str) -> None:
    value = (text * 300).encode()
    assert cast(character("tinytext", None), value).stored == value[:255].decode("utf-8", "ignore").encode()


@given(field=st.binary(min_size=1, max_size=300))
def test_a_tinytext_of_any_bytes_is_cut_behind_a_whole_character(field: bytes) -> None:
    """Go looks at the last character only: latin1 columns hold bytes that are none."""
    value = field * 300
    stored = cast(character("tinytext", None, "latin1"), value).stored
    assert stored is not None
    cuts = [size for size in range(1, 256) if is_whole(value[:size])]
    assert stored == value[: max(cuts, default=0)]


def is_whole(value: bytes) -> bool:
    return not "\udc80" <= value.decode("utf-8", "surrogateescape")[-1] <= "\udcff"


@pytest.mark.parametrize(
    "column",
    [
        character("varchar", 9, "gb18030", "gb18030_chinese_ci"),
        character("varchar", 9, "utf8mb4", "utf8mb4_0900_as_cs"),
        ColumnType("json"),
        ColumnType("vector"),
        ColumnType("geometry"),
    ],
)
def test_what_is_not_known_is_not_guessed(column: ColumnType) -> None:
    with pytest.raises(NotReproducible):
        canonicalise(column, LENIENT)
