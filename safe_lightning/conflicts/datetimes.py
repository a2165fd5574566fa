"""DATE, DATETIME and TIMESTAMP columns.

Source: `pkg/types/core_time.go` and `time.go` (`Check`), `pkg/table/column.go` (`handleZeroDatetime`), v8.5.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from safe_lightning.conflicts.canonical import IN_DST_GAP, WRONG_VALUE, Altered, Canonical, Cast, refusal
from safe_lightning.conflicts.datetime_text import FIELD_BITS, Unreadable, WrongValue, parse_datetime
from safe_lightning.conflicts.zones import ZERO_CIVIL, Civil, Zone, days_in_month, is_calendar, to_seconds
from safe_lightning.core.columns import Backend, ColumnType, KeyMode

TIMESTAMPS = (1, (1 << 31) - 1)
YEAR_MOST = 9999
NUMBER_FORMS = (
    (101, 691_231, 20_000_000, 1_000_000),
    (700_101, 991_231, 19_000_000, 1_000_000),
    (991_232, 99_991_231, 0, 1_000_000),
    (101_000_000, 691_231_235_959, 20_000_000_000_000, 1),
    (700_101_000_000, 991_231_235_959, 19_000_000_000_000, 1),
    (991_231_235_960, (1 << 63) - 1, 0, 1),
)
"""YYMMDD (20xx, 19xx), YYYYMMDD, the same with hhmmss: lowest and highest number, what completes it to 14 digits."""

_PLAIN = re.compile(
    rb"(?:[1-9][0-9]{3})-(?:0[13578]-3[01]|1[02]-3[01]|(?:0[469]|11)-30|(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8]))"
    rb"(?: (?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?)?"
)
"""A date of the calendar (29 February aside) as the server prints it: a zone suffix or another spelling is longer."""


class DateRules(NamedTuple):
    """What the flags of sql_mode say about dates."""

    strict: bool
    no_zero_date: bool
    no_zero_in_date: bool
    allow_invalid: bool

    @property
    def parse_zero_parts(self) -> bool:
        """Tell whether a text with month or day 00 is read at all."""
        return not (self.strict and self.no_zero_date and self.no_zero_in_date) or self.allow_invalid


def date_rules(mode: KeyMode) -> DateRules:
    """Read the flags of a mode."""
    return DateRules(
        mode.strict, mode.has("NO_ZERO_DATE"), mode.has("NO_ZERO_IN_DATE"), mode.has("ALLOW_INVALID_DATES")
    )


def date_cast(column: ColumnType, mode: KeyMode) -> Cast:
    """Make the cast of a DATE, DATETIME or TIMESTAMP column.

    The key is the value as the server prints it in the session's zone. Of a TIMESTAMP that is as good as the stored
    UTC time: a local time that comes twice always means the same of the two.
    """
    rules, zone, fsp = date_rules(mode), Zone(mode.time_zone), column.fsp
    finish = _timestamp_finish(zone, rules, mode.backend) if column.name == "timestamp" else _date_finish(rules)
    plain = _plain_test(column)
    plain = _plain_timestamp_test(plain, zone) if column.name == "timestamp" else plain

    def cast(field: bytes) -> Canonical:
        if plain(field):
            return Canonical(field, field)
        try:
            civil = parse_datetime(field, fsp, zone)
        except WrongValue:
            return _zero(column, rules, is_wrong=True)
        except Unreadable:
            return _zero(column, rules, is_wrong=False)
        return finish(civil, column)

    return cast


def number_cast(column: ColumnType, mode: KeyMode) -> Callable[[int], Canonical]:
    """Make the cast of an integer that is no text; a time that the zone skips becomes the zero date then."""
    rules, zone = date_rules(mode), Zone(mode.time_zone)
    is_timestamp = column.name == "timestamp"
    finish = _timestamp_finish(zone, rules, Backend.PHYSICAL) if is_timestamp else _date_finish(rules)

    def cast(value: int) -> Canonical:
        civil = civil_of_number(value)
        if civil is None:
            return _zero(column, rules, is_wrong=True)
        result = finish(civil, column)
        return _zero(column, rules, is_wrong=False) if result.refused == IN_DST_GAP else result

    return cast


def civil_of_number(value: int) -> Civil | None:
    """Take a number apart by its size, as MySQL's `number_to_datetime` does; None for a number that is no date."""
    if value == 0:
        return ZERO_CIVIL
    for low, high, addend, scale in NUMBER_FORMS:
        if low <= value <= high:
            date, of_day = divmod((value + addend) * scale, 1_000_000)
            clock = (of_day // 10_000, of_day // 100 % 100, of_day % 100)
            civil = Civil(date // 10_000, date // 100 % 100, date % 100, *clock)
            return civil if all(not part >> bits for part, bits in zip(civil, FIELD_BITS, strict=True)) else None
    return None


def _plain_test(column: ColumnType) -> Callable[[bytes], bool]:
    """Make the test for a text that is printed the same way; the size decides what of the pattern may match."""
    size = 10 if column.name == "date" else 19 if column.fsp == 0 else 20 + column.fsp
    match = _PLAIN.fullmatch
    return lambda field: len(field) == size and match(field) is not None


def _plain_timestamp_test(plain: Callable[[bytes], bool], zone: Zone) -> Callable[[bytes], bool]:
    """Narrow the test to years that are within the range in every zone, and to days without a transition."""
    calm: dict[bytes, bool] = {}

    def test(field: bytes) -> bool:
        if not plain(field) or not b"1971" <= field[:4] < b"2038":
            return False
        date = field[:10]
        if date not in calm:
            calm[date] = zone.is_calm(Civil(int(date[:4]), int(date[5:7]), int(date[8:])))
        return calm[date]

    return test


def print_civil(civil: Civil, column: ColumnType) -> bytes:
    """Return the server's text of a date (and time) for a column."""
    date = b"%04d-%02d-%02d" % civil[:3]
    if column.name == "date":
        return date
    text = date + b" %02d:%02d:%02d" % civil[3:6]
    return text + (b".%06d" % civil.microsecond)[: 1 + column.fsp] if column.fsp else text


def _accept(civil: Civil, column: ColumnType, altered: Altered = Altered.NOTHING) -> Canonical:
    text = print_civil(civil, column)
    return Canonical(text, text, altered)


def _zero(column: ColumnType, rules: DateRules, *, is_wrong: bool) -> Canonical:
    """Return what becomes of a text that is no date: the zero date, unless strict mode has a word against it."""
    if rules.strict and (is_wrong or rules.no_zero_date):
        return refusal(WRONG_VALUE)
    return _accept(ZERO_CIVIL, column, Altered.ZEROED)


def _date_finish(rules: DateRules) -> Callable[[Civil, ColumnType], Canonical]:
    def finish(civil: Civil, column: ColumnType) -> Canonical:
        if not is_datetime(civil, rules):
            return _zero(column, rules, is_wrong=True)
        if column.name == "date":
            civil = Civil(*civil[:3])
        if civil.is_zero:
            return refusal(WRONG_VALUE) if rules.strict and rules.no_zero_date else _accept(civil, column)
        if (civil.month == 0 or civil.day == 0) and rules.no_zero_in_date:
            return _zero(column, rules, is_wrong=True)
        return _accept(civil, column)

    return finish


def is_datetime(civil: Civil, rules: DateRules) -> bool:
    """Tell whether a DATETIME may hold it, as far as reading it goes: zero parts are judged once more afterwards."""
    if civil.hour > 23 or civil.minute > 59 or civil.second > 59:
        return False
    if civil[:3] == (0, 0, 0):
        return True
    if civil.year > YEAR_MOST or civil.month > 12:
        return False
    if (civil.month == 0 or civil.day == 0) and not rules.parse_zero_parts:
        return False
    month_end = 31 if rules.allow_invalid or civil.month == 0 else days_in_month(civil.year, civil.month)
    return civil.day <= month_end


def _timestamp_finish(zone: Zone, rules: DateRules, backend: Backend) -> Callable[[Civil, ColumnType], Canonical]:
    low, high = (zone.to_local(instant) for instant in TIMESTAMPS)
    last = high._replace(microsecond=999_999)

    def finish(civil: Civil, column: ColumnType) -> Canonical:
        if civil.is_zero:
            return refusal(WRONG_VALUE) if rules.strict and rules.no_zero_date else _accept(civil, column)
        instant = zone.to_instant(civil) if is_calendar(civil) else None
        if instant is not None and TIMESTAMPS[0] <= instant <= TIMESTAMPS[1]:
            return _accept(civil, column)
        nearest = zone.nearest_transition(to_seconds(civil)) if low < civil < last else None
        return _zero(column, rules, is_wrong=True) if nearest is None else _in_gap(nearest, column)

    def _in_gap(nearest: Civil, column: ColumnType) -> Canonical:
        """Take a local time that the zone skips: a server moves it to the end of the gap, Lightning's encoder stops.

        TiDB calls any time so that does not exist, 25:00:00 or day 0 included, if it is near enough to a transition.
        """
        if backend is Backend.PHYSICAL:
            return refusal(IN_DST_GAP)
        return refusal(WRONG_VALUE) if rules.strict else _accept(nearest, column, Altered.MOVED)

    return finish
