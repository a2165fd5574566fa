"""What a row has in a key column: its field, the zero value for a NULL that is not allowed, or a default."""

from __future__ import annotations

from collections.abc import Callable

from safe_lightning.conflicts.canonical import Canonical, NotReproducible, refusal
from safe_lightning.conflicts.literals import FieldCanonicaliser, canonicalise_field
from safe_lightning.conflicts.zero_fields import zero_field
from safe_lightning.core.columns import Backend, ColumnType, KeyMode
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.source.mapping import ROW_ID, Missing
from safe_lightning.source.rows import BinaryLiteral, Field
from safe_lightning.source.schema_model import ColumnDefinition, Default, DefaultKind

NO_NULL = 1048
NO_DEFAULT = 1364
GENERATED_ID = Canonical(None, b"(generated)")
"""The row gets an id that nobody else has; compare by identity."""

ROW_ID_COLUMN = ColumnDefinition(ROW_ID, ColumnType("bigint"))


@dataclass(frozen=True)
class ColumnCast:
    """From what a row has in a column to its canonical form. ``absent`` and ``null`` raise what they cannot tell."""

    of_field: FieldCanonicaliser
    null: Callable[[], Canonical]
    absent: Callable[[], Canonical]
    is_id: bool
    zero_makes_id: bool

    def __call__(self, value: Field | Missing) -> Canonical:
        """Return the canonical form. Raises NotReproducible."""
        if isinstance(value, Missing):
            return self.absent()
        if value is None:
            return self.null()
        found = self.of_field(value)
        return GENERATED_ID if self.zero_makes_id and found.key == b"0" else found


def column_cast(
    column: ColumnDefinition, mode: KeyMode, prefix: int | None = None, *, signed: bool = False
) -> ColumnCast:
    """Make the cast of a key column. Raises NotReproducible.

    Source: lightning/pkg/importer and backend/kv (getActualDatum); the README of the recorded verdicts for NULL.
    """
    of_field = canonicalise_field(column.type, mode, prefix, signed=signed)
    is_id = bool(column.auto)
    server_counts = zero_makes_id(column, mode)
    null = _constant(lambda: _of_null(column, mode, of_field))
    absent = _constant(lambda: _of_nothing(column, mode, of_field))
    return ColumnCast(of_field, null, absent, is_id, server_counts)


def zero_makes_id(column: ColumnDefinition, mode: KeyMode) -> bool:
    """Tell whether a 0 gets an id of its own: the server does that, Lightning's own encoder does not."""
    return bool(column.auto) and mode.backend is Backend.LOGICAL and not mode.has("NO_AUTO_VALUE_ON_ZERO")


def _constant(make: Callable[[], Canonical]) -> Callable[[], Canonical]:
    """Make the value once, when it is first asked for."""
    made: list[Canonical] = []

    def value() -> Canonical:
        if not made:
            made.append(make())
        return made[0]

    return value


def _of_null(column: ColumnDefinition, mode: KeyMode, of_field: FieldCanonicaliser) -> Canonical:
    if column.auto:
        return GENERATED_ID
    if column.is_nullable:
        return of_field(None)
    return refusal(NO_NULL) if mode.strict else of_field(zero_field(column.type))


def _of_nothing(column: ColumnDefinition, mode: KeyMode, of_field: FieldCanonicaliser) -> Canonical:
    if column.auto:
        return GENERATED_ID
    kind = column.default.kind
    if kind is DefaultKind.EXPRESSION:
        raise NotReproducible(f"the default of {column.name} is an expression")
    if kind is DefaultKind.NOW:
        # One moment is taken for all rows of the import.
        return Canonical(b"\0now", b"CURRENT_TIMESTAMP")
    if kind is DefaultKind.LITERAL:
        return of_field(_literal(column.default))
    if column.is_nullable:
        return of_field(None)
    if column.type.name == "enum":
        return of_field(1)
    if not mode.strict or column.type.name == "year":
        return of_field(zero_field(column.type))
    return refusal(NO_DEFAULT)


def _literal(default: Default) -> Field:
    if isinstance(default.value, bytes):
        return BinaryLiteral(default.value)
    return None if default.value is None else default.value.encode()
