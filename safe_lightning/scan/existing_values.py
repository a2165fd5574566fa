"""From what the target prints of a key column to the text that the import's own cast takes for the same value."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from safe_lightning.conflicts.canonical import Canonical, NotReproducible
from safe_lightning.conflicts.strings import size_of
from safe_lightning.conflicts.zones import Civil, Zone, to_seconds
from safe_lightning.core.columns import BYTE_TYPES, CHARACTER_TYPES, INTEGER_BITS
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import quote
from safe_lightning.scan.model import TableScanRequest
from safe_lightning.scan.values import GENERATED_ID, ColumnCast, column_cast
from safe_lightning.source.schema_model import ColumnDefinition

_NUMBERS = frozenset({*INTEGER_BITS, "decimal"})
_STRINGS = CHARACTER_TYPES | BYTE_TYPES
_NAMES = frozenset({"enum", "set"})
_FLOATS = frozenset({"float", "double"})
_TIMESTAMP = re.compile(rb"(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d(?:\.\d+)?)")
_HOUR_BYTES = len("2024-02-29 23")
_HOURS_MOST = 100_000


class OutOfReach(Exception):
    """The import's cast makes this value of no field at all, so that no row of the source can have it."""


class LocalTime:
    """Moves a TIMESTAMP as printed in UTC to the zone of the import. Raises OutOfReach, NotReproducible.

    Of a local time that comes twice the import always writes the same instant; no field gives the other. Hours are
    remembered, where the zone is whole hours away from UTC.
    """

    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self._hours: dict[bytes, bytes] = {}

    def __call__(self, value: bytes) -> bytes:
        """Return the local text of a time in UTC."""
        hour = self._hours.get(value[:_HOUR_BYTES])
        if hour is None:
            return self._worked_out(value)
        return hour + value[_HOUR_BYTES:]

    def _worked_out(self, value: bytes) -> bytes:
        found = _TIMESTAMP.fullmatch(value)
        if found is None:
            raise NotReproducible("the server's text is not that of a TIMESTAMP")
        second, _, fraction = found[6].partition(b".")
        year, month, day, hour, minute = (int(part) for part in found.groups()[:5])
        civil = Civil(year, month, day, hour, minute, int(second))
        if civil.is_zero:
            return value
        instant = to_seconds(civil)
        local = self._zone.to_local(instant)
        if self._zone.to_instant(local) != instant:
            raise OutOfReach
        text = b"%04d-%02d-%02d %02d:%02d:%02d" % local[:6]
        if self._zone.is_calm(local) and local[4:6] == civil[4:6]:
            if len(self._hours) >= _HOURS_MOST:
                self._hours.clear()
            self._hours[value[:_HOUR_BYTES]] = text[:_HOUR_BYTES]
        return text + (b"." + fraction if fraction else b"")


def _is_nothing(_value: bytes) -> bool:
    return False


@dataclass(frozen=True)
class ExistingColumn:
    """A key column of the target: what is selected for it, and how what is sent becomes a field."""

    place: int
    definition: ColumnDefinition
    expressions: tuple[str, ...]
    cast: ColumnCast
    to_local: LocalTime | None = None
    is_plain: Callable[[bytes], object] = _is_nothing
    width: int = 1

    @property
    def name(self) -> str:
        """The column's name."""
        return self.definition.name

    @property
    def is_nullable(self) -> bool:
        """Whether a NULL keeps a row out of the keys with this column."""
        return self.definition.is_nullable and not self.definition.auto

    def text(self, sent: Sequence[bytes | None]) -> bytes | None:
        """Return the field that is the same value. Raises OutOfReach, and NotReproducible where it cannot be told."""
        value = sent[0]
        if value is None or self.is_plain(value):
            return value
        if self.to_local is not None:
            value = self.to_local(value)
        form = self.cast(value)
        if form is GENERATED_ID:
            raise OutOfReach
        if any(other is None or self.cast(other).key != form.key for other in sent[1:]):
            raise NotReproducible(f"the server prints {self.name} with too few digits")
        return self._settled(value, form)

    def _settled(self, value: bytes, form: Canonical) -> bytes:
        """Let a value pass that the cast leaves alone.

        The cast of every type but strings and floats gives its own results back, so that what it alters or refuses is
        none of them.
        """
        kind = self.definition.type
        if kind.name == "enum" and not value and "" in kind.members:
            raise NotReproducible(f"'' in {self.name} is an element or the mark of a wrong one")
        is_same = form.stored == value if kind.name in _NAMES else not form.altered
        if not form.refused and is_same:
            return value
        if kind.name in _STRINGS or kind.name in _FLOATS:
            raise NotReproducible(f"this import would not write the value of {self.name} as it stands there")
        raise OutOfReach


def existing_columns(request: TableScanRequest, places: Sequence[int]) -> list[ExistingColumn]:
    """Prepare the key columns at these places, but for ids that the task leaves to the target."""
    columns = []
    for place in places:
        definition = request.definition.columns[place]
        if definition.name.lower() in request.ignored:
            continue
        try:
            cast = column_cast(definition, request.mode)
        except NotReproducible:
            continue  # the engine says so of the keys with this column
        to_local = LocalTime(Zone(request.mode.time_zone)) if definition.type.name == "timestamp" else None
        plain = _plain_test(definition, cast)
        expressions = _expressions(request, place)
        columns.append(ExistingColumn(place, definition, expressions, cast, to_local, plain, len(expressions)))
    return columns


def _plain_test(column: ColumnDefinition, cast: ColumnCast) -> Callable[[bytes], object]:
    """Make the test for values that every cast leaves as the server prints them, so that none has to be made."""
    kind = column.type
    if kind.name in _NUMBERS and not cast.zero_makes_id:
        return _is_anything
    if kind.name in BYTE_TYPES or (kind.name in CHARACTER_TYPES and kind.charset == "binary"):
        return _is_anything
    if kind.name in CHARACTER_TYPES:
        size = size_of(kind)
        return lambda value: len(value) <= size and value.isascii()
    return _is_nothing


def _is_anything(_value: bytes) -> bool:
    return True


def _expressions(request: TableScanRequest, place: int) -> tuple[str, ...]:
    """Select a column; of a long string only what its keys look at, and a FLOAT twice.

    MySQL and MariaDB print a FLOAT with six digits, TiDB with as many as it needs: where both texts give the same key,
    nothing is missing.
    """
    column = request.definition.columns[place]
    name, kind = quote(column.name), column.type
    if kind.name == "float":
        return name, f"{name} + 0e0"
    prefixes = [prefix for key in request.keys for at, prefix in key.parts if at == place]
    lengths = [prefix for prefix in prefixes if prefix is not None]
    # TiDB keeps any bytes in latin1, and LEFT would read them as characters.
    if kind.name not in _STRINGS or kind.charset == "latin1" or len(lengths) < len(prefixes):
        return (name,)
    return (f"LEFT({name}, {max(lengths)})",) if max(lengths) < size_of(kind) else (name,)
