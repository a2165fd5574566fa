"""TIME columns: spans of up to 838:59:59.

Source: `pkg/types/time.go` (`ParseDuration`, `matchDuration`, `canFallbackToDateTime`).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from safe_lightning.conflicts.canonical import WRONG_VALUE, Altered, Canonical, Cast, refusal
from safe_lightning.conflicts.datetime_text import (
    Unreadable,
    WrongValue,
    fraction_digits,
    parse_datetime,
    round_fraction,
)
from safe_lightning.conflicts.datetimes import DateRules, date_rules, is_datetime
from safe_lightning.conflicts.number_text import trim_space
from safe_lightning.conflicts.zones import Zone
from safe_lightning.core.columns import ColumnType, KeyMode

HOURS_MOST = 838
MICROSECONDS = 1_000_000
NANOSECONDS = 1_000_000_000
DURATION_MOST = (HOURS_MOST * 3600 + 59 * 60 + 59) * MICROSECONDS
LONG_TEXT = 12
"""From this many characters on, a text with garbage at its end is no span at all."""

_SPACE = rb"[\t\n\v\f\r \x85\xa0]"
_COLON = re.compile(_SPACE + rb"*:" + _SPACE + rb"*")
_GAP = re.compile(_SPACE + rb"+")
_DIGITS = re.compile(rb"[0-9]+")
_FRACTION = re.compile(_SPACE + rb"*(?:\.([0-9]*))?")
_SIGN = re.compile(rb"(-?)" + _SPACE + rb"*")
_PUNCTUATION = rb"[!\"#%&'()*,\-./:;?@\[\\\]_{}\xa1\xa7\xab\xb6\xb7\xbb\xbf]"
_DATE_LIKE = re.compile(
    rb"(?:[0-9]{12}|[0-9]{14})(?![0-9])|[0-9]+" + _PUNCTUATION + rb"[0-9]+" + _PUNCTUATION + rb"[0-9]+[ T]"
)
_PLAIN = re.compile(rb"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?")


class _Bad(Exception):
    """The text is no span of time; what TiDB would store nevertheless comes with it."""

    def __init__(self, microseconds: int = 0, altered: Altered = Altered.ZEROED) -> None:
        super().__init__()
        self.microseconds = microseconds
        self.altered = altered


def time_cast(column: ColumnType, mode: KeyMode) -> Cast:
    """Make the cast of a TIME column; the key is the span as the server prints it."""
    fsp, strict, zone, rules = column.fsp, mode.strict, Zone(mode.time_zone), date_rules(mode)
    plain_size = 9 + fsp if fsp else 8

    def cast(field: bytes) -> Canonical:
        if len(field) == plain_size and _PLAIN.fullmatch(field):
            return Canonical(field, field)
        text = trim_space(field)
        altered = Altered.NOTHING
        try:
            microseconds = _read_span(text, fsp)
        except _Bad as error:
            bad = error
            if _DATE_LIKE.match(text):
                found = _read_clock_of_date(text, fsp, zone, rules)
                bad = _Bad() if found is None else _Bad(found, Altered.NOTHING)
            if strict and bad.altered:
                return refusal(WRONG_VALUE)
            microseconds, altered = bad.microseconds, bad.altered
        printed = print_span(microseconds, fsp)
        return Canonical(printed, printed, altered)

    return cast


class _Clock(NamedTuple):
    hours: int
    minutes: int
    seconds: int
    end: int


def _read_span(text: bytes, fsp: int) -> int:
    """Read a span in microseconds, rounded at a precision; `_Bad` tells what a text that is none would become."""
    sign = _SIGN.match(text)
    assert sign is not None
    clock = _read_days(text, sign.end()) or _read_clock(text, sign.end(), needs_colon=True)
    clock = clock or _read_compact(text, sign.end())
    if clock is None:
        raise _Bad
    fraction = _FRACTION.match(text, clock.end)
    assert fraction is not None
    has_garbage = fraction.end() < len(text)
    if has_garbage and len(text) - sign.end() >= LONG_TEXT:
        raise _Bad
    span = _add_up(clock, fraction[1] or b"", fsp)
    if span > DURATION_MOST or span < -DURATION_MOST:
        most = DURATION_MOST if span > 0 else -DURATION_MOST
        raise _Bad(-most if sign[1] else most, Altered.CLAMPED)
    span = -span if sign[1] else span
    if has_garbage:
        raise _Bad(span, Altered.CUT)
    return span


def _add_up(clock: _Clock, fraction: bytes, fsp: int) -> int:
    hours, minutes, seconds = clock.hours, clock.minutes, clock.seconds
    microseconds, carries = round_fraction(fraction, fsp)
    if carries:
        minutes, seconds = (minutes, seconds + 1) if seconds != 59 else (minutes + 1, 0)
        hours, minutes = (hours, minutes) if minutes != 60 else (hours + 1, 0)
    if minutes > 59 or seconds > 59:
        raise _Bad
    if hours > HOURS_MOST:
        return DURATION_MOST + 1
    return int(_wrap(_wrap(hours * 3600 + minutes * 60 + seconds) * NANOSECONDS) / 1000) + microseconds


def _wrap(value: int) -> int:
    """Count as a machine word of 64 bits does."""
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)


def _read_number(text: bytes, start: int) -> tuple[int, int] | None:
    """Read digits; None if there are none or more than a machine word holds."""
    match = _DIGITS.match(text, start)
    if match is None:
        return None
    digits = match[0].lstrip(b"0")
    value = int(digits or b"0") if len(digits) < 20 else 1 << 63
    return None if value >> 63 else (value, match.end())


def _read_days(text: bytes, start: int) -> _Clock | None:
    """Read `D h`, `D h:m` or `D h:m:s`."""
    days = _read_number(text, start)
    gap = _GAP.match(text, days[1]) if days else None
    clock = _read_clock(text, gap.end(), needs_colon=False) if gap else None
    return clock._replace(hours=_wrap(clock.hours + _wrap(24 * days[0]))) if days and clock else None


def _read_clock(text: bytes, start: int, *, needs_colon: bool) -> _Clock | None:
    """Read `h`, `h:m` or `h:m:s`; a colon without a number behind it spoils the whole."""
    first = _read_number(text, start)
    if first is None:
        return None
    numbers, end = [first[0], 0, 0], first[1]
    for index in (1, 2):
        colon = _COLON.match(text, end)
        if colon is None:
            return None if index == 1 and needs_colon else _Clock(numbers[0], numbers[1], numbers[2], end)
        number = _read_number(text, colon.end())
        if number is None:
            return None
        numbers[index], end = number
    return _Clock(numbers[0], numbers[1], numbers[2], end)


def _read_compact(text: bytes, start: int) -> _Clock | None:
    """Read `hhmmss`, as many digits as there are."""
    number = _read_number(text, start)
    if number is None:
        return None
    value, end = number
    return _Clock(value // 10_000, value // 100 % 100, value % 100, end)


def _read_clock_of_date(text: bytes, fsp: int, zone: Zone, rules: DateRules) -> int | None:
    """Read a date and time and take its time of day, rounded half up at a precision."""
    try:
        civil = parse_datetime(text, fraction_digits(text), zone)
    except (WrongValue, Unreadable):
        return None
    if not is_datetime(civil, rules):
        return None
    seconds = civil.hour * 3600 + civil.minute * 60 + civil.second
    unit: int = 10 ** (6 - fsp)
    return (seconds * MICROSECONDS + civil.microsecond + unit // 2) // unit * unit


def print_span(microseconds: int, fsp: int) -> bytes:
    """Return the server's text of a span."""
    seconds, fraction = divmod(abs(microseconds), MICROSECONDS)
    text = b"%02d:%02d:%02d" % (seconds // 3600, seconds // 60 % 60, seconds % 60)
    if fsp:
        text += (b".%06d" % fraction)[: 1 + fsp]
    return b"-" + text if microseconds < 0 else text
