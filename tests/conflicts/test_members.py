"""ENUM and SET: names first, numbers as Go spells them where no name fits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_lightning.conflicts.canonical import Canonical
from safe_lightning.conflicts.canonicaliser import canonicalise
from safe_lightning.conflicts.members import read_go_number
from safe_lightning.core.columns import ColumnType, KeyMode

STRICT = KeyMode(sql_mode=frozenset({"STRICT_TRANS_TABLES"}))
LENIENT = KeyMode()


def enumeration(*members: str, collation: str = "utf8mb4_bin") -> ColumnType:
    return ColumnType("enum", charset=collation.split("_")[0], collation=collation, members=members)


def cast(column: ColumnType, text: str, mode: KeyMode = LENIENT) -> Canonical:
    return canonicalise(column, mode)(text.encode())


LETTERS = ("a", "B", "c", "3", "10")
NAMES = [
    ("utf8mb4_bin", "a", 1),
    ("utf8mb4_bin", "a  ", 1),
    ("utf8mb4_bin", "A", 0),
    ("utf8mb4_general_ci", "A ", 1),
    ("utf8mb4_0900_bin", "a ", 0),
    ("utf8mb4_bin", "3", 4),
    ("utf8mb4_bin", "10", 5),
    ("utf8mb4_bin", "2", 2),
    ("utf8mb4_bin", "0x2", 2),
    ("utf8mb4_bin", "0b10", 2),
    ("utf8mb4_bin", "02", 2),
    ("utf8mb4_bin", "6", 0),
    ("utf8mb4_bin", "0", 0),
    ("utf8mb4_bin", " 1", 0),
    ("utf8mb4_bin", "", 0),
]


@pytest.mark.parametrize(("collation", "text", "number"), NAMES)
def test_enum(collation: str, text: str, number: int) -> None:
    column = enumeration(*LETTERS, collation=collation)
    result = cast(column, text)
    assert result.key == str(number).encode()
    assert result.stored == (LETTERS[number - 1].encode() if number else b"")
    assert cast(column, text, STRICT).refused == (0 if number else 1265)


def test_with_new_collation_off_names_are_bytes() -> None:
    column = enumeration("a", "B", collation="utf8mb4_general_ci")
    assert cast(column, "A", KeyMode(new_collation=False)).key == b"0"


def test_an_empty_name_is_an_element_like_others() -> None:
    assert cast(enumeration("a", ""), "", STRICT).key == b"2"


SETS = [
    ("", 0, ""),
    ("c,a", 5, "a,c"),
    ("a,a", 1, "a"),
    ("a ,B", 3, "a,B"),
    ("a, B", None, ""),
    ("5", 5, "a,c"),
    ("0", 0, ""),
    ("8", None, ""),
    ("a,x", None, ""),
    (",", None, ""),
]


@pytest.mark.parametrize(("text", "number", "stored"), SETS)
def test_set(text: str, number: int | None, stored: str) -> None:
    column = ColumnType("set", charset="utf8mb4", collation="utf8mb4_bin", members=("a", "B", "c"))
    result = cast(column, text)
    assert result[:2] == (str(number or 0).encode(), stored.encode())
    assert cast(column, text, STRICT).refused == (1265 if number is None else 0)


def test_a_set_of_sixty_four() -> None:
    column = ColumnType("set", charset="utf8mb4", collation="utf8mb4_bin", members=tuple(f"m{i}" for i in range(64)))
    assert cast(column, "m63,m0", STRICT).key == str((1 << 63) + 1).encode()
    assert cast(column, "0xFFFFFFFFFFFFFFFF", STRICT).key == str((1 << 64) - 1).encode()
    assert cast(column, "18446744073709551616", STRICT).refused == 1265


GO = [
    (b"0", 0),
    (b"010", 8),
    (b"0_10", 8),
    (b"0o17", 15),
    (b"0X1f", 31),
    (b"0x_1f", 31),
    (b"1_0", 10),
    (b"08", None),
    (b"1__0", None),
    (b"1_", None),
    (b"_1", None),
    (b"0x", None),
    (b"+1", None),
    (b"1.0", None),
    (b"18446744073709551615", (1 << 64) - 1),
    (b"18446744073709551616", None),
    (b"1" * 100_000, None),
    (b"0" * 100_000 + b"1", 1),
]


@pytest.mark.parametrize(("text", "number"), GO)
def test_numbers_as_go_spells_them(text: bytes, number: int | None) -> None:
    assert read_go_number(text) == number


@given(number=st.integers(0, (1 << 64) - 1))
def test_every_spelling_of_a_number(number: int) -> None:
    spellings = (f"{number}", f"{number:#x}", f"{number:#b}", f"{number:#o}", f"0{number:o}", f"{number:_}")
    assert {read_go_number(text.encode()) for text in spellings} == {number}
