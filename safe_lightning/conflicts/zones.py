"""Time zones as TiDB uses them: which instant a local time is, where local times are skipped or come twice.

Source: Go's `time.Date` and `pkg/types/core_time.go` (`GoTime`, `AdjustedGoTime`). The rules of the
zones come from the machine's tz database, or from the `tzdata` package where the machine has none.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from safe_lightning.conflicts.canonical import NotReproducible

DAY_SECONDS = 86_400
CYCLE_SECONDS = 146_097 * DAY_SECONDS
"""400 years, after which the calendar repeats; Python's clock ends where TiDB's DATETIME still needs a zone."""
NEAR_SECONDS = 4 * 3600
"""How far from a transition TiDB takes a local time that does not exist for one that the transition skipped."""

CLOCK = (-62_000_000_000, 250_000_000_000)
"""Instants of which Python's clock can tell the local time in every zone."""
YEARS = 1 << 14
"""TiDB keeps fourteen bits of a year."""

_EPOCH = datetime(1970, 1, 1)
_OFFSET = re.compile(r"([+-])(\d{1,2}):(\d{2})")


class Civil(NamedTuple):
    """A date and time of day as written: any field may hold what no calendar has, such as month 0."""

    year: int
    month: int
    day: int
    hour: int = 0
    minute: int = 0
    second: int = 0
    microsecond: int = 0

    @property
    def is_zero(self) -> bool:
        """Tell whether it is TiDB's zero date with the time 00:00:00."""
        return not any(self)


ZERO_CIVIL = Civil(0, 0, 0)
DAYS = (0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def is_leap(year: int) -> bool:
    """Tell whether a year of the Gregorian calendar has a 29 February; year 0 has."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def days_in_month(year: int, month: int) -> int:
    """Return the length of a month, 1 to 12."""
    return 29 if month == 2 and is_leap(year) else DAYS[month]


def is_calendar(civil: Civil) -> bool:
    """Tell whether date and time of day exist."""
    return (
        1 <= civil.month <= 12
        and 1 <= civil.day <= days_in_month(civil.year, civil.month)
        and civil.hour < 24
        and civil.minute < 60
        and civil.second < 60
    )


def to_seconds(civil: Civil) -> int:
    """Count the seconds from 1970-01-01 00:00:00 to a date and time, as if it were UTC; any year.

    What no calendar has is counted on: month 0 is the December before, day 0 the last of the month before, hour 25
    is 01:00 on the next day.
    """
    years, month = divmod(civil.month - 1, 12)
    cycles, year = divmod(civil.year + years, 400)
    days = (datetime(2000 + year, month + 1, 1) - _EPOCH).days + civil.day - 1
    of_day = civil.hour * 3600 + civil.minute * 60 + civil.second
    return (cycles - 5) * CYCLE_SECONDS + days * DAY_SECONDS + of_day


def from_seconds(seconds: int, microsecond: int = 0) -> Civil:
    """Return the date and time that many seconds after 1970-01-01 00:00:00, the year as TiDB keeps it."""
    cycles, rest = divmod(seconds - 946_684_800, CYCLE_SECONDS)
    moment = datetime(2000, 1, 1) + timedelta(seconds=rest)
    year = (moment.year + cycles * 400) % YEARS
    return Civil(year, moment.month, moment.day, moment.hour, moment.minute, moment.second, microsecond)


class _Rule(NamedTuple):
    offset_seconds: int
    is_dst: bool
    name: str


class Zone:
    """A time zone by its name or offset.

    Raises `NotReproducible` if the name is unknown here, or `SYSTEM`, which means the zone of another machine.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._tz = _open(name)
        self._fixed = None if isinstance(self._tz, ZoneInfo) else self._rule(0).offset_seconds
        self._calm: dict[int, int | None] = {}

    def to_instant(self, civil: Civil) -> int | None:
        """Return the instant of an existing local date and time in Unix seconds, None if the zone skips that time.

        Of a local time that comes twice Go takes the one whose offset holds where the local time would be UTC: the
        first west of Greenwich, the second east of it.
        """
        local = to_seconds(civil)
        calm = self._calm_offset(local)
        if calm is not None:
            return local - calm
        offset = self._rule(local - self._rule(local).offset_seconds).offset_seconds
        instant = local - offset
        return instant if self._rule(instant).offset_seconds == offset else None

    def is_calm(self, civil: Civil) -> bool:
        """Tell whether no transition is near an existing date, so that its local times all exist once."""
        return self._calm_offset(to_seconds(civil)) is not None

    def to_local(self, instant: int, microsecond: int = 0) -> Civil:
        """Return the local date and time of an instant."""
        offset = self._rule(instant).offset_seconds if self._fixed is None else self._fixed
        return from_seconds(instant + offset, microsecond)

    def nearest_transition(self, local: int) -> Civil | None:
        """Return the local time right after the nearest change of offset within four hours, None if there is none.

        `local` counts a local time as if it were UTC; it may be one that the zone skips.
        """
        if self._fixed is not None:
            return None
        moment = local - self._rule(local - self._rule(local).offset_seconds).offset_seconds
        rule = self._rule(moment)
        before, after = moment - NEAR_SECONDS - 1, moment + NEAR_SECONDS
        starts = [self._transition(before, moment)] if self._rule(before) != rule else []
        ends = [self._transition(moment, after)] if self._rule(after) != rule else []
        nearest = min(starts + ends, key=lambda instant: abs(instant - moment), default=None)
        return None if nearest is None else self.to_local(nearest)

    def _transition(self, before: int, after: int) -> int:
        """Return the first second of the rule that holds at `after`, another than the one at `before`."""
        rule = self._rule(after)
        while after - before > 1:
            middle = (before + after) // 2
            if self._rule(middle) == rule:
                after = middle
            else:
                before = middle
        return after

    def _calm_offset(self, local: int) -> int | None:
        """Return the offset of a day with no transition within a day and a half around it, else None."""
        if self._fixed is not None:
            return self._fixed
        day = local // DAY_SECONDS
        if day not in self._calm:
            probes = range((day - 2) * DAY_SECONDS, (day + 3) * DAY_SECONDS, DAY_SECONDS // 4)
            rules = {self._rule(probe) for probe in probes}
            if len(self._calm) > 100_000:
                self._calm.clear()
            self._calm[day] = rules.pop().offset_seconds if len(rules) == 1 else None
        return self._calm[day]

    def _rule(self, instant: int) -> _Rule:
        moment = datetime.fromtimestamp(_within_clock(instant), self._tz)
        offset = moment.utcoffset()
        assert offset is not None
        return _Rule(offset // timedelta(seconds=1), bool(moment.dst()), moment.tzname() or "")


def _within_clock(instant: int) -> int:
    """Move an instant by whole cycles of the calendar into the years 1 to 9999, if it is outside of them."""
    first, last = CLOCK
    if first <= instant <= last:
        return instant
    return instant % CYCLE_SECONDS + (
        CYCLE_SECONDS * (last // CYCLE_SECONDS - 1) if instant > last else -CYCLE_SECONDS * 4
    )


def _open(name: str) -> tzinfo:
    if name.upper() == "SYSTEM":
        raise NotReproducible("the time zone is SYSTEM, which depends on the machine that casts the values")
    if name.upper() == "UTC":
        return UTC
    match = _OFFSET.fullmatch(name)
    try:
        return _offset(match) if match else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise NotReproducible(f"the time zone {name} is not in the tz database of this machine") from error


def _offset(match: re.Match[str]) -> tzinfo:
    offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return timezone(-offset if match[1] == "-" else offset)
