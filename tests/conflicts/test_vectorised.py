"""The stages of the kernel on NumPy, each against the plain words of what it has to do."""

from __future__ import annotations

import tempfile
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safe_lightning.conflicts.canonical import NotReproducible
from safe_lightning.conflicts.collations import COLLATIONS
from safe_lightning.conflicts.kernel.binding import GROUP_SAMPLE
from safe_lightning.conflicts.kernel.vectorised.arrays import SLACK_BYTES, lanes_of
from safe_lightning.conflicts.kernel.vectorised.canonical import hash_column
from safe_lightning.conflicts.kernel.vectorised.column_rules import ColumnRule
from safe_lightning.conflicts.kernel.vectorised.find import VectorisedFinder
from safe_lightning.conflicts.kernel.vectorised.hashing import hash_lanes, hash_one, join_hashes, join_one
from safe_lightning.conflicts.kernel.vectorised.lanes import Content, Texts
from safe_lightning.conflicts.kernel.vectorised.sql_header import Header, skip_header
from safe_lightning.conflicts.kernel.vectorised.structure import Scratch, Signs, scan_csv
from safe_lightning.conflicts.kernel.vectorised.word_store import WordStore
from safe_lightning.conflicts.key_columns import KernelColumns, KeyColumn
from safe_lightning.conflicts.literals import canonicalise_field
from safe_lightning.core.columns import ColumnType, KeyMode

SEED = 0x1234_5678_9ABC_DEF1
MODES = [KeyMode(time_zone="Europe/Berlin"), KeyMode(frozenset({"STRICT_TRANS_TABLES"}), new_collation=False)]
COLUMNS = [
    *(ColumnType(name, unsigned=unsigned) for name in ("tinyint", "int", "bigint") for unsigned in (False, True)),
    *(ColumnType("decimal", length, scale) for length, scale in ((10, 2), (3, 3), (5, 0), (65, 30))),
    ColumnType("decimal", 6, 2, unsigned=True),
    ColumnType("date"),
    *(ColumnType(name, fsp=fsp) for name in ("datetime", "timestamp") for fsp in (0, 3, 6)),
    *(ColumnType("binary", size, charset="binary", collation="binary") for size in (3, 20)),
    ColumnType("varbinary", 6, charset="binary", collation="binary"),
    *(
        ColumnType(name, size, charset=collation.partition("_")[0], collation=collation)
        for collation in COLLATIONS
        for name, size in (("varchar", 6), ("char", 5), ("tinytext", None))
        if collation != "binary"
    ),
]
WRITTEN = st.one_of(
    st.from_regex(r"[+-]?0{0,3}[0-9]{1,21}", fullmatch=True),
    st.from_regex(r"-?[0-9]{0,6}\.[0-9]{0,4}", fullmatch=True),
    st.from_regex(r"[0-9]{4}-[01][0-9]-[0-3][0-9]( [0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{3,6})?)?", fullmatch=True),
    st.dates().map(str),
    st.datetimes().map(str),
    st.sampled_from(["127", "128", "-128", "-129", "255", "256", "2147483647", "2147483648", "9223372036854775808"]),
    st.text("aAzZ{`@[ ~\x7f\x1f0", max_size=9),
    st.text("aéß日😀 ", max_size=9),
    st.text(max_size=40),
).map(lambda text: text.encode("utf-8", "surrogatepass"))
FIELDS = st.one_of(WRITTEN, WRITTEN, WRITTEN, st.binary(max_size=300))


def content_of(texts: list[bytes]) -> tuple[Content, np.ndarray, np.ndarray]:
    """Lay texts one behind the other, with no byte of room between."""
    size = np.array([len(text) for text in texts], np.intp)
    joined = b"".join(texts)
    room = np.zeros(-(-(len(joined) + SLACK_BYTES) // 8) * 8, np.uint8)
    room[: len(joined)] = np.frombuffer(joined, np.uint8)
    return Content(room, lanes_of(room), len(joined)), np.cumsum(size) - size, size


@given(st.lists(st.binary(max_size=70), min_size=1, max_size=20))
def test_many_hashes_are_those_of_one(texts: list[bytes]) -> None:
    content, start, size = content_of(texts)
    made = hash_lanes(Texts.read(content, start, size).lanes, size, SEED)
    assert made.tolist() == [hash_one(text, SEED) for text in texts]


@given(st.lists(st.tuples(*[st.integers(0, 2**64 - 1)] * 3), min_size=1, max_size=9), st.integers(1, 3))
def test_a_keys_hash_is_that_of_its_parts(rows: list[tuple[int, ...]], parts: int) -> None:
    columns = [np.array(column, np.uint64) for column in list(zip(*rows, strict=True))[:parts]]
    assert join_hashes(columns).tolist() == [join_one(row[:parts]) for row in rows]


def learn(columns: KernelColumns, field: bytes) -> None:
    """Let the column know the weights of a field's characters, as it does once it has met them."""
    (weighing,) = columns.weighings
    if weighing is not None:
        weighing.learn(field)


@pytest.mark.parametrize("mode", MODES, ids=["berlin", "strict"])
@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: f"{column.name}-{column.length}-{column.collation}")
@settings(deadline=None, max_examples=20)  # the first one may load weights or a zone
@given(fields=st.lists(FIELDS, min_size=1, max_size=12), prefix=st.sampled_from([None, 2]))
def test_what_is_plain_has_the_hash_of_its_exact_key(
    column: ColumnType, mode: KeyMode, fields: list[bytes], prefix: int | None
) -> None:
    prefix = prefix if column.collation else None
    try:
        cast = canonicalise_field(column, mode, prefix)
    except NotReproducible:
        return
    columns = KernelColumns([KeyColumn(0, column, prefix)], mode)
    for field in fields:
        learn(columns, field)
    content, start, size = content_of(fields)
    hashes, hard = hash_column(ColumnRule.of(columns.structs[0]), content, start, size, SEED)
    for field, made, is_hard in zip(fields, hashes.tolist(), hard.tolist(), strict=True):
        if not is_hard:
            exact = cast(field)
            assert exact.key is not None
            assert (made, exact.altered, exact.refused) == (hash_one(exact.key, SEED), 0, 0), field


def test_plain_values_are_not_handed_out() -> None:
    plain = {
        ColumnType("int"): b"-2147483648 0 2147483647 +7 007".split(),
        ColumnType("decimal", 10, 2): b"-1.25 0.00 99999999.99".split(),
        ColumnType("datetime"): [b"2024-02-28 23:59:59"],
        ColumnType("varchar", 9, charset="utf8mb4", collation="utf8mb4_bin"): ["日本語".encode(), b"a b", b""],
        ColumnType("varchar", 9, charset="utf8mb4", collation="utf8mb4_general_ci"): [b"Abc", b"~ x", "Äß日".encode()],
    }
    for column, fields in plain.items():
        columns = KernelColumns([KeyColumn(0, column)], KeyMode())
        for field in fields:
            learn(columns, field)
        content, start, size = content_of(fields)
        _, hard = hash_column(ColumnRule.of(columns.structs[0]), content, start, size, SEED)
        assert not hard.any(), column


@pytest.mark.parametrize(
    ("content", "separators", "ends", "doubled", "bad_at"),
    [
        (b'a,"b,c"\n', [1], [7], [], 8),
        (b'"a""b",c\r\n', [6], [8, 9], [3], 10),
        (b'"a\\"b",c\n', [6], [8], [], 9),
        (b"a\\,b,c\\\n\n", [4], [8], [], 9),
        (b'a,b"c\n', [1], [], [], 3),
        (b'"a"b,c\n', [4], [6], [], 3),
        (b'"a\n', [], [], [], 3),
        (b"\\\\,\n", [2], [3], [], 4),
    ],
)
def test_the_structure_of_a_chunk(
    content: bytes, separators: list[int], ends: list[int], doubled: list[int], bad_at: int
) -> None:
    found = scan_csv(np.frombuffer(content, np.uint8), Signs(ord(","), ord('"'), ord("\\"), b""), Scratch())
    assert (found.separators.tolist(), found.ends.tolist()) == (separators, ends)
    assert (found.doubled.tolist(), found.bad_at) == (doubled, bad_at)


@pytest.mark.parametrize(
    ("head", "place"),
    [
        (b"INSERT INTO `t` VALUES\n(1)", 23),
        (b"insert into `a`.`b;(` (`x`,`y`) values(", 38),
        (b"/*!40101 SET NAMES binary*/;\n-- a 'quote'\nINSERT INTO t VALUES (", 63),
        (b" ,;\n", 4),
        (b"INSERT INTO `t` VAL", Header.UNFINISHED),
        (b"/* not ended", Header.UNFINISHED),
        (b"INSERT INTO `t", Header.UNFINISHED),
        (b"INSERT INTO 't' VALUES (", Header.UNUSUAL),
        (b"VALUES ROW 1 (2)", Header.UNUSUAL),
        (b") (", Header.UNUSUAL),
    ],
)
def test_where_the_first_row_of_a_statement_is(head: bytes, place: int) -> None:
    assert skip_header(head, 0) == place


HASHES = st.lists(st.one_of(st.integers(0, 40), st.integers(0, 2**64 - 1)), max_size=60)


@given(first=HASHES, second=HASHES, dropped=st.sampled_from([(), ((0, 3, 9),), ((1, 0, 4), (0, 20, 30))]))
def test_equal_hashes_are_found_whatever_was_given_up(
    first: list[int], second: list[int], dropped: tuple[tuple[int, int, int], ...]
) -> None:
    stores = []
    expected: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for scan, hashes in enumerate((first, second)):
        store = WordStore(1, 4, 1 << 20, 4096, -1)
        store.add(0, np.array(hashes, np.uint64), np.arange(len(hashes), dtype=np.uint32))
        store.finish()
        stores.append(store)
        for row, value in enumerate(hashes):
            if not any(scan == of and start <= row < stop for of, start, stop in dropped):
                expected[value].append((scan, row))
    error, groups, counts = VectorisedFinder(stores, dropped, 1000).find(0, 16)
    assert (error, counts.words) == (0, len(first) + len(second))
    assert sorted(groups) == sorted(rows for rows in expected.values() if len(rows) > 1)


@given(st.lists(st.lists(st.integers(0, 2**64 - 1), max_size=40), max_size=5))
def test_words_are_the_same_from_memory_and_from_disk(parts: list[list[int]]) -> None:
    with tempfile.TemporaryFile() as file:
        held, spilled = (WordStore(1, 4, most, 4096, file.fileno()) for most in (1 << 20, 100))
        for part in parts:
            for store in (held, spilled):
                store.add(0, np.array(part, np.uint64), np.arange(len(part), dtype=np.uint32))
        for store in (held, spilled):
            store.finish()
        assert (spilled.spilled_bytes > 0) == (sum(map(len, parts)) > 8)
        for partition in range(16):
            words = [
                sorted(
                    pair
                    for hashes, rows in store.words(0, partition, partition + 1)
                    for pair in zip(hashes.tolist(), rows.tolist(), strict=True)
                )
                for store in (held, spilled)
            ]
            assert words[0] == words[1]


def test_of_a_group_without_room_a_few_rows_are_returned_and_all_are_counted() -> None:
    store = WordStore(1, 4, 1 << 20, 4096, -1)
    store.add(0, np.full(1000, 7, np.uint64), np.arange(1000, dtype=np.uint32))
    store.finish()
    error, groups, counts = VectorisedFinder([store], [], 200).find(0, 16)
    assert (error, counts.groups, counts.rows) == (0, 1, 1000)
    assert groups == [[(0, row) for row in range(GROUP_SAMPLE)]]
