import json
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from redstart.mapping.value_paths import ValuePath
from redstart.migrations.data.datetime_conversion import DatetimeConversion, legacy_text
from redstart.migrations.transformation import Classification, Conversion
from redstart.values.lossless_json import parse_json
from redstart.values.timestamps import END_SECOND, FIRST_SECOND, microseconds_from_number, number_text
from redstart.values.timezones import NaiveTimezone
from redstart.values.types import Storage, TemporalKind

HASH, JSON = Storage.HASH, Storage.JSON
DATETIME, DATE = TemporalKind.DATETIME, TemporalKind.DATE
UTC_ZONE, BERLIN = NaiveTimezone.parse("UTC"), NaiveTimezone.parse("Europe/Berlin")
zones = st.sampled_from([UTC_ZONE, BERLIN, NaiveTimezone.parse("Asia/Kolkata"), NaiveTimezone.parse("local")])
storages = st.sampled_from([HASH, JSON])
seconds_in_range = st.floats(FIRST_SECOND, END_SECOND, exclude_max=True)


def written(
    number: str,
    kind: TemporalKind = DATETIME,
    storage: Storage = HASH,
    naive: bool = False,
    zone: NaiveTimezone = UTC_ZONE,
) -> bytes | None:
    return legacy_text(number, kind=kind, storage=storage, naive=naive, naive_timezone=zone)


def convert(text: bytes, kind: TemporalKind, storage: Storage, zone: NaiveTimezone) -> Conversion:
    path = ValuePath(("at",), kind, optional=False)
    if storage is HASH:
        return DatetimeConversion(zone).convert_hash(text, path)
    return DatetimeConversion(zone).convert_json(parse_json(text), path)


@pytest.mark.parametrize(
    ("number", "kind", "storage", "naive", "text"),
    [
        ("1672531200.0", DATE, HASH, False, b"2023-01-01"),
        ("1672531200.0", DATE, HASH, True, b"2023-01-01"),
        ("1672531200", DATE, JSON, False, b'"2023-01-01"'),
        ("1672617599.9", DATE, HASH, False, b"2023-01-01"),
        ("-62135596800", DATE, HASH, False, b"0001-01-01"),
        ("253402214400", DATE, JSON, False, b'"9999-12-31"'),
        ("1672574400.123456", DATETIME, HASH, True, b"2023-01-01T12:00:00.123456"),
        ("1672574400.123456", DATETIME, JSON, True, b'"2023-01-01T12:00:00.123456"'),
        ("1672574400.0", DATETIME, HASH, True, b"2023-01-01T12:00:00"),
        ("1672574400.5", DATETIME, HASH, False, b"2023-01-01T12:00:00.500000+00:00"),
        ("1672574400.5", DATETIME, JSON, False, b'"2023-01-01T12:00:00.500000Z"'),
        ("1672574400", DATETIME, HASH, False, b"2023-01-01T12:00:00+00:00"),
        ("1672574400", DATETIME, JSON, False, b'"2023-01-01T12:00:00Z"'),
        ("1e9", DATETIME, HASH, False, b"2001-09-09T01:46:40+00:00"),
        ("-62135596800", DATETIME, HASH, True, b"0001-01-01T00:00:00"),
    ],
)
def test_the_text_format(number: str, kind: TemporalKind, storage: Storage, naive: bool, text: bytes) -> None:
    assert written(number, kind, storage, naive) == text


@pytest.mark.parametrize("kind", [DATETIME, DATE])
@pytest.mark.parametrize(
    "number", ["nan", "inf", "", "N/A", "253402300800", "-62135596801", "1700000000123456", "1e999"]
)
def test_numbers_without_text_format(number: str, kind: TemporalKind) -> None:
    for storage in Storage:
        for naive in (True, False):
            assert written(number, kind, storage, naive) is None


def test_a_naive_text_is_local_time() -> None:
    assert written("1688205600.0", naive=True, zone=BERLIN) == b"2023-07-01T12:00:00"
    assert written("1688205600.0", naive=False, zone=BERLIN) == b"2023-07-01T10:00:00+00:00"
    assert written("1688169600.0", DATE, naive=True, zone=BERLIN) == b"2023-07-01"


def test_an_hour_that_happened_twice_is_written_with_its_offset() -> None:
    first, second = 1698539400, 1698543000  # 02:30 in summer time and in winter time
    assert written(f"{first}", naive=True, zone=BERLIN) == b"2023-10-29T00:30:00+00:00"
    assert written(f"{second}", DATETIME, JSON, True, BERLIN) == b'"2023-10-29T01:30:00Z"'
    assert written(f"{first - 3600}", naive=True, zone=BERLIN) == b"2023-10-29T01:30:00"
    assert written(f"{second + 3600}", naive=True, zone=BERLIN) == b"2023-10-29T03:30:00"


def test_a_local_year_10000_is_written_in_utc() -> None:
    assert written("253402300799", naive=True, zone=BERLIN) == b"9999-12-31T23:59:59+00:00"


@given(seconds_in_range, storages, st.booleans(), zones)
@example(253402300799.99997, HASH, True, BERLIN)
@example(-62135596800.0, JSON, True, BERLIN)
@example(1698539400.0, HASH, True, BERLIN)
@example(1698543000.0, HASH, True, BERLIN)
@example(-2422054408.5, HASH, True, BERLIN)
def test_converting_the_text_returns_the_number(
    seconds: float, storage: Storage, naive: bool, zone: NaiveTimezone
) -> None:
    number = number_text(microseconds_from_number(repr(seconds)))
    text = written(number, DATETIME, storage, naive, zone)
    assert text is not None
    conversion = convert(text, DATETIME, storage, zone)
    assert conversion.outcome is Classification.CONVERTIBLE
    assert conversion.new == number.encode()


@given(st.dates(), storages, st.booleans(), zones)
def test_converting_the_text_of_a_date_returns_the_number(
    day: date, storage: Storage, naive: bool, zone: NaiveTimezone
) -> None:
    number = repr((day - date(1970, 1, 1)).days * 86_400.0)
    text = written(number, DATE, storage, naive, zone)
    assert text == (f'"{day}"' if storage is JSON else str(day)).encode()
    assert convert(text, DATE, storage, zone).new == number.encode()


@given(seconds_in_range, storages)
def test_an_aware_text_is_read_by_python_as_the_same_instant(seconds: float, storage: Storage) -> None:
    text = written(repr(seconds), storage=storage)
    assert text is not None
    shown = json.loads(text) if storage is JSON else text.decode()
    moment = datetime.fromisoformat(shown)
    assert moment.utcoffset() == timedelta(0)
    assert moment == datetime.fromtimestamp(seconds, UTC)
