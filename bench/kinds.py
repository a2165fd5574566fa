"""A key of every type against one of plain strings: CPU seconds per million rows, in one interleaved run.

    python bench/kinds.py [--rows 1_000_000] [--rounds 3] [KIND...]

Each table has a column of the kind and a running number, and a unique key on both; the files hold what dumpling would
write. The first kind is the plain string that the others are held against.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from common import machine

from safe_lightning.conflicts.engine import scan_table
from safe_lightning.conflicts.scan_model import KeyScan, ScanOptions
from safe_lightning.core.columns import ColumnType, KeyMode
from safe_lightning.core.tables import TableName
from safe_lightning.source.file_rules import Compression, FileType
from safe_lightning.source.files import SourceFile
from safe_lightning.source.schema_model import ColumnDefinition, KeyDefinition, KeyPart, TableDefinition

TABLE = TableName("bench", "t")
SIZES = ("small", "medium", "large", "Extra Large")
WORDS = ("straße", "naïve", "café", "über", "Ärger", "señor", "Łódź", "Ω-3")
COLLATIONS = ("general_ci", "unicode_ci", "0900_ai_ci")


@dataclass(frozen=True)
class KeyKind:
    """A column's type and what its values look like in a file, in SQL with quotes where it has them."""

    type: ColumnType
    text: Callable[[int], str]
    is_sql: bool = False


def text_of(number: int) -> str:
    return f'"SKU-{number * 7919 % 1_000_003:x}"'


def words_of(number: int) -> str:
    return f'"{WORDS[number % 8]} {number:x}"' if number % 2 else text_of(number)


def string(collation: str) -> ColumnType:
    return ColumnType("varchar", length=32, charset="utf8mb4", collation=f"utf8mb4_{collation}")


def members(kind: str) -> ColumnType:
    return ColumnType(kind, members=SIZES, charset="utf8mb4", collation="utf8mb4_bin")


def set_of(number: int) -> str:
    return '"' + ",".join(size for place, size in enumerate(SIZES) if number >> place & 1) + '"'


def clock_of(number: int) -> str:
    return f'"{number % 24:02}:{number // 24 % 60:02}:{number // 1440 % 60:02}"'


KINDS = {
    "string": KeyKind(string("bin"), text_of),
    "integer": KeyKind(ColumnType("bigint"), lambda number: str(number * 7919)),
    "decimal": KeyKind(ColumnType("decimal", length=12, scale=2), lambda number: f"{number * 7919 % 10**9 / 100:.2f}"),
    "datetime": KeyKind(ColumnType("datetime"), lambda number: f'"2024-05-{number % 28 + 1:02} {clock_of(number)[1:]}'),
    "double": KeyKind(ColumnType("double"), lambda number: f"{number * 7919 % 10**9 / 1000}"),
    "float": KeyKind(ColumnType("float"), lambda number: f"{number * 7919 % 10**5 / 100}"),
    "bit": KeyKind(ColumnType("bit", length=8), lambda number: f'"{chr(65 + number % 26)}"'),
    "year": KeyKind(ColumnType("year"), lambda number: str(1970 + number % 80)),
    "time": KeyKind(ColumnType("time"), clock_of),
    "enum": KeyKind(members("enum"), lambda number: f'"{SIZES[number % 4]}"'),
    "set": KeyKind(members("set"), set_of),
    **{f"string {name}": KeyKind(string(name), text_of) for name in COLLATIONS},
    **{f"half not ASCII {name}": KeyKind(string(name), words_of) for name in ("bin", *COLLATIONS)},
    "SQL string": KeyKind(string("bin"), text_of, is_sql=True),
    "SQL double": KeyKind(ColumnType("double"), lambda number: f"{number * 7919 % 10**9 / 1000}", is_sql=True),
    "SQL year": KeyKind(ColumnType("year"), lambda number: str(1970 + number % 80), is_sql=True),
    "SQL enum": KeyKind(members("enum"), lambda number: f'"{SIZES[number % 4]}"', is_sql=True),
    "SQL hexadecimal": KeyKind(string("bin"), lambda number: f"0x{text_of(number).encode().hex()}", is_sql=True),
}


def write(path: Path, kind: KeyKind, rows: int) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        if not kind.is_sql:
            file.write("v,id\n")
            file.writelines(f"{kind.text(number)},{number}\n" for number in range(rows))
            return
        for first in range(0, rows, 10_000):
            numbers = range(first, min(rows, first + 10_000))
            file.write("INSERT INTO `t` (`v`,`id`) VALUES\n")
            file.write(",\n".join(f"({kind.text(number)},{number})".replace('"', "'") for number in numbers) + ";\n")


def scan_of(name: str, kind: KeyKind, folder: Path, rows: int) -> KeyScan:
    path = folder / f"{name.replace(' ', '_')}-{rows}.{'sql' if kind.is_sql else 'csv'}"
    if not path.exists():
        write(path, kind, rows)
    key = KeyDefinition("k", (KeyPart("v"), KeyPart("id")))
    columns = (ColumnDefinition("v", kind.type), ColumnDefinition("id", ColumnType("bigint")))
    type_ = FileType.SQL if kind.is_sql else FileType.CSV
    file = SourceFile(path, path.name, TABLE, type_, Compression.NONE, path.stat().st_size)
    return KeyScan(TABLE, (file,), TableDefinition("t", columns, (key,)), (key,), KeyMode())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=lambda text: int(text.replace("_", "")), default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--build")
    parser.add_argument("kinds", nargs="*")
    options = parser.parse_args()
    folder = Path(tempfile.gettempdir()) / "safe-lightning-bench-kinds"
    folder.mkdir(exist_ok=True)
    names = ["string", *(name for name in options.kinds or KINDS if name != "string")]
    scans = {name: scan_of(name, KINDS[name], folder, options.rows) for name in names}
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(options.rounds):
        for name, scan in scans.items():
            started = time.process_time()
            result = scan_table(scan, ScanOptions(build=options.build))
            seconds[name].append(time.process_time() - started)
            assert result.rows == options.rows, result
            assert not result.keys[0].duplicate_keys, result.keys[0]
    print(f"{machine()}; {options.rows:,} rows")
    for name, taken in seconds.items():
        ratio = min(taken) / min(seconds["string"])
        print(f"{name:28}{min(taken) / options.rows * 1e6:8.3f} CPU s per million rows  {ratio:7.2f} x string")


if __name__ == "__main__":
    main()
