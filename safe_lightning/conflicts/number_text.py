"""How TiDB reads a number out of a text: white space, the longest valid beginning, whether all of it was used.

Source: `pkg/types/convert.go`, `getValidFloatPrefix` and its callers.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from safe_lightning.conflicts.canonical import Altered

WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
"""What Go's `unicode.IsSpace` accepts; Python's own `strip` takes U+001C to U+001F as well."""

_NUMBER = re.compile(rb"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?P<exponent>[eE][+-]?[0-9]+)?")
_NUL_ENDS = re.compile(rb"(?:[eE][+-]?)?\x00")


class NumberText(NamedTuple):
    """The valid beginning of a text (`0` if there is none) and what became of the rest."""

    digits: bytes
    altered: Altered

    @property
    def is_complete(self) -> bool:
        """Tell whether the text was a number and nothing else."""
        return self.altered is Altered.NOTHING


def trim_space(field: bytes) -> bytes:
    """Remove white space at both ends as Go's `strings.TrimSpace` does, whatever the bytes between."""
    if not field or (0x20 < field[0] < 0x80 and 0x20 < field[-1] < 0x80):
        return field
    text = field.decode("utf-8", "surrogateescape")
    return text.strip(WHITE_SPACE).encode("utf-8", "surrogateescape")


def read_number(field: bytes) -> NumberText:
    """Read the number at the beginning of an already trimmed text.

    A NUL byte right behind the number ends the text: what follows it counts as absent.
    """
    match = _NUMBER.match(field)
    if match is None:
        return NumberText(b"0", Altered.ZEROED)
    end = match.end()
    if end == len(field):
        return NumberText(field, Altered.NOTHING)
    ends = field[end] == 0 if match["exponent"] else _NUL_ENDS.match(field, end) is not None
    return NumberText(field[:end], Altered.NOTHING if ends else Altered.CUT)
