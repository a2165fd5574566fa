"""The recorded verdicts of a real TiDB on which texts are the same key, as typed records.

tests/oracle/README.md describes the file. A record's type is SQL text; what it means is worked out here by a small
reader of its own, independent of the DDL parser.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from safe_lightning.core.columns import Backend, ColumnType, KeyMode, split_sql_mode

FOLDER = Path(__file__).resolve().parent / "oracle"
LIGHTNING_MODE = "ONLY_FULL_GROUP_BY,NO_AUTO_CREATE_USER"
STRICT_MODE = (
    "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,"
    "ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION"
)
MODES = {"": LIGHTNING_MODE, "strict": STRICT_MODE}
ALIASES = {"bool": "tinyint", "numeric": "decimal", "real": "double", "double precision": "double"}

_TYPE = re.compile(
    r"(?P<name>(?:NATIONAL )?[A-Z]+(?: PRECISION)?)(?:\((?P<body>(?:'(?:[^']|'')*'|[^')])*)\))?(?P<rest>.*)"
)
_MEMBER = re.compile(r"'((?:[^']|'')*)'")
_PART = re.compile(r"(c\d?)(?:\((\d+)\))?")


def read_type(text: str) -> ColumnType:
    """Read a column type as the records write it."""
    match = _TYPE.fullmatch(text)
    assert match, text
    name, body, rest = match["name"].lower(), match["body"] or "", match["rest"]
    charset = re.search(r"(?:CHARACTER SET|CHARSET) (\w+)", rest)
    collation = re.search(r"COLLATE (\w+)", rest)
    if name in ("enum", "set"):
        members = tuple(member.replace("''", "'") for member in _MEMBER.findall(body))
        assert charset is not None
        assert collation is not None
        return ColumnType(name, charset=charset[1], collation=collation[1], members=members)
    numbers = [int(number) for number in body.split(",")] if body else []
    return _plain_type(name, numbers, rest, charset[1] if charset else "", collation[1] if collation else "")


def _plain_type(name: str, numbers: list[int], rest: str, charset: str, collation: str) -> ColumnType:
    name = ALIASES.get(name, name).removeprefix("national ")
    unsigned = "UNSIGNED" in rest or "ZEROFILL" in rest
    if name in ("datetime", "timestamp", "time"):
        return ColumnType(name, fsp=numbers[0] if numbers else 0)
    if name in ("float", "double"):
        if len(numbers) == 2:
            return ColumnType(name, length=numbers[0], scale=numbers[1], unsigned=unsigned)
        return ColumnType("double" if numbers and numbers[0] > 24 else name, unsigned=unsigned)
    if name == "decimal":
        precision, scale = [*numbers, *[10, 0][len(numbers) :]]
        return ColumnType(name, length=precision, scale=scale, unsigned=unsigned)
    if name in ("char", "varchar") or name.endswith("text"):
        charset = charset or "utf8mb4"
        length = numbers[0] if numbers else 1 if name == "char" else None
        return ColumnType(name, length=length, charset=charset, collation=collation or f"{charset}_bin")
    if name.endswith(("binary", "blob")):
        length = numbers[0] if numbers else 1 if name == "binary" else None
        return ColumnType(name, length=length, charset="binary", collation="binary")
    return ColumnType(name, length=numbers[0] if name == "bit" and numbers else None, unsigned=unsigned)


Row = tuple[bytes | None, ...]


@dataclass(frozen=True)
class Record:
    """One record: columns, key, mode, rows, and what the server said of each."""

    identity: str
    columns: tuple[ColumnType, ...]
    parts: tuple[tuple[int, int | None], ...]
    sql_mode: str
    new_collation: bool
    time_zone: str
    rows: tuple[Row, ...]
    verdicts: tuple[int, ...]
    groups: list[list[int]]
    stored: tuple[Any, ...]
    is_physical_ok: tuple[bool, ...]

    def mode(self, backend: Backend) -> KeyMode:
        """Return the mode under which the record was made, for one of the two backends."""
        return KeyMode(split_sql_mode(self.sql_mode), self.new_collation, self.time_zone, backend)


def _read_parts(key: str, is_composite: bool) -> tuple[tuple[int, int | None], ...]:
    inner = key[key.index("(") + 1 : key.rindex(")")]
    found = _PART.findall(inner)
    return tuple((int(name[1:]) - 1 if is_composite else 0, int(size) if size else None) for name, size in found)


def _to_bytes(value: Any) -> bytes | None:
    if value is None:
        return None
    return bytes.fromhex(value["hex"]) if isinstance(value, dict) else value.encode()


def _read_record(line: bytes) -> Record:
    raw = json.loads(line)
    is_composite = isinstance(raw["type"], list)
    types = raw["type"] if is_composite else [raw["type"]]
    verdicts = tuple(0 if word == "ok" else int(word.split()[1]) for word in raw["verdict"])
    physical = raw.get("physical_verdict")
    return Record(
        identity=raw["id"],
        columns=tuple(map(read_type, types)),
        parts=_read_parts(raw["key"], is_composite),
        sql_mode=MODES.get(raw["sql_mode"], raw["sql_mode"]),
        new_collation=raw["new_collation"],
        time_zone=raw.get("time_zone") or "UTC",
        rows=tuple(tuple(map(_to_bytes, row if is_composite else [row])) for row in raw["values"]),
        verdicts=verdicts,
        groups=raw["groups"],
        stored=tuple(raw["stored"] if is_composite else [None if s is None else [s] for s in raw["stored"]]),
        is_physical_ok=tuple(word == "ok" for word in physical) if physical else tuple(code == 0 for code in verdicts),
    )


@cache
def records() -> list[Record]:
    """Read all records."""
    data = gzip.decompress((FOLDER / "key_equality.jsonl.gz").read_bytes())
    return [_read_record(line) for line in data.splitlines()]


def records_of(family: str) -> Iterator[Record]:
    """Read the records of one family, the first word of their identity."""
    return (record for record in records() if record.identity.startswith(family + "-"))
