"""Foreign bytes: whatever a field holds, a canonicaliser answers, always the same, and never both ways."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from safe_lightning.conflicts.canonical import Altered, Canonical, NotReproducible
from safe_lightning.conflicts.canonicaliser import canonicalise, join_key
from safe_lightning.conflicts.collations import COLLATIONS
from safe_lightning.core.columns import Backend, ColumnType, KeyMode, split_sql_mode

COLUMNS = [
    *(ColumnType(name) for name in ("tinyint", "bigint", "double", "float", "year", "date")),
    ColumnType("bigint", unsigned=True),
    ColumnType("decimal", 12, 4),
    ColumnType("decimal", 65, 30, unsigned=True),
    ColumnType("float", 7, 3),
    ColumnType("bit", 13),
    *(ColumnType(name, fsp=fsp) for name in ("datetime", "timestamp", "time") for fsp in (0, 3, 6)),
    *(
        ColumnType(name, length, charset=charset, collation=collation)
        for name, length in (("char", 4), ("tinytext", None))
        for charset, collation in ((c.split("_")[0], c) for c in COLLATIONS if c != "binary")
    ),
    ColumnType("binary", 4, charset="binary", collation="binary"),
    ColumnType("enum", charset="gbk", collation="gbk_chinese_ci", members=("a", "é", "中")),
    ColumnType("set", charset="utf8mb4", collation="utf8mb4_0900_ai_ci", members=("a", "é", "中")),
]
MODES = [
    KeyMode(time_zone="America/New_York"),
    KeyMode(split_sql_mode("strict_trans_tables,no_zero_date,no_zero_in_date"), new_collation=False),
    KeyMode(split_sql_mode("ALLOW_INVALID_DATES"), backend=Backend.LOGICAL, time_zone="Europe/Berlin"),
]
FIELDS = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=20).map(str.encode),
    st.text("0123456789+-.eE:/ TZx", max_size=30).map(str.encode),
    st.from_regex(rb"[+-]?[0-9]{0,90}\.?[0-9]{0,90}(e[+-]?[0-9]{0,21})?", fullmatch=True),
    st.from_regex(rb"[0-9]{2,5}[-/.][0-9]{1,2}[-/.][0-9]{1,2}[ T][0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(\.[0-9]{0,9})?Z?"),
)


@pytest.mark.parametrize("mode", MODES, ids=["new-york", "strict", "berlin"])
@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: f"{column.name}-{column.collation}")
@given(field=FIELDS)
@example(b"")
@example(b"\0" * 300)
def test_any_bytes_have_an_answer(column: ColumnType, mode: KeyMode, field: bytes) -> None:
    result = canonicalise(column, mode)(field)
    assert (result.key is None) == (result.stored is None) == bool(result.refused)
    assert mode.strict or not result.refused or result.refused in (1105, 8179)
    if mode.strict:
        lossy = Altered.CLAMPED | Altered.ZEROED | Altered.REPLACED
        assert not result.altered & lossy
    assert canonicalise(column, mode)(field) == result


def test_a_row_with_null_or_a_refused_part_has_no_key() -> None:
    one, null, bad = Canonical(b"1", b"1"), Canonical(None), Canonical(None, refused=1366)
    assert join_key([one, one]) == (b"1", b"1")
    assert join_key([one, null]) is join_key([bad, one]) is None


def test_traditional_is_strict_on_a_server_and_not_guessed_of_lightnings_encoder() -> None:
    sql_mode = split_sql_mode("traditional")
    on_a_server = canonicalise(ColumnType("int"), KeyMode(sql_mode, backend=Backend.LOGICAL))
    assert on_a_server(b"x").refused == 1366
    with pytest.raises(NotReproducible, match="TRADITIONAL"):
        canonicalise(ColumnType("int"), KeyMode(sql_mode))


def test_cutting_fractions_instead_of_rounding_is_not_guessed() -> None:
    mode = KeyMode(split_sql_mode("TIME_TRUNCATE_FRACTIONAL"))
    with pytest.raises(NotReproducible):
        canonicalise(ColumnType("datetime"), mode)
    assert canonicalise(ColumnType("int"), mode)(b"1").key == b"1"
