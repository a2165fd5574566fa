"""What of a column decides how a field text becomes a key: its type as TiDB keeps it, and the mode of the import."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from safe_lightning.core.lean_dataclass import dataclass

STRICT_FLAGS = frozenset({"STRICT_TRANS_TABLES", "STRICT_ALL_TABLES"})
"""Either of them makes a session strict: a value that would be altered is refused instead."""

INTEGER_BITS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}
TEXT_BYTES = {"tinytext": 255, "text": 65_535, "mediumtext": 16_777_215, "longtext": 4_294_967_295}
BLOB_BYTES = {"tinyblob": 255, "blob": 65_535, "mediumblob": 16_777_215, "longblob": 4_294_967_295}
CHARACTER_TYPES = frozenset({"char", "varchar", *TEXT_BYTES})
BYTE_TYPES = frozenset({"binary", "varbinary", *BLOB_BYTES})
DATE_TYPES = frozenset({"date", "datetime", "timestamp"})


class Backend(StrEnum):
    """Who casts the values: Lightning's own row encoder, or the server it sends INSERTs to."""

    PHYSICAL = "local"
    LOGICAL = "tidb"


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A column's type after TiDB resolved aliases, defaults and inheritance.

    `name` is TiDB's own lower-case name: `tinyint` … `bigint` (BOOL is `tinyint`), `decimal`, `float`, `double`,
    `bit`, `year`, `date`, `datetime`, `timestamp`, `time`, `char`, `varchar`, `tinytext` … `longtext`, `binary`,
    `varbinary`, `tinyblob` … `longblob`, `enum`, `set`; any other name (`json`, `geometry`, …) is kept as written.

    `length` counts characters for CHAR and VARCHAR, bytes for TEXT kinds and byte strings, bits for BIT and digits
    for DECIMAL(M,D), FLOAT(M,D) and DOUBLE(M,D); it is None where the definition gives none and TiDB keeps none
    (display widths of integers are of no concern). `scale` is D. `fsp` is the number of fractional-second digits.
    A zerofilled number is `unsigned`. `charset` and `collation` are set for character types, ENUM and SET; byte
    strings have `binary`. `members` are the element texts of ENUM and SET.
    """

    name: str
    length: int | None = None
    scale: int | None = None
    fsp: int = 0
    unsigned: bool = False
    charset: str = ""
    collation: str = ""
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyMode:
    """The settings of one import that decide how values are cast and compared.

    `sql_mode` holds the flags in upper case. `new_collation` is the target's `new_collation_enabled`, fixed when the
    cluster was bootstrapped. `time_zone` is the session's: an offset such as `+08:00`, `UTC` or the name of a zone;
    `SYSTEM` must be resolved by the caller, because it is the zone of another machine.
    """

    sql_mode: frozenset[str] = frozenset()
    new_collation: bool = True
    time_zone: str = "UTC"
    backend: Backend = Backend.PHYSICAL

    @property
    def strict(self) -> bool:
        """Tell whether a value that would be altered is refused."""
        return bool(self.sql_mode & STRICT_FLAGS)

    def has(self, flag: str) -> bool:
        """Tell whether a flag of sql_mode is on."""
        return flag in self.sql_mode


def split_sql_mode(text: str | Iterable[str]) -> frozenset[str]:
    """Split a sql_mode as it is configured: `A,B`, or the parts of it, in any case."""
    parts = text.split(",") if isinstance(text, str) else text
    return frozenset(part.strip().upper() for part in parts) - {""}
