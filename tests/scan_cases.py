"""Random tables for the scan engine, and the answer by brute force: reference readers, exact keys, a dict."""

from __future__ import annotations

import gzip
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from safe_lightning.conflicts.canonical import Canonical, NotReproducible
from safe_lightning.conflicts.literals import FieldCanonicaliser, canonicalise_field
from safe_lightning.conflicts.prepared_files import NotKnown, absent_value
from safe_lightning.conflicts.scan_model import KeyScan, TableResult
from safe_lightning.core.columns import ColumnType, KeyMode
from safe_lightning.core.tables import TableName
from safe_lightning.source.csv_rules import CsvRules
from safe_lightning.source.file_rules import Compression, FileType
from safe_lightning.source.files import SourceFile
from safe_lightning.source.findings import InputError
from safe_lightning.source.mapping import ColumnMapping, Missing, UnknownColumns, field_count_finding, map_columns
from safe_lightning.source.opening import ReadingRules, open_rows
from safe_lightning.source.rows import Field
from safe_lightning.source.schema_model import (
    ColumnDefinition,
    Default,
    DefaultKind,
    KeyDefinition,
    KeyPart,
    TableDefinition,
)

TABLE = TableName("app", "t")
STRICT = frozenset({"STRICT_TRANS_TABLES", "NO_ZERO_DATE", "NO_ZERO_IN_DATE"})


def text(name: str, length: int | None, collation: str) -> ColumnType:
    return ColumnType(name, length=length, charset=collation.split("_")[0], collation=collation)


TYPES = [
    ColumnType("bigint"),
    ColumnType("int", unsigned=True),
    ColumnType("tinyint"),
    ColumnType("bigint", unsigned=True),
    ColumnType("decimal", length=10, scale=2),
    ColumnType("decimal", length=3, scale=3, unsigned=True),
    ColumnType("decimal", length=5, scale=0),
    ColumnType("date"),
    ColumnType("datetime"),
    ColumnType("datetime", fsp=3),
    ColumnType("timestamp"),
    ColumnType("time"),
    ColumnType("time", fsp=2),
    ColumnType("year"),
    ColumnType("double"),
    ColumnType("double", length=8, scale=2),
    ColumnType("float"),
    ColumnType("float", unsigned=True),
    ColumnType("bit", length=20),
    ColumnType("enum", charset="utf8mb4", collation="utf8mb4_general_ci", members=("a", "B", "ä")),
    ColumnType("set", charset="utf8mb4", collation="utf8mb4_bin", members=("a", "b")),
    ColumnType("binary", length=6, charset="binary", collation="binary"),
    ColumnType("varbinary", length=12, charset="binary", collation="binary"),
    ColumnType("blob", charset="binary", collation="binary"),
    *(
        text(name, length, collation)
        for name, length in (("varchar", 8), ("char", 5), ("varchar", 60), ("text", None), ("tinytext", None))
        for collation in (
            "utf8mb4_bin",
            "utf8mb4_general_ci",
            "utf8mb4_unicode_ci",
            "utf8mb4_0900_ai_ci",
            "utf8mb4_0900_bin",
            "utf8_general_ci",
            "latin1_bin",
            "ascii_bin",
            "gbk_bin",
            "gbk_chinese_ci",
        )
    ),
]
NUMBERS = [
    "0",
    "1",
    "-1",
    "007",
    "+5",
    "127",
    "128",
    "-129",
    "4294967295",
    "9223372036854775807",
    "9223372036854775808",
]
NUMBERS += [
    "1.5",
    "1.50",
    "-0",
    "-0.00",
    ".5",
    "12.",
    "1e2",
    "99999999.99",
    "0.500",
    "0.5",
    "-1.25",
    "18446744073709551616",
]
NUMBERS += ["0.1", "1e-7", "3.4028234663852886e38", "3.5e38", "1e400", "0.30000000000000004", "9007199254740993"]
NUMBERS += ["1E+2"]
DATES = ["2020-01-31", "2020-02-29", "2021-02-29", "2020-1-1", "2020-01-01 00:00:00", "2020-01-01 23:59:59.999"]
DATES += [
    "2020-01-01 23:59:59.9999",
    "2020-01-01",
    "0000-00-00",
    "2020-03-29 02:30:00",
    "2020-13-01",
    "1999-12-31 24:00:00",
]
TEXTS = ["", "a", "A", "ab ", "AB", "ä", "Ä", "é", "e\u0301", "ß", "ss", "日本", "日本語", "x" * 31, "x" * 32, "x" * 33]
TEXTS += [
    '"',
    "\\",
    "\n",
    ",",
    "\r",
    "N",
    "NULL",
    "\\N",
    "\t",
    "\0",
    "\x7f",
    "\U0001f600",
    "  ",
    "'",
    "a b",
    "\ufffd",
    "null",
]
TIMES = ["12:00:00", "1:2:3", "838:59:59", "900:00:00", "2020", "0", "70", "1,2", "b", "b,a"]


def random_value(r: random.Random, kind: ColumnType) -> str | None:
    share = r.random()
    if share < 0.06:
        return None
    if share < 0.12:
        return "".join(r.choice(TEXTS + NUMBERS) for _ in range(r.randrange(3)))
    if kind.name.endswith("int") or kind.name in ("decimal", "double"):
        return r.choice(NUMBERS)
    if kind.name in ("date", "datetime", "timestamp"):
        return r.choice(DATES)
    if kind.name in ("time", "year", "set", "enum", "bit"):
        return r.choice([*TIMES, "a", "A"])
    return "".join(r.choice(TEXTS) for _ in range(r.randrange(1, 4)))


def random_dialect(r: random.Random) -> CsvRules:
    rules = CsvRules(
        separator=r.choice([",", ",", ",", "\t", "|", "|+|"]),
        delimiter=r.choice(['"', '"', '"', "'", "", "''"]),
        terminator=r.choice(["", "", "", "\n", "\r\n", "\r\n", ";", "|\n"]),
        null=r.choice([("\\N",), ("\\N",), ("NULL",), ("\\N", "null", ""), ("",)]),
        header=r.random() < 0.5,
        trim_last_separator=r.random() < 0.1,
        not_null=r.random() < 0.1,
        escaped_by=r.choice(["\\", "\\", "\\", "", "!"]),
        charset=r.choice(["binary", "binary", "utf8mb4", "latin1", "gb18030"]),
    )
    return replace(rules, escaped_by="") if rules.separator == "|" and rules.terminator == "|\n" else rules


def encode_field(r: random.Random, value: str | None, rules: CsvRules) -> str:
    """Write a field so that it mostly, not always, means the value."""
    if value is None:
        return rules.null[0]
    quote, escape = rules.delimiter, rules.escaped_by
    special = {rules.separator[0], quote[:1], escape, "\n", "\r", rules.terminator[:1]}
    if (not quote or r.random() < 0.3) and not special & set(value) and value:
        return value
    if not quote:
        return "".join(
            escape + sign if sign in special and escape else "" if sign in special else sign for sign in value
        )
    out = []
    for sign in value:
        if sign == escape:
            out.append(escape * 2)
        elif quote and sign == quote[0]:
            out.append(escape + sign if escape and r.random() < 0.5 else quote * 2 if len(quote) == 1 else "")
        elif sign == "\n" and escape and r.random() < 0.5:
            out.append(escape + "n")
        else:
            out.append(sign)
    return quote + "".join(out) + quote


def random_csv(r: random.Random, definition: TableDefinition, rules: CsvRules) -> bytes:
    names = [column.name for column in definition.columns]
    order = list(range(len(names)))
    if rules.header and r.random() < 0.5:
        r.shuffle(order)
        order = order[: max(1, len(order) - r.randrange(2))]
    end = rules.terminator or r.choice(["\n", "\n", "\r\n", "\r"])
    pools = [[random_value(r, column.type) for _ in range(r.choice([3, 8, 30]))] for column in definition.columns]
    lines = [rules.separator.join(names[place] for place in order)] if rules.header else []
    for _ in range(r.randrange(r.choice([2, 30, 200]))):
        fields = [encode_field(r, r.choice(pools[place]), rules) for place in order]
        if r.random() < 0.02:
            fields = fields[: r.randrange(1, len(fields) + 1)] if r.random() < 0.5 else [*fields, "x"]
        lines.append(
            rules.separator.join(fields) + (rules.separator if rules.trim_last_separator and r.random() < 0.9 else "")
        )
        if r.random() < 0.03:
            lines.append(r.choice(["", "", "  ", "\u00a0"]))
    content = end.join(lines) + (end if r.random() < 0.7 else r.choice(["", "", "\\", '"x', "   "]))
    data = content.encode({"gb18030": "gb18030", "latin1": "cp1252"}.get(rules.charset, "utf-8"), "replace")
    return mangle(r, data) if r.random() < 0.15 else data


def mangle(r: random.Random, data: bytes) -> bytes:
    for _ in range(r.randrange(1, 4)):
        at = r.randrange(len(data) + 1)
        data = (
            data[:at]
            + r.choice([b'"', b"\xff", b"\\", b"\n", b",", b"\xc3", b'""', b"\0"])
            + data[at + r.randrange(2) :]
        )
    return data


def random_bytes(r: random.Random) -> bytes:
    alphabet = r.choice(
        [b'",\\\n', b'"",,\n\nab\\N\r ', b',,\n\n1a"b\\', b'\n,"\\N0\x00\xff', b',,,,\n\n\n\naAbB" 0123\\"']
    )
    return bytes(r.choice(alphabet) for _ in range(r.randrange(r.choice([40, 400, 3000]))))


def random_sql(r: random.Random, definition: TableDefinition) -> bytes:
    pools = [[random_value(r, column.type) for _ in range(r.choice([3, 10]))] for column in definition.columns]
    quote = r.choice("''\"")
    lists = f" ({','.join(f'`{column.name}`' for column in definition.columns)})" if r.random() < 0.5 else ""
    out, is_open = [], False
    for _ in range(r.randrange(r.choice([2, 30, 150]))):
        if not is_open:
            out.append(r.choice(["/*!40101 SET NAMES binary*/;\n", "-- a; (b\n", "", ""]))
            out.append(f"INSERT INTO `a'b;(`{lists} VALUES" + r.choice(["\n", " ", ""]))
            is_open = True
        fields = [encode_literal(r, r.choice(pool), quote) for pool in pools]
        fields = fields[:-1] if r.random() < 0.02 else fields
        out.append("(" + r.choice([",", ",", ",", ", "]).join(fields) + ")")
        is_open = r.random() < 0.85
        out.append(r.choice([",\n", ",", "\n,"]) if is_open else r.choice([";\n", ";"]))
    data = "".join(out).encode("utf-8", "replace")
    return mangle(r, data) if r.random() < 0.1 else data


def encode_literal(r: random.Random, value: str | None, quote: str) -> str:
    if value is None:
        return r.choice(["NULL", "NULL", "null"])
    share = r.random()
    if value.lstrip("-").isascii() and value.lstrip("-").isdigit() and share < 0.6:
        return value
    if share < 0.03:
        return r.choice(["b'101'", "true", "_binary 'x'", "''", f"{quote}a{quote} ", "2024", "007", "-0", "1.5", "2e3"])
    if share < 0.06:
        return r.choice(["0x4142", "x'4142'", "X'C3A4'", "x'6a'", "x'414'", "x'zz'", "0x6", "0x", "x''", "xx'41'"])
    out = [
        f"\\{sign}" if sign == "\\" else r.choice([f"\\{sign}", sign * 2]) if sign == quote else sign for sign in value
    ]
    return quote + "".join(out) + quote


@dataclass
class Case:
    """One scan, and where its files are."""

    scan: KeyScan
    seed: int = 0
    contents: dict[str, bytes] = field(default_factory=dict)


def random_definition(r: random.Random) -> TableDefinition:
    columns = tuple(
        ColumnDefinition(
            f"c{place}",
            r.choice(TYPES),
            default=Default(DefaultKind.LITERAL, "7") if r.random() < 0.3 else Default(),
        )
        for place in range(r.choice([1, 2, 2, 3, 5, 9]))
    )
    keys = []
    for number in range(r.randrange(1, 4)):
        chosen = r.sample(columns, min(len(columns), r.choice([1, 1, 2, 3])))
        parts = tuple(KeyPart(column.name, _random_prefix(r, column.type)) for column in chosen)
        keys.append(KeyDefinition(f"k{number}", parts))
    return TableDefinition("t", columns, tuple(keys))


def _random_prefix(r: random.Random, kind: ColumnType) -> int | None:
    is_cuttable = kind.name in ("varchar", "char", "text", "varbinary", "blob")
    return r.randrange(1, 6) if is_cuttable and r.random() < 0.3 else None


def random_case(seed: int, folder: Path) -> Case:
    r = random.Random(seed)
    definition = random_definition(r)
    rules = random_dialect(r)
    mode = KeyMode(r.choice([frozenset(), frozenset(), STRICT]), r.random() < 0.8, r.choice(["UTC", "Europe/Berlin"]))
    kind = r.choice(["csv", "csv", "csv", "bytes", "sql"])
    if kind == "bytes":
        rules = CsvRules(header=False)
    sources, contents = [], {}
    for number in range(r.choice([1, 1, 2, 3])):
        content = (
            random_sql(r, definition)
            if kind == "sql"
            else random_bytes(r)
            if kind == "bytes"
            else random_csv(r, definition, rules)
        )
        is_packed = r.random() < 0.15
        name = f"app.t.{number}.{'sql' if kind == 'sql' else 'csv'}{'.gz' if is_packed else ''}"
        stored = gzip.compress(content, mtime=0) if is_packed else content
        if is_packed and r.random() < 0.1:
            stored = stored[: max(len(stored) - 9, 0)]
        (folder / name).write_bytes(stored)
        contents[name] = content
        file_type = FileType.SQL if kind == "sql" else FileType.CSV
        compression = Compression.GZIP if is_packed else Compression.NONE
        sources.append(SourceFile(folder / name, name, TABLE, file_type, compression, len(stored)))
    scan = KeyScan(TABLE, tuple(sources), definition, definition.indexes, mode, ReadingRules(rules))
    return Case(scan, seed, contents)


Place = tuple[str, int, int, int]


@dataclass
class Answer:
    """What is to be found: rows and error of each file, conflicts of each key, findings."""

    rows: dict[str, int] = field(default_factory=dict)
    errors: dict[str, tuple[str, int | None, int | None]] = field(default_factory=dict)
    conflicts: dict[str, set[frozenset[Place]]] = field(default_factory=dict)
    unchecked: set[str] = field(default_factory=set)
    findings: Counter[tuple[str, str]] = field(default_factory=Counter)


def brute_force(scan: KeyScan) -> Answer:
    answer = Answer()
    found: dict[str, dict[tuple[bytes, ...], set[Place]]] = {key.name: defaultdict(set) for key in scan.keys}
    casts: dict[tuple[int, int | None], FieldCanonicaliser] = {}
    for file in scan.files:
        answer.rows[file.name] = 0
        try:
            for place, fields, mapping in _rows(scan, file):
                answer.rows[file.name] += 1
                finding = field_count_finding(mapping, len(fields), len(scan.definition.columns), scan.mode.backend)
                if finding:
                    answer.findings[file.name, finding.code] += 1
                for key in scan.keys:
                    parts = [_cast(scan, casts, mapping, fields, part) for part in key.parts]
                    if any(part is None for part in parts):
                        answer.unchecked.add(key.name)
                        continue
                    keys = [part.key for part in parts if part is not None and part.key is not None]
                    if len(keys) == len(parts):
                        found[key.name][tuple(keys)].add(place)
        except InputError as error:
            answer.errors[file.name] = (error.code, error.line, error.offset)
        except UnknownColumns:
            answer.errors[file.name] = ("unknown-columns", None, None)
    for name, groups in found.items():
        answer.conflicts[name] = {frozenset(places) for places in groups.values() if len(places) > 1}
    return answer


def _rows(scan: KeyScan, file: SourceFile) -> Iterator[tuple[Place, list[Field], ColumnMapping]]:
    reader = open_rows(file, scan.rules)
    mapping = None
    for row in reader:
        if mapping is None:
            mapping = map_columns(scan.definition, reader.columns, (), (), len(row.fields))
        yield (file.name, row.line, row.offset, row.number), row.fields, mapping


def _cast(
    scan: KeyScan,
    casts: dict[tuple[int, int | None], FieldCanonicaliser],
    mapping: ColumnMapping,
    fields: list[Field],
    part: KeyPart,
) -> Canonical | None:
    place = scan.definition.position(part.column or "")
    assert place is not None
    column = scan.definition.columns[place]
    if (place, part.prefix) not in casts:
        casts[place, part.prefix] = canonicalise_field(column.type, scan.mode, part.prefix)
    value = mapping.value(fields, place)
    try:
        return casts[place, part.prefix](absent_value(column, value) if isinstance(value, Missing) else value)
    except (NotReproducible, NotKnown):
        return None


def compare(answer: Answer, result: TableResult) -> None:
    """Hold a result against the answer."""
    assert {file.name: file.rows for file in result.files} == answer.rows
    errors = {file.name: (file.error.code, file.error.line, file.error.offset) for file in result.files if file.error}
    assert set(errors) == set(answer.errors)
    for name, expected in answer.errors.items():
        if expected[2] is not None:
            assert errors[name] == expected, name
    for key in result.keys:
        expected_conflicts = answer.conflicts[key.name]
        if key.name in answer.unchecked and key.status == "not-checked" and not key.duplicate_keys:
            continue
        found = {
            frozenset((row.place.file, row.place.line, row.place.offset, row.place.row) for row in conflict.rows)
            for conflict in key.examples
        }
        assert found == {group for group in expected_conflicts if len(group) <= 100} | {
            group for group in found if len(group) == 100
        }, key
        assert key.duplicate_keys == len(expected_conflicts)
        assert key.duplicate_rows == sum(map(len, expected_conflicts))
        if not expected_conflicts:
            assert (key.status == "clean") == (not answer.errors and key.name not in answer.unchecked)
    counted: Counter[tuple[str, str]] = Counter()
    for finding in result.findings:
        if finding.finding.code.endswith("-fields"):
            counted[finding.finding.file or "", finding.finding.code] += finding.count
    assert counted == answer.findings
