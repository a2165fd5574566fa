"""What a CREATE TABLE says that decides about keys: columns and unique keys, as TiDB resolves them."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from safe_lightning.core.columns import ColumnType
from safe_lightning.core.lean_dataclass import dataclass

PRIMARY = "PRIMARY"


class DefaultKind(StrEnum):
    """Where a column's value comes from when its file has no field for it."""

    NONE = "none"
    LITERAL = "literal"
    NOW = "now"
    EXPRESSION = "expression"


@dataclass(frozen=True)
class Default:
    """The DEFAULT clause: LITERAL has the text (bytes for hexadecimal and bit literals), None for DEFAULT NULL."""

    kind: DefaultKind = DefaultKind.NONE
    value: str | bytes | None = None


@dataclass(frozen=True)
class ColumnDefinition:
    """A column. ``generated`` is "", "virtual" or "stored"; ``auto`` is "", "increment" or "random"."""

    name: str
    type: ColumnType
    is_nullable: bool = True
    default: Default = Default()
    generated: str = ""
    expression: str = ""
    auto: str = ""


@dataclass(frozen=True)
class KeyPart:
    """A column, or the first ``prefix`` characters of it (bytes of a byte string), or an expression."""

    column: str | None
    prefix: int | None = None
    expression: str | None = None


@dataclass(frozen=True)
class KeyDefinition:
    """An index. ``not_checked`` says why its keys cannot be told from the fields of a file; None where they can."""

    name: str
    parts: tuple[KeyPart, ...]
    is_unique: bool = True
    is_primary: bool = False
    is_clustered: bool = False
    is_visible: bool = True
    is_global: bool = False
    not_checked: str | None = None

    def uses(self, column: str) -> bool:
        """Tell whether a column is one of the parts, without regard to case."""
        return any(part.column is not None and part.column.lower() == column.lower() for part in self.parts)

    def renamed(self, old_name: str, new_name: str) -> KeyDefinition:
        """Return the key after a column was renamed."""
        is_it = [part.column is not None and part.column.lower() == old_name.lower() for part in self.parts]
        parts = zip(self.parts, is_it, strict=True)
        return replace(self, parts=tuple(replace(part, column=new_name) if hit else part for part, hit in parts))


@dataclass(frozen=True)
class TableDefinition:
    """A table: columns in order, every index, and the character set that new columns inherit."""

    name: str
    columns: tuple[ColumnDefinition, ...]
    indexes: tuple[KeyDefinition, ...] = ()
    charset: str = "utf8mb4"
    collation: str = "utf8mb4_bin"

    @property
    def unique_keys(self) -> tuple[KeyDefinition, ...]:
        """The keys that rows may conflict on, the primary key first."""
        unique = [key for key in self.indexes if key.is_unique]
        return tuple(sorted(unique, key=lambda key: not key.is_primary))

    @property
    def has_row_id(self) -> bool:
        """Whether rows have the hidden column `_tidb_rowid`: no clustered primary key is there."""
        return not any(key.is_clustered for key in self.indexes)

    def position(self, name: str) -> int | None:
        """Find a column without regard to case; None where there is none of that name."""
        lowered = name.lower()
        for place, column in enumerate(self.columns):
            if column.name.lower() == lowered:
                return place
        return None

    def column(self, name: str) -> ColumnDefinition | None:
        """Return a column, found without regard to case."""
        place = self.position(name)
        return None if place is None else self.columns[place]
