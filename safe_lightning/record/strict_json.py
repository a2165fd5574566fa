"""Strict reading of the JSON that earlier runs wrote: what does not fit is said, with the key, and never guessed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from safe_lightning.core.outcome import Outcome
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import Action
from safe_lightning.record.clock import seconds_of

T = TypeVar("T")


class UnreadableRecord(ValueError):
    """Something recorded breaks its own format; the sentence names the key."""


class Keys:
    """Reads one JSON object key by key. Every method raises UnreadableRecord naming the dotted key."""

    def __init__(self, document: object, path: str) -> None:
        if not isinstance(document, Mapping):
            raise UnreadableRecord(f"{path or 'the result'}: not an object")
        self._document, self._path = document, path

    def _get(self, key: str, kind: type[T]) -> T:
        value = self._document.get(key, self)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            found = "missing" if value is self else f"found {type(value).__name__}"
            raise UnreadableRecord(f"{self._name(key)}: {found}, wanted {kind.__name__}")
        return value

    def _name(self, key: str) -> str:
        return f"{self._path}.{key}".lstrip(".")

    def _read(self, key: str, read: Callable[[str], T]) -> T:
        try:
            return read(self.text(key))
        except UnreadableRecord:
            raise
        except (ValueError, OverflowError) as error:
            raise UnreadableRecord(f"{self._name(key)}: {error}") from error

    def text(self, key: str) -> str:
        """Read a text."""
        return self._get(key, str)

    def number(self, key: str) -> int:
        """Read an integer of any size."""
        return self._get(key, int)

    def time(self, key: str) -> float:
        """Read an RFC 3339 time as seconds since the epoch."""
        return self._read(key, seconds_of)

    def word(self, key: str, words: Callable[[str], T]) -> T:
        """Read one of a closed set of words."""
        return self._read(key, words)

    def outcome(self, key: str) -> Outcome:
        """Read an outcome word."""
        return self._read(key, Outcome)

    def action(self, key: str) -> Action:
        """Read an action word."""
        return self._read(key, Action)

    def table(self, key: str) -> TableName:
        """Read a back-quoted table name."""
        return self._read(key, TableName.parse)

    def maybe(self, key: str, read: Callable[[str], T]) -> T | None:
        """Read a value that may be null, but not missing."""
        return None if key in self._document and self._document[key] is None else read(key)

    def texts(self, key: str) -> tuple[str, ...]:
        """Read a list of texts."""
        items: Sequence[object] = self._get(key, list)
        if not all(isinstance(item, str) for item in items):
            raise UnreadableRecord(f"{self._name(key)}: wanted texts only")
        return tuple(str(item) for item in items)

    def each(self, key: str, read: Callable[[Keys], T]) -> tuple[T, ...]:
        """Read a list of objects."""
        items = self._get(key, list)
        return tuple(read(Keys(item, f"{self._name(key)}[{at}]")) for at, item in enumerate(items))

    def later(self, key: str, read: Callable[[Keys], T]) -> tuple[T, ...]:
        """Read a list of objects that records of earlier releases lack."""
        return self.each(key, read) if key in self._document else ()

    def part(self, key: str) -> Keys | None:
        """Open an object that may be null or missing."""
        value = self._document.get(key)
        return None if value is None else Keys(value, self._name(key))

    def flag(self, key: str) -> bool:
        """Read a truth value."""
        return self._get(key, bool)

    def tables(self, key: str) -> tuple[TableName, ...]:
        """Read a list of back-quoted table names."""
        try:
            return tuple(TableName.parse(text) for text in self.texts(key))
        except UnreadableRecord:
            raise
        except ValueError as error:
            raise UnreadableRecord(f"{self._name(key)}: {error}") from error

    def object(self, key: str) -> Keys:
        """Open an object that must be there."""
        return Keys(self._document.get(key), self._name(key))

    def all_texts(self) -> dict[str, str]:
        """Read an object all of whose values are texts."""
        return {str(key): self.text(key) for key in self._document}

    def rows(self, key: str, kinds: tuple[type, ...]) -> tuple[tuple[Any, ...], ...]:
        """Read a list of rows, each a list of values of these kinds."""
        rows = self._get(key, list)
        if not all(isinstance(row, list) and tuple(map(type, row)) == kinds for row in rows):
            raise UnreadableRecord(f"{self._name(key)}: wanted rows of {', '.join(kind.__name__ for kind in kinds)}")
        return tuple(map(tuple, rows))
