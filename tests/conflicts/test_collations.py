"""Collations by example, and the byte tables that a fast path may use for ASCII strings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_lightning.conflicts.canonical import NotReproducible
from safe_lightning.conflicts.collations import COLLATIONS, ascii_table, collate_of

EQUAL = [
    ("utf8mb4_bin", "a", "a  "),
    ("utf8mb4_general_ci", "ä", "A"),
    ("utf8mb4_general_ci", "ß", "s"),
    ("utf8mb4_general_ci", "\U0001f600", "\U0001f601"),
    ("utf8mb4_unicode_ci", "ß", "SS"),
    ("utf8mb4_unicode_ci", "ﬁ", "fi"),
    ("utf8mb4_unicode_ci", "a\u0300", "à"),
    ("utf8mb4_unicode_ci", "a b", "a\u00a0b"),
    ("utf8mb4_0900_ai_ci", "\0", ""),
    ("utf8mb4_0900_ai_ci", "İ", "i"),
    ("gbk_chinese_ci", "~", "y"),
    ("gbk_chinese_ci", "[", "\\"),
    ("latin1_bin", "x", "x "),
]
DIFFERENT = [
    ("utf8mb4_bin", "a", "A"),
    ("utf8mb4_bin", "a", "a\t"),
    ("utf8mb4_0900_bin", "a", "a "),
    ("utf8mb4_0900_ai_ci", "a", "a "),
    ("utf8mb4_0900_ai_ci", "\U0001f600", "\U0001f601"),
    ("utf8mb4_general_ci", "ß", "ss"),
    ("utf8mb4_general_ci", "ﬁ", "fi"),
    ("utf8mb4_unicode_ci", "a", "a\u00a0"),
    ("utf8mb4_unicode_ci", "\ufffd", "\U0001f600"),
    ("binary", "a", "a "),
    ("gbk_bin", "中", "文"),
]


@pytest.mark.parametrize(("name", "left", "right"), EQUAL)
def test_equal_under_a_collation(name: str, left: str, right: str) -> None:
    collate = collate_of(name, new_collation=True)
    assert collate(left.encode()) == collate(right.encode())


@pytest.mark.parametrize(("name", "left", "right"), DIFFERENT)
def test_different_under_a_collation(name: str, left: str, right: str) -> None:
    collate = collate_of(name, new_collation=True)
    assert collate(left.encode()) != collate(right.encode())


@pytest.mark.parametrize(("name", "left", "right"), EQUAL)
def test_with_new_collation_off_only_the_same_bytes_are_equal(name: str, left: str, right: str) -> None:
    collate = collate_of(name, new_collation=False)
    assert collate(left.encode()) == left.encode() != collate(right.encode())


@pytest.mark.parametrize("name", sorted(COLLATIONS))
@given(text=st.text(st.characters(max_codepoint=0x7F)))
def test_the_byte_tables_say_what_the_weights_say(name: str, text: str) -> None:
    value = text.encode()
    table = ascii_table(name)
    fast = (value.rstrip(b" ") if table.pads else value).translate(table.replaced, table.deleted)
    assert fast == collate_of(name, new_collation=True)(value)
    assert len(table.replaced) == 256


@pytest.mark.parametrize("name", sorted(COLLATIONS))
def test_an_ascii_string_and_another_can_be_equal(name: str) -> None:
    """The fast and the slow path make keys of one kind: a blank in front does not depend on what follows it."""
    collate = collate_of(name, new_collation=True)
    assert collate(b"a b") != collate(b"a \xe4\xb8\xad")
    assert collate("中a b".encode()).endswith(collate(b"a b"))


def test_what_stands_behind_a_broken_byte_does_not_count_for_weights() -> None:
    collate = collate_of("utf8mb4_general_ci", new_collation=True)
    assert collate(b"ab\xffcd") == collate(b"AB")


@pytest.mark.parametrize("name", ["utf8mb4_unicode_520_ci", "utf8mb4_0900_as_cs", "gb18030_chinese_ci"])
def test_an_unknown_collation_is_not_guessed(name: str) -> None:
    with pytest.raises(NotReproducible, match=name):
        collate_of(name, new_collation=True)


def test_with_new_collation_off_an_unknown_collation_is_bytes_as_well() -> None:
    assert collate_of("utf8mb4_unicode_520_ci", new_collation=False)(b"a ") == b"a "
    with pytest.raises(NotReproducible):
        collate_of("utf8mb4_zh_pinyin_tidb_as_cs", new_collation=False)
