"""How TiDB reads a date and time out of a text.

Source: `pkg/types/time.go` (`splitDateTime`, `ParseDateFormat`, `GetTimezone`, `parseDatetime`), `pkg/types/fsp.go`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from safe_lightning.conflicts.number_text import trim_space
from safe_lightning.conflicts.zones import Civil, Zone, is_calendar, to_seconds

PUNCTUATION = frozenset(b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
DIGITS = frozenset(b"0123456789")
DATE_TIME_SEPARATORS = frozenset(b"T \t\n\v\f\r")
FIELD_BITS = (14, 4, 5, 5, 6, 6, 20)
"""How many bits TiDB keeps for year, month, day, hour, minute, second and microsecond."""

_ZONE_FORMS = {100: (0, 0), 30: (2, 0), 50: (4, 2), 63: (5, 2)}
_LEADING_DIGITS = re.compile(rb"[0-9]+")
_WHOLE_FORMS: dict[int, tuple[int, ...]] = {
    14: (4, 2, 2, 2, 2, 2),
    12: (2, 2, 2, 2, 2, 2),
    11: (2, 2, 2, 2, 2, 1),
    10: (2, 2, 2, 2, 2),
    9: (2, 2, 2, 2, 1),
    8: (4, 2, 2),
    7: (2, 2, 2, 1),
    6: (2, 2, 2),
    5: (2, 2, 2),
}


class WrongValue(Exception):
    """The text is no date and time, by TiDB's own word for it."""


class Unreadable(Exception):
    """The text broke TiDB's reader; the value becomes the zero date without TiDB calling it wrong."""


class ZoneSuffix(NamedTuple):
    """Where a time zone begins in a text, and its parts; `hours` and `minutes` are empty where absent."""

    start: int
    sign: bytes = b""
    hours: bytes = b""
    separator: bytes = b""
    minutes: bytes = b""


NO_ZONE = ZoneSuffix(-1)


def find_zone(text: bytes) -> ZoneSuffix:
    """Find `Z`, `±hh`, `±hhmm` or `±hh:mm` at the end of a text."""
    letter = text.rfind(b"Z")
    sign = max(text.rfind(b"+", letter + 1), text.rfind(b"-", letter + 1))
    colon = text.rfind(b":", letter + 1)
    size = len(text)
    form = 100 if size - letter == 1 and size else 0
    form += (size - sign) * 10 if size - sign in (3, 5, 6) else 0
    form += 3 if size - colon == 3 else 0
    if form not in _ZONE_FORMS:
        return NO_ZONE
    from_hours, from_minutes = _ZONE_FORMS[form]
    hours = text[size - from_hours : size - from_hours + 2] if from_hours else b""
    minutes = text[size - from_minutes :][:2] if from_minutes else b""
    if not all(part.isdigit() for part in (hours, minutes) if part):
        return NO_ZONE
    index = letter if letter != -1 else sign
    signed = text[sign : sign + 1] if sign != -1 else b""
    return ZoneSuffix(index, signed, hours, b":" if size - colon == 3 else b"", minutes)


def find_fraction(text: bytes) -> int:
    """Return where the point before the fraction is, -1 if the last punctuation (signs aside) is another."""
    zone = find_zone(text)
    end = zone.start if zone.start != -1 else len(text)
    for index in range(end - 1, -1, -1):
        byte = text[index]
        if byte in PUNCTUATION and byte not in b"+-":
            return index if byte == 0x2E else -1
    return -1


def fraction_digits(text: bytes) -> int:
    """Count the digits after the point, at most 6."""
    index = find_fraction(text)
    return 0 if index < 0 else min(6, len(text) - index - 1)


def _strip_punctuation(text: bytes, end: int) -> bytes:
    while end > 0 and text[end - 1] in PUNCTUATION:
        end -= 1
    return text[:end]


def _is_separator(byte: int, parts: int) -> bool:
    if byte in PUNCTUATION:
        return True
    return (parts == 2 and byte in DATE_TIME_SEPARATORS) or (parts > 4 and byte not in DIGITS)


def split_parts(text: bytes) -> list[bytes]:
    """Split a date and time at its separators; the very last byte is not looked at, whatever it is."""
    text = trim_space(text)
    if not text or text[0] not in DIGITS:
        return []
    parts: list[bytes] = []
    start, index, size = 0, 1, len(text)
    while index < size - 1:
        if _is_separator(text[index], len(parts)):
            before = len(parts)
            parts.append(text[start:index])
            while index + 1 < size and _is_separator(text[index + 1], before):
                index += 1
            start = index + 1
        elif text[index] not in DIGITS:
            return []
        index += 1
    return [*parts, text[start:]]


def round_fraction(digits: bytes, fsp: int) -> tuple[int, bool]:
    """Return the microseconds of a fraction at a precision and whether it rounded up to a whole second.

    Only the first digit that is dropped is looked at.
    """
    if len(digits) <= fsp:
        return int(digits.ljust(6, b"0")), False
    value = (int(digits[: fsp + 1]) + 5) // 10
    return (0, True) if value >= 10**fsp else (value * 10 ** (6 - fsp), False)


def adjust_year(year: int) -> int:
    """Complete a year of two digits: 00 to 69 are 20xx, 70 to 99 are 19xx."""
    return year + 2000 if 0 <= year < 70 else year + 1900 if 70 <= year < 100 else year


def _scan(text: bytes, widths: tuple[int, ...]) -> tuple[list[int], bool]:
    """Read fields of so many digits one after another, as C's `scanf` would; from a bad one on they stay 0."""
    fields: list[int] = []
    index = 0
    for width in widths:
        match = _LEADING_DIGITS.match(text, index, index + width)
        if match is None:
            return fields + [0] * (len(widths) - len(fields)), False
        fields.append(int(match[0]))
        index = match.end()
    return fields, True


def _read_whole(text: bytes, fraction: bytes) -> tuple[list[int], bool]:
    """Read a date without separators; behind a mere date the fraction is the time of day.

    A bad last byte breaks the reading of some lengths only; in the others TiDB forgets the error.
    """
    size = len(text)
    if size not in _WHOLE_FORMS:
        raise WrongValue
    fields, is_good = _scan(text, _WHOLE_FORMS[size])
    if not is_good and size in (7, 11, 12, 14):
        raise Unreadable
    if _WHOLE_FORMS[size][0] == 2:
        fields[0] = adjust_year(fields[0])
    if size in (5, 6, 8) and fraction:
        fields += _scan(fraction, (2,) * min(3, (len(fraction) + 1) // 2))[0]
    elif size in (9, 10):
        fields += _scan(fraction, (2,))[0] if fraction else [0]
    return fields, size in (11, 12, 14)


def _read_parts(parts: list[bytes]) -> tuple[list[int], bool]:
    if len(parts) == 2:
        raise WrongValue
    return [_to_number(part) for part in parts[:6]], len(parts) >= 6


def _to_number(part: bytes) -> int:
    if not part.isdigit() or len(part.lstrip(b"0")) > 19 or int(part.lstrip(b"0") or b"0") >> 63:
        raise Unreadable
    return int(part.lstrip(b"0") or b"0")


def parse_datetime(text: bytes, fsp: int, zone: Zone) -> Civil:
    """Read a date and time, rounded at a precision and converted to the session's zone if it names another.

    The result may have parts that are zero or no calendar has; ranges are for the caller to check. Raises
    `WrongValue` or `Unreadable`.
    """
    suffix = find_zone(text)
    if suffix.start > 0:
        body = _strip_punctuation(text, suffix.start)
    else:
        body, suffix = text, NO_ZONE
    fraction = b""
    point = find_fraction(body)
    if point > 0:
        match = _LEADING_DIGITS.match(body, point + 1)
        fraction = match[0] if match else b""
        body = _strip_punctuation(body, point)
    parts = split_parts(body)
    parts, fraction, suffix = _absorb(parts, fraction, suffix)
    if not parts:
        raise WrongValue
    fields, has_seconds = _read_whole(parts[0], fraction) if len(parts) == 1 else _read_parts(parts)
    if len(parts[0]) <= 2 and (any(fields) or fraction):
        fields[0] = adjust_year(fields[0])
    microsecond, carries = round_fraction(fraction, fsp) if has_seconds and fraction else (0, False)
    civil = _to_civil(fields, microsecond)
    if carries:
        civil = _add_second(civil, zone)
    if suffix is NO_ZONE:
        return civil
    if not has_seconds:
        raise WrongValue
    return _convert(civil, suffix, zone)


def _absorb(parts: list[bytes], fraction: bytes, suffix: ZoneSuffix) -> tuple[list[bytes], bytes, ZoneSuffix]:
    """Give back to the date what only looked like a fraction or a zone: neither can follow an unfinished time."""

    def is_open() -> bool:
        return len(parts) <= 5 and not (len(parts) == 1 and len(parts[0]) > 4)

    if fraction and is_open():
        parts, fraction = [*parts, fraction], b""
    if suffix.sign and is_open() and not (suffix.minutes and not suffix.separator):
        parts = [*parts, *(part for part in (suffix.hours, suffix.minutes) if part)]
        suffix = NO_ZONE
    return parts, fraction, suffix


def _to_civil(fields: list[int], microsecond: int) -> Civil:
    values = [*fields, *[0] * (6 - len(fields)), microsecond]
    if any(value >> bits for value, bits in zip(values, FIELD_BITS, strict=True)):
        raise WrongValue
    return Civil(*values)


def _add_second(civil: Civil, zone: Zone) -> Civil:
    """Carry a rounded fraction by the clock of the session's zone, which may jump there."""
    instant = zone.to_instant(civil) if is_calendar(civil) else None
    if instant is None:
        raise WrongValue
    return zone.to_local(instant + 1)


def _convert(civil: Civil, suffix: ZoneSuffix, zone: Zone) -> Civil:
    hours, minutes = int(suffix.hours or b"0"), int(suffix.minutes or b"0")
    is_negative_zero = suffix.sign == b"-" and hours == 0 and minutes == 0
    if hours * 60 + minutes > 14 * 60 or minutes > 59 or is_negative_zero or not is_calendar(civil):
        raise WrongValue
    offset = (hours * 60 + minutes) * 60
    instant = to_seconds(civil) - (-offset if suffix.sign == b"-" else offset)
    return zone.to_local(instant, civil.microsecond)
