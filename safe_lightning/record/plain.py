"""Anything the record is given as plain JSON values, every secret in it masked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import PurePath

from safe_lightning.core.redact import MASK, is_secret_name, redact
from safe_lightning.core.tables import TableName


def plain(value: object) -> object:
    """Return dataclasses as objects, table names back-quoted, sets sorted, numbers exact and texts masked.

    What is of no known kind is written as its text, which for a Secret is ``***``.
    """
    if value is None or (isinstance(value, bool | int | float) and not isinstance(value, Enum)):
        return value
    if isinstance(value, TableName):
        return str(value)
    if isinstance(value, Mapping):
        return {_key(key): MASK if _is_secret(key, item) else plain(item) for key, item in value.items()}
    if isinstance(value, AbstractSet):
        return sorted((plain(item) for item in value), key=str)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
        return [plain(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    return _text(value)


def _text(value: object) -> object:
    if isinstance(value, bytes | bytearray):
        return redact(value.decode("utf-8", "backslashreplace"))
    if isinstance(value, Enum):
        return plain(value.value)
    return str(value) if isinstance(value, PurePath) else redact(str(value))


def _key(key: object) -> str:
    return str(plain(key)) if not isinstance(key, str) else redact(key)


def _is_secret(key: object, item: object) -> bool:
    return isinstance(item, str) and bool(item) and is_secret_name(str(key))
