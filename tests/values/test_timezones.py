import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redstart.errors import ConfigurationError, ValueConversionError
from redstart.values.timestamps import EPOCH, FIRST_MICROSECOND, LAST_MICROSECOND, microseconds_of
from redstart.values.timezones import NaiveTimezone

HOUR = 3_600_000_000
UTC_2023_OCT_29 = microseconds_of(datetime.fromisoformat("2023-10-29T00:00:00+00:00"))


@pytest.fixture
def set_process_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    def set_zone(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield set_zone
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(params=["named", "local"])
def zone(
    request: pytest.FixtureRequest, set_process_zone: Callable[[str], None]
) -> Callable[[str], NaiveTimezone]:
    """The same zone by its name, and as the process's own: they must agree."""

    def parse(name: str) -> NaiveTimezone:
        set_process_zone(name if request.param == "local" else "Pacific/Kiritimati")
        return NaiveTimezone.parse("local" if request.param == "local" else name)

    return parse


@pytest.mark.parametrize(
    "name", ["Mars/Olympus", "", "Europe", "../etc/passwd", "/etc/passwd", "x" * 5000, "\0", "é"]
)
def test_an_unknown_zone_is_refused_with_a_way_on(name: str) -> None:
    with pytest.raises(ConfigurationError, match="Unknown time zone") as caught:
        NaiveTimezone.parse(name)
    assert caught.value.hint is not None
    assert "Europe/Berlin" in caught.value.hint


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin"])
def test_a_zone_keeps_its_name(name: str) -> None:
    assert NaiveTimezone.parse(name).name == name


def test_local_is_named_after_the_zone_it_was_and_refused_in_another(
    set_process_zone: Callable[[str], None],
) -> None:
    set_process_zone("Asia/Kolkata")
    name = NaiveTimezone.parse("local").name
    assert NaiveTimezone.parse(name).name == name
    set_process_zone("America/New_York")
    assert NaiveTimezone.parse("local").name != name
    with pytest.raises(ConfigurationError, match="another local time zone"):
        NaiveTimezone.parse(name)


def test_utc_covers_every_naive_datetime() -> None:
    utc = NaiveTimezone.parse("UTC")
    assert utc.microseconds(datetime.min) == FIRST_MICROSECOND
    assert utc.microseconds(datetime.max) == LAST_MICROSECOND
    assert utc.naive_datetime(FIRST_MICROSECOND) == datetime.min
    assert utc.naive_datetime(LAST_MICROSECOND) == datetime.max
    assert utc.naive_datetime(LAST_MICROSECOND + 1) is None


@pytest.mark.parametrize(
    ("name", "text", "utc"),
    [
        ("Europe/Berlin", "2023-07-01T12:00:00.000001", "2023-07-01T10:00:00.000001+00:00"),
        ("Europe/Berlin", "2023-10-29T01:59:59.999999", "2023-10-28T23:59:59.999999+00:00"),
        ("Europe/Berlin", "2023-10-29T03:00:00", "2023-10-29T02:00:00+00:00"),
        ("Europe/Berlin", "2023-03-26T01:59:59.999999", "2023-03-26T00:59:59.999999+00:00"),
        ("Europe/Berlin", "2023-03-26T03:00:00", "2023-03-26T01:00:00+00:00"),
        ("America/New_York", "1969-12-31T19:00:00", "1970-01-01T00:00:00+00:00"),
        ("Asia/Kolkata", "2023-01-01T12:00:00", "2023-01-01T06:30:00+00:00"),
        ("America/New_York", "0001-01-01T00:00:00", "0001-01-01T04:56:02+00:00"),
        ("Asia/Kolkata", "9999-12-31T23:59:59.999999", "9999-12-31T18:29:59.999999+00:00"),
        ("America/Juneau", "1867-10-17T12:00:00", "1867-10-16T20:57:41+00:00"),
    ],
)
def test_one_instant(zone: Callable[[str], NaiveTimezone], name: str, text: str, utc: str) -> None:
    naive, instant = datetime.fromisoformat(text), microseconds_of(datetime.fromisoformat(utc))
    assert zone(name).microseconds(naive) == instant
    assert zone(name).naive_datetime(instant) == naive


@pytest.mark.parametrize("fold", [0, 1])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Europe/Berlin", "2023-10-29T02:00:00"),
        ("Europe/Berlin", "2023-10-29T02:59:59.999999"),
        ("America/New_York", "2050-11-06T01:30:00"),
        ("Australia/Lord_Howe", "2023-04-02T01:45:00"),  # half an hour
        ("America/Juneau", "1867-10-19T12:00:00"),  # a whole day, when the date line moved
    ],
)
def test_a_time_that_happened_twice(
    zone: Callable[[str], NaiveTimezone], name: str, text: str, fold: int
) -> None:
    naive = datetime.fromisoformat(text).replace(fold=fold)
    with pytest.raises(
        ValueConversionError, match=f"^ambiguous local time in .*{naive:%H:%M} happened twice on"
    ):
        zone(name).microseconds(naive)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Europe/Berlin", "2023-03-26T02:00:00"),
        ("Europe/Berlin", "2023-03-26T02:59:59.999999"),
        ("America/Sao_Paulo", "2017-10-15T00:00:00"),
        ("Pacific/Apia", "2011-12-30T12:00:00"),  # a whole day
    ],
)
def test_a_time_that_was_skipped(zone: Callable[[str], NaiveTimezone], name: str, text: str) -> None:
    naive = datetime.fromisoformat(text)
    with pytest.raises(
        ValueConversionError, match=f"^nonexistent local time in .*{naive:%H:%M} was skipped on"
    ):
        zone(name).microseconds(naive)


def test_an_ambiguous_hour_has_no_naive_form(zone: Callable[[str], NaiveTimezone]) -> None:
    berlin = zone("Europe/Berlin")
    for instant in (0, HOUR, 2 * HOUR - 1):
        assert berlin.naive_datetime(UTC_2023_OCT_29 + instant) is None
    assert berlin.naive_datetime(UTC_2023_OCT_29 - 1) == datetime(2023, 10, 29, 1, 59, 59, 999999)
    assert berlin.naive_datetime(UTC_2023_OCT_29 + 2 * HOUR) == datetime(2023, 10, 29, 3)


def test_the_edges_of_the_calendar(zone: Callable[[str], NaiveTimezone]) -> None:
    kolkata = zone("Asia/Kolkata")
    with pytest.raises(ValueConversionError, match="outside the years 1 to 9999 in UTC"):
        kolkata.microseconds(datetime.min)
    assert kolkata.naive_datetime(LAST_MICROSECOND) is None
    new_york = zone("America/New_York")
    with pytest.raises(ValueConversionError, match="outside the years 1 to 9999 in UTC"):
        new_york.microseconds(datetime.max)
    assert new_york.naive_datetime(FIRST_MICROSECOND) is None


def test_local_follows_the_process(set_process_zone: Callable[[str], None]) -> None:
    local, noon = NaiveTimezone.parse("local"), datetime(2023, 1, 1, 12)
    set_process_zone("Asia/Kolkata")
    kolkata = local.microseconds(noon)
    set_process_zone("America/New_York")
    assert local.microseconds(noon) - kolkata == 10.5 * HOUR


@pytest.mark.sample(3)
@pytest.mark.parametrize("name", ["Europe/Berlin", "America/Juneau", "Pacific/Apia", "Africa/Casablanca"])
def test_local_and_named_agree_around_every_change(
    name: str, set_process_zone: Callable[[str], None]
) -> None:
    """Every hour in the neighbourhood of every change of the offset from 1850 to 2100."""
    set_process_zone(name)
    named, local = NaiveTimezone.parse(name), NaiveTimezone.parse("local")
    day = 86_400
    offsets = [
        (second, time.localtime(second).tm_gmtoff) for second in range(-43_800 * day, 47_500 * day, day)
    ]
    changes = [second for (second, offset), (_, then) in pairwise(offsets) if offset != then]
    assert changes
    for change in changes:
        for hours in range(-24, 72, 3):
            instant = (change + hours * 3600 + 1800) * 1_000_000
            assert local.naive_datetime(instant) == named.naive_datetime(instant)
            naive = (EPOCH + timedelta(microseconds=instant)).replace(tzinfo=None)
            assert _meaning(local, naive) == _meaning(named, naive)


def _meaning(zone: NaiveTimezone, naive: datetime) -> int | str:
    try:
        return zone.microseconds(naive)
    except ValueConversionError as error:
        return error.reason.partition(" in ")[0]


@given(st.sampled_from(["UTC", "local", "Europe/Berlin", "America/New_York"]), st.datetimes())
def test_value_round_trip(name: str, naive: datetime) -> None:
    zone = NaiveTimezone.parse(name)
    try:
        microseconds = zone.microseconds(naive)
    except ValueConversionError:
        return
    assert zone.naive_datetime(microseconds) == naive
