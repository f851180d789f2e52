"""Expected instants come from integer civil-date arithmetic written here, never from datetime."""

from datetime import datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from redstart.errors import ValueConversionError
from redstart.values.datetime_parser import TemporalText, read_temporal_text
from redstart.values.timezones import NaiveTimezone
from redstart.values.types import TemporalKind

UTC = NaiveTimezone.parse("UTC")
BERLIN = NaiveTimezone.parse("Europe/Berlin")
DATETIME, DATE = TemporalKind.DATETIME, TemporalKind.DATE
FIRST, LAST = -62_135_596_800 * 10**6, 253_402_300_800 * 10**6 - 1
MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DAY_NAMES_FROM_1970 = ("Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed")
MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def days_of_month(year: int, month: int) -> int:
    return MONTH_DAYS[month - 1] + (month == 2 and leap(year))


def days_since_1970(year: int, month: int, day: int) -> int:
    def before(year: int) -> int:  # days of all years before this one
        past = year - 1
        return 365 * past + past // 4 - past // 100 + past // 400

    return before(year) - before(1970) + sum(days_of_month(year, m) for m in range(1, month)) + day - 1


def seconds(*parts: int) -> int:
    year, month, day, hour, minute, second = parts
    return days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second


def read(text: str, kind: TemporalKind = DATETIME, zone: NaiveTimezone = UTC) -> TemporalText:
    return read_temporal_text(text, kind, zone)


def reason(text: str, kind: TemporalKind = DATETIME, zone: NaiveTimezone = UTC) -> str:
    with pytest.raises(ValueConversionError) as caught:
        read_temporal_text(text, kind, zone)
    return caught.value.reason


@st.composite
def iso_texts(draw: st.DrawFn) -> tuple[str, int, int, bool, bool]:
    """Text of any accepted ISO form; its instant and its own midnight in microseconds; naive; exact."""
    year, month = draw(st.integers(1, 9999)), draw(st.integers(1, 12))
    day = draw(st.integers(1, days_of_month(year, month)))
    hour, minute = draw(st.integers(0, 23)), draw(st.integers(0, 59))
    text = f"{year:04}-{month:02}-{day:02}{draw(st.sampled_from('Tt '))}{hour:02}:{minute:02}"
    second, fraction = 0, ""
    if draw(st.booleans()):
        second = draw(st.integers(0, 59))
        text += f":{second:02}"
        fraction = draw(st.text("0123456789", max_size=12))
        if fraction:
            text += draw(st.sampled_from(".,")) + fraction
    sign, oh, om, os = draw(
        st.tuples(st.sampled_from((1, -1)), st.integers(0, 23), *[st.integers(0, 59)] * 2)
    )
    mark = "+" if sign == 1 else "-"
    zone, offset = draw(
        st.sampled_from(
            [
                ("", None),
                ("Z", 0),
                ("z", 0),
                (f"{mark}{oh:02}", sign * oh * 3600),
                (f"{mark}{oh:02}{om:02}", sign * (oh * 3600 + om * 60)),
                (f"{mark}{oh:02}:{om:02}", sign * (oh * 3600 + om * 60)),
                (f"{mark}{oh:02}:{om:02}:{os:02}", sign * (oh * 3600 + om * 60 + os)),
            ]
        )
    )
    if zone:
        text += draw(st.sampled_from(("", " "))) + zone
    white = st.text(" \t\r\n", max_size=2)
    text = draw(white) + text + draw(white)
    clock = seconds(year, month, day, hour, minute, second) - (offset or 0)
    instant = clock * 10**6 + int((fraction + "000000")[:6])
    midnight = days_since_1970(year, month, day) * 86_400 * 10**6
    return text, instant, midnight, offset is None, set(fraction[6:]) <= {"0"}


@given(iso_texts())
def test_every_iso_form_against_integer_arithmetic(case: tuple[str, int, int, bool, bool]) -> None:
    text, instant, midnight, naive, exact = case
    assert read(text, DATE) == (midnight, naive, True)
    if FIRST <= instant <= LAST:
        assert read(text) == (instant, naive, exact)
    else:
        assert reason(text) == "outside the years 1 to 9999 in UTC"


@given(st.integers(1, 9999), st.integers(1, 12), st.integers(1, 31), st.sampled_from([DATETIME, DATE]))
def test_every_date(year: int, month: int, day: int, kind: TemporalKind) -> None:
    text = f"{year:04}-{month:02}-{day:02}"
    if day > days_of_month(year, month):
        assert reason(text, kind) == "no such day in that month"
    else:
        assert read(text, kind) == (days_since_1970(year, month, day) * 86_400 * 10**6, True, True)


@given(
    st.datetimes(), st.sampled_from(["+0000", "-0000", "+0530", "-1130", "GMT", "UTC", "UT"]), st.booleans()
)
def test_email_dates(moment: datetime, zone: str, weekday: bool) -> None:
    offset = 0 if zone.isalpha() else int(zone[0] + "1") * (int(zone[1:3]) * 60 + int(zone[3:])) * 60
    parts = (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second)
    instant = (seconds(*parts) - offset) * 10**6
    assume(FIRST <= instant <= LAST)
    month = MONTH_NAMES[moment.month - 1]
    day_name = DAY_NAMES_FROM_1970[days_since_1970(*parts[:3]) % 7]
    text = f"{moment.day:02} {month} {moment.year:04} {moment:%H:%M:%S} {zone}"
    assert read(f"{day_name}, {text}" if weekday else text) == (instant, False, True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Tue, 03 Jan 2023 10:20:30 +0200", seconds(2023, 1, 3, 8, 20, 30)),
        ("Tue, 3 Jan 2023 10:20 GMT", seconds(2023, 1, 3, 10, 20, 0)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),  # RFC 9110, section 5.6.7
        ("Fri, 21 Nov 1997 09:55:06 -0600", 880_127_706),  # RFC 5322, appendix A.1.1
        ("1990-12-31T15:59:59-08:00", seconds(1990, 12, 31, 23, 59, 59)),
        ("1937-01-01T12:00:27.87+00:20", -1_041_337_172.13),  # RFC 3339, section 5.8
        ("1947-08-14T12:00:00+05:53:28", seconds(1947, 8, 14, 6, 6, 32)),
        ("2023-01-01T12:00:00.5+00:00:00.000001", seconds(2023, 1, 1, 12, 0, 0) + 0.499999),
        ("2023-01-01T12:00-00:00", seconds(2023, 1, 1, 12, 0, 0)),
        ("1970-01-01", 0),
        ("0001-01-01", -62_135_596_800),
        ("9999-12-31T23:59:59Z", 253_402_300_799),
    ],
)
def test_known_instants(text: str, expected: float) -> None:
    assert read(text).microseconds == round(expected * 10**6)
    assert read(f"\t {text} \r\n").microseconds == round(expected * 10**6)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2023-13-45", "month 13 does not exist"),
        ("2023-00-10", "month 0 does not exist"),
        ("2023-02-29", "no such day in that month"),
        ("1900-02-29", "no such day in that month"),
        ("2023-01-00", "no such day in that month"),
        ("0000-01-01", "year 0 does not exist"),
        ("2023-01-01T24:00:00", "hour 24 does not exist"),
        ("2023-01-01T24:00:00Z", "hour 24 does not exist"),
        ("2023-01-01 24:00", "hour 24 does not exist"),
        ("2023-01-01T12:60:00", "minute 60 does not exist"),
        ("2016-12-31T23:59:60Z", "second 60 does not exist"),
        ("12023-01-01T00:00:00", "year beyond 9999"),
        ("1" * 900 + "-01-01", "year beyond 9999"),
        ("1" * 9000 + "-01-01", "not a date: longer than 1000 characters"),
        ("02023-01-01", "not a date"),
        ("2023-01-01T12:00:00+24:00", "offset +24:00 does not exist"),
        ("2023-01-01T12:00:00+05:75", "offset +05:75 does not exist"),
        ("2023-01-01T12:00:00-0560", "offset -0560 does not exist"),
        ("0001-01-01T00:00:00+00:01", "outside the years 1 to 9999 in UTC"),
        ("9999-12-31T23:59:59.999999-00:01", "outside the years 1 to 9999 in UTC"),
        ("Mon, 03 Jan 2023 10:20:30 +0200", "2023-01-03 is a Tue, not a Mon"),
        ("Tue, 03 Abc 2023 10:20:30 +0200", "month Abc does not exist"),
        ("Tue, 03 Jan 2023 10:20:30 EST", "time zone EST has no fixed meaning"),
        ("Tue, 03 Jan 2023 10:20:30 +9900", "offset +9900 does not exist"),
        ("", "only white space"),
        (" \t", "only white space"),
    ],
)
def test_reasons(text: str, expected: str) -> None:
    assert reason(text) == expected


@pytest.mark.parametrize("kind", [DATETIME, DATE])
@pytest.mark.parametrize(
    "text",
    [
        *(
            "N/A",
            "today",
            "yesterday",
            "20240305T",
            "20240305T1",
            "20240305T101",
            "20240305 101112",
            "2024-W10-2",
            "2024W102",
            "2024-065",
            "2024-03",
        ),
        *(
            "2024-3-5",
            "24-03-05",
            "2024/03/05",
            "05.03.2024",
            "2024-03-05T",
            "2024-03-05T10",
            "2024-03-05T1011",
        ),
        *(
            "2024-03-05T10:11:",
            "2024-03-05T10:11:12.",
            "2024-03-05T10:11:12.Z",
            "2024-03-05T10:11.5",
            "2024-03-05Z",
        ),
        *(
            "2024-03-05__10:11:12",
            "2024-03-05  10:11:12",
            "2024-03-05T10:11:12  Z",
            "2024-03-05T10:11:12+5:30",
        ),
        *(
            "2024-03-05T10:11:12+05:3",
            "2024-03-05T10:11:12+",
            "2024-03-05T10:11:12 UTC",
            "2024-03-05T10:11:12ZZ",
        ),
        *(
            "2024-03-05T10:11:12+05:30:1",
            "-2024-03-05",
            "+2024-03-05",
            "２０２４-03-05",
            "2024-03-05T1٢:00:00",
        ),
        *(
            "2024-03-05\x00",
            "\ud800",
            "2024-03-05\u00a0",
            "Tue 03 Jan 2023 10:20:30 +0200",
            "Tue, 03 Jan 23 10:20:30 GMT",
        ),
        *("Tue Jan  3 10:20:30 2023", "Tue, 03 Jan 2023", "nan", "inf", "P1D", "10:20:30", "null"),
    ],
)
def test_what_is_not_a_date(text: str, kind: TemporalKind) -> None:
    assert reason(text, kind) == "not a date"


@given(st.text() | st.from_regex(r"[0-9:+\-TZ ,.]{8,30}"), st.sampled_from([DATETIME, DATE]))
def test_any_text_is_read_or_refused(text: str, kind: TemporalKind) -> None:
    try:
        microseconds = read(text, kind).microseconds
    except ValueConversionError as error:
        assert error.reason
    else:
        assert FIRST <= microseconds <= LAST


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("20240305T101112", 1_709_633_472 * 10**6),
        ("20240305T1011", 1_709_633_460 * 10**6),
        ("20240305T101112Z", 1_709_633_472 * 10**6),
        ("20240305T101112.25+0530", (1_709_633_472 - 19_800) * 10**6 + 250_000),
    ],
)
def test_the_basic_form_counts_where_a_time_follows(text: str, microseconds: int) -> None:
    assert read(text).microseconds == microseconds


def test_digits_below_the_microsecond_are_dropped_and_reported() -> None:
    assert read("1969-12-31T23:59:59.9999999Z") == (-1, False, False)
    assert read("1970-01-01T00:00:00.0000010000Z") == (1, False, True)
    assert read("9999-12-31T23:59:59.9999999") == (LAST, True, False)
    assert read("1970-01-01T00:00:00," + "0" * 900 + "1") == (0, True, False)


def test_a_naive_datetime_is_read_in_its_zone_and_a_date_is_not() -> None:
    assert read("2023-07-01T12:00:00", zone=BERLIN).microseconds == seconds(2023, 7, 1, 10, 0, 0) * 10**6
    assert read("2023-07-01", zone=BERLIN) == (seconds(2023, 6, 30, 22, 0, 0) * 10**6, True, True)
    assert read("2023-07-01", DATE, BERLIN) == (seconds(2023, 7, 1, 0, 0, 0) * 10**6, True, True)
    assert read("2023-07-01T12:00:00Z", zone=BERLIN).microseconds == seconds(2023, 7, 1, 12, 0, 0) * 10**6


def test_a_date_field_takes_the_day_that_is_written() -> None:
    day = days_since_1970(2023, 1, 3) * 86_400 * 10**6
    for text in ("2023-01-03T23:59:59-11:00", "2023-01-03T00:00:00+11:00", "Tue, 03 Jan 2023 01:00:00 +0200"):
        assert read(text, DATE) == (day, False, True)
    assert read("0001-01-01T00:00:00+14:00", DATE).microseconds == FIRST
    assert read("2023-10-29T02:30:00", DATE, BERLIN).naive  # twice in Berlin, but one day


def test_folds_and_gaps_are_refused_and_their_offsets_help() -> None:
    assert reason("2023-10-29T02:30:00", zone=BERLIN) == (
        "ambiguous local time in Europe/Berlin: 02:30 happened twice on 2023-10-29"
    )
    assert reason("2023-03-26 02:30", zone=BERLIN) == (
        "nonexistent local time in Europe/Berlin: 02:30 was skipped on 2023-03-26"
    )
    summer, winter = (
        read("2023-10-29T02:30:00+02:00", zone=BERLIN),
        read("2023-10-29T02:30:00+01:00", zone=BERLIN),
    )
    assert winter.microseconds - summer.microseconds == 3_600 * 10**6
