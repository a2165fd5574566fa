"""Character sets as Lightning decodes them; Python's codecs differ in places, and those places are handled here."""

from __future__ import annotations

import re
from collections.abc import Callable

from safe_lightning.core.lean_dataclass import dataclass

DATA_CHARSETS = ("binary", "utf8mb4", "utf8", "ascii", "gb18030", "gbk", "latin1")
SCHEMA_CHARSETS = ("auto", "binary", "utf8mb4", "gb18030", "latin1")


@dataclass(frozen=True)
class Charset:
    """What ``data-character-set`` does to a field, and how the signs of the dialect stand in the file."""

    name: str
    decode: Callable[[bytes], bytes]
    encode: Callable[[str], bytes]


def charset_named(name: str, replacement: str = "\ufffd") -> Charset:
    """Return a character set of CSV data. Raises KeyError for a name that is not in DATA_CHARSETS.

    Every character that cannot be decoded, and every U+FFFD, becomes the replacement.
    Source: pkg/lightning/mydump/charset_convertor.go.
    """
    codec, decode = _CODECS[name]
    if decode is None:
        return Charset(name, _unchanged, str.encode)

    def to_utf8(data: bytes) -> bytes:
        if data.isascii():
            return data
        return decode(data).replace("\ufffd", replacement).encode("utf-8", "surrogatepass")

    return Charset(name, to_utf8, lambda text: text.encode(codec))


def decode_schema(data: bytes, charset: str) -> str:
    """Decode a schema file by the option ``character-set``. Raises ValueError where Lightning refuses the file.

    Source: pkg/lightning/mydump/reader.go, decodeCharacterSet.
    """
    if charset == "binary":
        return data.decode("utf-8", "surrogateescape")
    if charset in ("auto", "utf8mb4"):
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            if charset == "utf8mb4":
                raise ValueError(f"invalid schema encoding: not UTF-8 at byte {error.start}") from error
    elif charset not in SCHEMA_CHARSETS:
        raise ValueError(f"unsupported encoding {charset}")
    text = decode_latin1(data) if charset == "latin1" else decode_gb(data, "gb18030")
    if "\ufffd" in text:
        raise ValueError(f"invalid schema encoding: not {'latin1' if charset == 'latin1' else 'gb18030'}")
    return text


def go_lower(text: str) -> str:
    """Lower the case character by character as Go does: no final sigma, no growing dotted I."""
    return text.lower() if text.isascii() else "".join("i" if sign == "\u0130" else sign.lower() for sign in text)


def decode_latin1(data: bytes) -> str:
    """Decode Windows-1252, which is what MySQL and Lightning mean by latin1; five bytes have no character."""
    return data.decode("cp1252", "replace")


_GB_UNIT = re.compile(
    rb"[\x00-\x7f]+|[\x81-\xfe][\x40-\x7e\x80-\xfe]|(?P<four>[\x81-\xfe][0-9][\x81-\xfe][0-9])|(?P<single>.)", re.DOTALL
)


def decode_gb(data: bytes, codec: str) -> str:
    """Decode GBK or GB18030 as golang.org/x/text does. Raises ValueError for a character it cannot vouch for.

    A byte that begins nothing valid becomes one U+FFFD by itself; a valid pair without a character one for both.
    """
    return "".join(_gb_character(found, codec) for found in _GB_UNIT.finditer(data))


def _gb_character(found: re.Match[bytes], codec: str) -> str:
    unit = found[0]
    if found["single"]:
        return "€" if unit == b"\x80" else "\ufffd"
    if found["four"] and codec != "gb18030":
        return _one_by_one(unit)
    try:
        text = unit.decode("gb18030")
    except UnicodeDecodeError:
        return _one_by_one(unit)
    if text in _DISPUTED:
        raise ValueError(f"the editions of {codec} disagree on the character {unit.hex().upper()}")
    return text


def _one_by_one(four: bytes) -> str:
    # Lead, digit, lead, digit: no lead has a trail byte, so each is invalid by itself.
    return f"\ufffd{four[1]:c}\ufffd{four[3]:c}"


# Characters that moved between the editions of GB 18030; versions of TiDB, Go and Python stand on different sides.
_DISPUTED = frozenset(
    "\u1e3f\ue7c7"
    + "".join(map(chr, (*range(0xFE10, 0xFE1A), *range(0x9FB4, 0x9FBC), *range(0xE78D, 0xE797))))
    + "\ue81e\ue826\ue82b\ue82c\ue832\ue843\ue854\ue864"
)


def _unchanged(data: bytes) -> bytes:
    return data


_CODECS: dict[str, tuple[str, Callable[[bytes], str] | None]] = {
    "binary": ("utf-8", None),
    "utf8mb4": ("utf-8", None),
    "utf8": ("utf-8", None),
    "ascii": ("utf-8", None),
    "gbk": ("gbk", lambda data: decode_gb(data, "gbk")),
    "gb18030": ("gb18030", lambda data: decode_gb(data, "gb18030")),
    "latin1": ("cp1252", decode_latin1),
}
