"""DATE, DATETIME, TIMESTAMP and TIME: spellings, rounding, zones and their gaps, zero dates under every sql_mode."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_lightning.conflicts.canonical import Altered, Canonical, NotReproducible
from safe_lightning.conflicts.canonicaliser import canonicalise
from safe_lightning.conflicts.zones import Civil, Zone, from_seconds, is_calendar, to_seconds
from safe_lightning.core.columns import Backend, ColumnType, KeyMode, split_sql_mode

DATE = ColumnType("date")
DATETIME = ColumnType("datetime")
TIMESTAMP = ColumnType("timestamp")
TIME = ColumnType("time")
STRICT = "STRICT_TRANS_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE"


def cast(
    column: ColumnType, text: str, sql_mode: str = "", zone: str = "UTC", backend: Backend = Backend.LOGICAL
) -> Canonical:
    mode = KeyMode(split_sql_mode(sql_mode), time_zone=zone, backend=backend)
    return canonicalise(column, mode)(text.encode())


def with_fsp(column: ColumnType, fsp: int) -> ColumnType:
    return ColumnType(column.name, fsp=fsp)


SAME = """
2024-01-02 03:04:05
2024-1-2 3:4:5
2024/01/02T03.04.05
2024^01^02 03*04*05
20240102030405
240102030405
2024-01-02 -03:04:05
2024-01-02 03:04:05.
2024-01-02 03:04:05.4999999
2024-01-02 03:04:05abc
2024-01-02 03:04:05Z
2024-01-02 11:04:05+08:00
2024-01-01 22:04:05-0500
2024-01-02 03:04:05 00:00:00
2024--01--02  03::04::05
""".strip().splitlines()


@pytest.mark.parametrize("text", [*SAME, "  2024-01-02 03:04:05\t", "\u00a02024-01-02 03:04:05\u00a0"])
@pytest.mark.parametrize("column", [DATETIME, TIMESTAMP])
def test_spellings_of_one_moment(column: ColumnType, text: str) -> None:
    result = cast(column, text, STRICT)
    assert result.key == b"2024-01-02 03:04:05"


PARTS = [
    ("2024-01-02", "2024-01-02 00:00:00"),
    ("20240102", "2024-01-02 00:00:00"),
    ("240102", "2024-01-02 00:00:00"),
    ("24012", "2024-01-02 00:00:00"),
    ("20240102.5", "2024-01-02 05:00:00"),
    ("20240102.123456", "2024-01-02 12:34:56"),
    ("2401020304", "2024-01-02 03:04:00"),
    ("2401020304.5", "2024-01-02 03:04:05"),
    ("2024-01-02 03", "2024-01-02 03:00:00"),
    ("2024-01-02 03:04", "2024-01-02 03:04:00"),
    ("69-1-1", "2069-01-01 00:00:00"),
    ("70-1-1", "1970-01-01 00:00:00"),
    ("2024-01-02 23:59:59.5", "2024-01-03 00:00:00"),
    ("9999-12-31 23:59:59", "9999-12-31 23:59:59"),
    ("0000-01-01 23:59:59.9", "0000-01-02 00:00:00"),
]


@pytest.mark.parametrize(("text", "stored"), PARTS)
def test_what_is_missing_or_left_over_in_a_datetime(text: str, stored: str) -> None:
    assert cast(DATETIME, text, STRICT).stored == stored.encode()


BAD = [
    "",
    "0",
    "abc",
    "2024-13-01",
    "2024-02-30",
    "2023-02-29",
    "2024-01-02 24:00:00",
    "2024-01-02 03:60:05",
    "10000-01-01 00:00:00",
    "9999-12-31 23:59:59.9",
    "9999-12-31 23:59:59-01:00",
    "0000-01-01 00:00:00+01:00",
    "12024-01-02 03:04:05Z",
    "15991-09-15 01:30:00.9",
    "20240102T030405",
    "2024-01-02t03:04:05",
    "2024-01-02 03:04:05-00:00",
    "2024-01-02 03:04:05+14:01",
    "2024-01-02\u00a003:04:05",
]


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_date_becomes_the_zero_date_or_is_refused(text: str) -> None:
    lenient = cast(DATETIME, text)
    assert (lenient.stored, lenient.altered) == (b"0000-00-00 00:00:00", Altered.ZEROED)
    assert cast(DATETIME, text, STRICT).refused == 1292


def test_a_date_rounds_before_the_time_is_dropped() -> None:
    assert cast(DATE, "2024-01-02 23:59:59.9", STRICT).stored == b"2024-01-03"
    assert cast(DATE, "2024-01-02 23:59:59.4", STRICT).stored == b"2024-01-02"


ZERO_PARTS = [
    ("2024-00-10", "", "2024-00-10"),
    ("2024-00-10", "NO_ZERO_IN_DATE", "0000-00-00"),
    ("2024-00-10", "STRICT_TRANS_TABLES", "2024-00-10"),
    ("2024-00-10", "STRICT_TRANS_TABLES,NO_ZERO_IN_DATE", None),
    ("0000-00-00", "STRICT_TRANS_TABLES", "0000-00-00"),
    ("0000-00-00", "NO_ZERO_DATE", "0000-00-00"),
    ("0000-00-00", "STRICT_TRANS_TABLES,NO_ZERO_DATE", None),
    ("2024-02-31", "ALLOW_INVALID_DATES", "2024-02-31"),
    ("2024-02-31", "STRICT_ALL_TABLES,ALLOW_INVALID_DATES", "2024-02-31"),
    ("2024-02-31", "STRICT_TRANS_TABLES", None),
    ("2024-01-0x", "STRICT_TRANS_TABLES", "0000-00-00"),
    ("2024-01-0x", STRICT, None),
]


@pytest.mark.parametrize(("text", "sql_mode", "stored"), ZERO_PARTS)
def test_zero_parts_and_invalid_days_depend_on_sql_mode(text: str, sql_mode: str, stored: str | None) -> None:
    result = cast(DATE, text, sql_mode)
    assert result.stored == (None if stored is None else stored.encode())
    assert result.refused == (1292 if stored is None else 0)


@pytest.mark.parametrize("text", ["2024-00-10 00:00:00", "1970-01-01 00:00:00", "2038-01-19 03:14:08", "2024-02-30"])
def test_a_timestamp_takes_neither_zero_parts_nor_other_years(text: str) -> None:
    assert cast(TIMESTAMP, text, "ALLOW_INVALID_DATES").stored == b"0000-00-00 00:00:00"
    assert cast(TIMESTAMP, text, "STRICT_TRANS_TABLES,ALLOW_INVALID_DATES").refused == 1292


def test_the_range_of_a_timestamp_is_in_utc() -> None:
    assert cast(TIMESTAMP, "1970-01-01 08:00:01", STRICT, "+08:00").stored == b"1970-01-01 08:00:01"
    assert cast(TIMESTAMP, "1970-01-01 08:00:00", STRICT, "+08:00").refused == 1292


NEW_YORK = "America/New_York"
GAPS = [
    (NEW_YORK, "2024-03-10 02:30:00", "2024-03-10 03:00:00"),
    ("Europe/Berlin", "2024-03-31 02:00:00", "2024-03-31 03:00:00"),
    ("Europe/Berlin", "2024-04-00 02:30:00", "2024-03-31 03:00:00"),
    (NEW_YORK, "2024-03-09 26:30:00", "2024-03-10 03:00:00"),
]


@pytest.mark.parametrize(("zone", "text", "stored"), GAPS)
def test_a_skipped_time_moves_to_the_end_of_the_gap_on_a_server_only(zone: str, text: str, stored: str) -> None:
    moved = cast(TIMESTAMP, text, zone=zone)
    assert (moved.stored, moved.altered) == (stored.encode(), Altered.MOVED)
    assert cast(TIMESTAMP, text, STRICT, zone).refused == 1292
    assert cast(TIMESTAMP, text, zone=zone, backend=Backend.PHYSICAL).refused == 8179
    assert cast(DATETIME, text, zone="UTC", sql_mode=STRICT).altered == Altered.NOTHING


def test_a_whole_skipped_day_is_too_far_from_its_end() -> None:
    assert cast(TIMESTAMP, "2011-12-30 12:00:00", zone="Pacific/Apia").stored == b"0000-00-00 00:00:00"


ROUNDED_IN_A_ZONE = [
    (NEW_YORK, "2024-03-10 01:59:59.5", "2024-03-10 03:00:00"),
    (NEW_YORK, "2024-03-10 02:59:59.5", "0000-00-00 00:00:00"),
    (NEW_YORK, "2024-11-03 01:59:59.5", "2024-11-03 01:00:00"),
    ("Europe/Berlin", "2024-10-27 02:59:59.9999", "2024-10-27 03:00:00"),
    ("UTC", "2024-03-10 01:59:59.5", "2024-03-10 02:00:00"),
]


@pytest.mark.parametrize(("zone", "text", "stored"), ROUNDED_IN_A_ZONE)
def test_a_rounded_second_is_carried_by_the_clock_of_the_zone(zone: str, text: str, stored: str) -> None:
    assert cast(DATETIME, text, zone=zone).stored == stored.encode()


@pytest.mark.parametrize("text", ["12024-01-02 03:04:05Z", "15991-09-15 01:30:00.9", "0000-01-01 00:00:00+01:00"])
@pytest.mark.parametrize("column", [DATETIME, TIMESTAMP])
def test_years_beyond_every_clock(column: ColumnType, text: str) -> None:
    assert cast(column, text, zone=NEW_YORK).stored == b"0000-00-00 00:00:00"


def test_both_offsets_of_a_doubled_hour_are_one_key() -> None:
    texts = ["2024-11-03 01:30:00", "2024-11-03 01:30:00-04:00", "2024-11-03 01:30:00-05:00"]
    assert len({cast(TIMESTAMP, text, zone=NEW_YORK).key for text in texts}) == 1


@pytest.mark.parametrize("zone", ["SYSTEM", "Mars/Olympus", "../etc/passwd", "", "+99:00"])
def test_an_unknown_zone_is_not_guessed(zone: str) -> None:
    with pytest.raises(NotReproducible):
        cast(TIMESTAMP, "2024-01-01", zone=zone)


SPANS = [
    ("12", "00:00:12", 0),
    ("1112", "00:11:12", 0),
    ("10:11", "10:11:00", 0),
    ("1 2", "26:00:00", 0),
    ("1 2:3:4", "26:03:04", 0),
    ("- 1:2:3", "-01:02:03", 0),
    ("10 : 11 : 12", "10:11:12", 0),
    ("10:11:12.5", "10:11:13", 0),
    ("-10:11:12.5", "-10:11:13", 0),
    ("23:59:59.9", "24:00:00", 0),
    ("838:59:59.9", "838:59:59", 1292),
    ("900:00:00", "838:59:59", 1292),
    ("-900:00:00", "-838:59:59", 1292),
    ("20240102", "838:59:59", 1292),
    ("10:60:00", "00:00:00", 1292),
    ("106000", "00:00:00", 1292),
    ("10:11:12abc", "10:11:12", 1292),
    ("10:", "00:00:10", 1292),
    ("23:00:59 x", "00:00:00", 1292),
    ("10:11:12.3456789 x", "00:00:00", 1292),
    ("2024-01-02", "00:20:24", 1292),
    ("2024-01-02 03:04:05.6", "03:04:06", 0),
    ("20240102030405", "03:04:05", 0),
    ("240102030405", "03:04:05", 0),
    ("2024-02-30 03:04:05", "00:00:00", 1292),
    ("", "00:00:00", 1292),
    ("abc", "00:00:00", 1292),
    ("99999999999999999999", "00:00:00", 1292),
]


@pytest.mark.parametrize(("text", "stored", "code"), SPANS)
def test_spans(text: str, stored: str, code: int) -> None:
    assert cast(TIME, text).stored == stored.encode()
    assert cast(TIME, text, STRICT).refused == code


MOMENTS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 58))


@given(moment=MOMENTS, fsp=st.integers(0, 6))
def test_every_moment_is_its_own_spelling(moment: datetime, fsp: int) -> None:
    unit = 10 ** (6 - fsp)
    moment = moment.replace(microsecond=moment.microsecond // unit * unit)
    text = f"{moment:%H:%M:%S}.{moment.microsecond:06d}"[: 9 + fsp].rstrip(".")
    text = f"{moment.year:04d}-{moment:%m-%d} {text}"
    result = cast(with_fsp(DATETIME, fsp), text, STRICT)
    assert result.key == result.stored == text.encode()


@given(moment=MOMENTS, fsp=st.integers(0, 5))
def test_a_datetime_rounds_half_up_looking_at_one_digit(moment: datetime, fsp: int) -> None:
    unit = 10 ** (6 - fsp)
    up = moment.microsecond % unit >= unit // 2
    expected = moment + timedelta(microseconds=(unit if up else 0) - moment.microsecond % unit)
    text = f"{moment.year:04d}-{moment:%m-%d %H:%M:%S}.{moment.microsecond:06d}"
    stored = f"{expected.year:04d}-{expected:%m-%d %H:%M:%S}.{expected.microsecond:06d}"
    assert cast(with_fsp(DATETIME, fsp), text, STRICT).stored == stored[: 20 + fsp].rstrip(".").encode()


ZONES = ["America/New_York", "Europe/Berlin", "Asia/Shanghai", "Australia/Lord_Howe", "Pacific/Apia", "+05:30", "UTC"]


@pytest.mark.parametrize("name", ZONES)
@given(local=st.datetimes(datetime(1971, 1, 1), datetime(2037, 12, 31)))
def test_zones_agree_with_the_tz_database(name: str, local: datetime) -> None:
    zone = Zone(name)
    local = local.replace(microsecond=0)
    civil = Civil(*local.timetuple()[:6])
    instants = set()
    if "/" in name:
        for fold in (0, 1):
            moment = local.replace(tzinfo=ZoneInfo(name), fold=fold)
            instant = int(moment.timestamp())
            if datetime.fromtimestamp(instant, ZoneInfo(name)).replace(tzinfo=None) == local:
                instants.add(instant)
        assert zone.to_instant(civil) in (instants or {None})
    if (instant := zone.to_instant(civil)) is not None:
        assert zone.to_local(instant) == civil


@given(seconds=st.integers(-62_167_219_200, 253_402_300_799))
def test_the_calendar_counts_back_and_forth(seconds: int) -> None:
    civil = from_seconds(seconds)
    assert is_calendar(civil)
    assert to_seconds(civil) == seconds


@given(microseconds=st.integers(-(838 * 3600 + 59 * 60 + 59) * 10**6, (838 * 3600 + 59 * 60 + 59) * 10**6))
def test_every_span_is_its_own_spelling(microseconds: int) -> None:
    seconds, fraction = divmod(abs(microseconds), 10**6)
    sign = "-" if microseconds < 0 else ""
    text = f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{fraction:06d}"
    assert cast(with_fsp(TIME, 6), text, STRICT).key == text.encode()


@pytest.mark.parametrize("zone", [NEW_YORK, "Europe/Berlin", "Australia/Lord_Howe", "+05:30"])
@given(moment=st.datetimes(datetime(1965, 1, 1), datetime(2045, 1, 1)), column=st.sampled_from([DATETIME, TIMESTAMP]))
def test_the_usual_spelling_takes_no_short_cut_that_shows(zone: str, moment: datetime, column: ColumnType) -> None:
    text = f"{moment:%Y-%m-%d %H:%M:%S}"
    assert cast(column, text, zone=zone) == cast(column, f" {text}", zone=zone)
    assert cast(column, text, STRICT, zone) == cast(column, f"{text}.", STRICT, zone)
