"""The canonical form of one field under one column: its key, whether it is refused, what was done to it."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntFlag
from typing import NamedTuple

WRONG_VALUE = 1292
OUT_OF_RANGE = 1264
TRUNCATED = 1265
INCORRECT_VALUE = 1366
TOO_LONG = 1406
SERVER_FAILS = 1105
BAD_NUMBER = 8029
IN_DST_GAP = 8179
"""MySQL error codes under which TiDB refuses a value."""


class NotReproducible(ValueError):
    """A column or a mode whose keys cannot be reproduced here; the scan reports it as not checked."""


class Altered(IntFlag):
    """What happened to a value on its way into the column, beyond another spelling of the same value."""

    NOTHING = 0
    CLAMPED = 1  # out of range: the nearest value that the type holds
    CUT = 2  # longer than the column, or garbage behind a number or time was dropped
    ZEROED = 4  # not a value of the type at all: the zero value
    ROUNDED = 8  # digits behind the last one that the column keeps
    REPLACED = 16  # bytes that the character set does not know became ?
    MOVED = 32  # a local time that a zone skips became the end of the gap


#: Code and words of each way in which the target alters a key value without a sound.
ALTERATIONS = {
    Altered.CLAMPED: ("clamped-key", "is out of range and becomes the nearest value"),
    Altered.CUT: ("truncated-key", "is too long or has a rest that is dropped"),
    Altered.ZEROED: ("zeroed-key", "is no value of its type and becomes zero"),
    Altered.ROUNDED: ("rounded-key", "has more digits than its type keeps"),
    Altered.REPLACED: ("replaced-key", "has bytes that its character set does not know"),
    Altered.MOVED: ("moved-key", "is a time that the zone skips"),
}


class Canonical(NamedTuple):
    """One field as a column takes it.

    Two accepted fields of one column make the same key exactly if their `key` bytes are equal. `key` is None when the
    row has no entry in the key (NULL) or the value is `refused`; `refused` is then the error code, else 0. `stored`
    is the value as the target would print it: number or time in the server's text, strings as stored (UTF-8), BIT as
    its bytes, ENUM and SET as element names. It is for display only and ignores a key's prefix length.
    """

    key: bytes | None
    stored: bytes | None = None
    altered: Altered = Altered.NOTHING
    refused: int = 0


Canonicaliser = Callable[[bytes | None], Canonical]
Cast = Callable[[bytes], Canonical]

NULL = Canonical(None)


def refusal(code: int) -> Canonical:
    """Return the canonical form of a value that the target does not take."""
    return Canonical(None, refused=code)
