"""The fast path says what the general one says, or nothing; and of text that a model wrote it says something."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from redstart.errors import ValueConversionError
from redstart.values.datetime_parser import (
    are_naive_texts,
    number_of_written_text,
    numbers_of_uniform_texts,
    read_temporal_text,
)
from redstart.values.timestamps import ALWAYS_EXACT_SECONDS, number_text, reads_back, written_number
from redstart.values.timezones import NaiveTimezone
from redstart.values.types import TemporalKind

DATETIME, DATE = TemporalKind.DATETIME, TemporalKind.DATE
ZONES = [NaiveTimezone.parse(name) for name in ("UTC", "Europe/Berlin", "local")]
kinds, zones = st.sampled_from([DATETIME, DATE]), st.sampled_from(ZONES)
moments = st.datetimes(timezones=st.none() | st.just(UTC) | st.timezones())
near_1970 = st.timedeltas(timedelta(seconds=-3), timedelta(seconds=3)).map(datetime(1970, 1, 1).__add__)
FIRST_TOO_FAR = (datetime(1970, 1, 1) + timedelta(seconds=ALWAYS_EXACT_SECONDS)).isoformat()


def general(text: str, kind: TemporalKind, zone: NaiveTimezone) -> tuple[bytes, bool] | None:
    try:
        microseconds, naive, exact = read_temporal_text(text, kind, zone)
    except ValueConversionError:
        return None
    number = number_text(microseconds)
    return (number.encode(), naive) if exact and reads_back(number, microseconds) else None


def agrees(text: str, kind: TemporalKind, zone: NaiveTimezone) -> bool:
    found = number_of_written_text(text.encode(), kind, zone)
    return found is None or found == general(text, kind, zone)


@given(moments | near_1970, st.sampled_from("T t"), kinds, zones)
def test_of_written_text_it_says_what_the_general_path_says(
    moment: datetime, separator: str, kind: TemporalKind, zone: NaiveTimezone
) -> None:
    assert agrees(moment.isoformat(separator), kind, zone)
    assert agrees(moment.date().isoformat(), kind, zone)


@given(st.datetimes(datetime(1700, 1, 1), datetime(2240, 1, 1)) | near_1970, kinds, st.booleans())
def test_what_a_model_writes_is_taken(moment: datetime, kind: TemporalKind, aware: bool) -> None:
    written = moment.replace(tzinfo=UTC if aware else None).isoformat()
    for text in (written, written.replace("+00:00", "Z")):
        found = number_of_written_text(text.encode(), kind, ZONES[0])
        assert found == general(text, kind, ZONES[0])
        assert found is not None


@given(moments, st.data(), kinds, zones)
@example(datetime(2024, 5, 6, 20, 0), None, DATETIME, ZONES[0])
def test_one_digit_changed(
    moment: datetime, data: st.DataObject | None, kind: TemporalKind, zone: NaiveTimezone
) -> None:
    """Hours of 24, minutes of 60, the 30th of February: what is no moment is never given a number."""
    text = moment.isoformat()
    where = [index for index, char in enumerate(text) if char.isdigit()]
    if data is None:
        changed = text[:12] + "4" + text[13:]
    else:
        index = data.draw(st.sampled_from(where))
        changed = text[:index] + data.draw(st.sampled_from("0123456789:.,-+TZ \u0665")) + text[index + 1 :]
    assert agrees(changed, kind, zone)


@given(st.text("0129-:+.TZ ", max_size=34), kinds, zones)
def test_any_text(text: str, kind: TemporalKind, zone: NaiveTimezone) -> None:
    assert agrees(text, kind, zone)


@given(st.binary(max_size=40), kinds, zones)
def test_any_bytes_give_nothing(raw: bytes, kind: TemporalKind, zone: NaiveTimezone) -> None:
    assume(b"-" not in raw)
    assert number_of_written_text(raw, kind, zone) is None


@pytest.mark.parametrize(
    "text",
    [
        "2023-01-01T24:00:00",
        "2023-01-01T24:00:00.000000+00:00",
        "2023-02-30",
        "0000-01-01",
        "2023-01-01T10:20",
        "2023-01-01T10:20:30.5",
        "2023-01-01T10:20:30,123456",
        "2023-01-01T10:20:30.1234567",
        "2023-01-01X10:20:30",
        "20230101T102030",
        " 2023-01-01",
        "2023-01-01\n",
        "\uff12023-01-01",
        FIRST_TOO_FAR,
        "0001-01-01T00:00:00.000001",
    ],
)
def test_what_needs_a_careful_look(text: str) -> None:
    assert number_of_written_text(text.encode(), DATETIME, ZONES[0]) is None


@pytest.mark.parametrize("offset", ["+05:60", "-05:99", "+24:00", "+99:59"])
def test_offsets_that_do_not_exist(offset: str) -> None:
    assert number_of_written_text(b"2023-01-01T10:20:30" + offset.encode(), DATETIME, ZONES[0]) is None


def test_local_times_that_are_not_one_instant_are_left_to_the_careful_look() -> None:
    berlin = ZONES[1]
    for text in (b"2023-03-26T02:30:00", b"2023-10-29T02:30:00"):
        assert number_of_written_text(text, DATETIME, berlin) is None
    assert number_of_written_text(b"2023-07-01T12:00:00.25", DATETIME, berlin) is None
    assert number_of_written_text(b"2023-07-01T12:00:00.250000", DATETIME, berlin) == (b"1688205600.25", True)


def test_offsets_of_seconds_are_left_to_the_careful_look() -> None:
    text = datetime(2023, 1, 1, tzinfo=timezone(timedelta(seconds=3601))).isoformat()
    assert number_of_written_text(text.encode(), DATETIME, ZONES[0]) is None


alike = st.sampled_from(["T", "t", " "]).flatmap(
    lambda separator: st.lists(
        (st.datetimes() | near_1970).map(lambda moment: moment.isoformat(separator)) | st.dates().map(str),
        max_size=4,
    )
)
odd = st.text("0129-:+.TZ\n", max_size=30) | st.just("2023-01-01T24:00:00") | moments.map(datetime.isoformat)


@example(["1970-01-01T00:00:00.000001"], "", [], DATETIME, ZONES[0])
@example(["2000-01-01"], "Z", [], DATETIME, ZONES[0])
@example(["1970-01-01T00:00:00", "1970-01-01T00:00:01.5"], "Z", [], DATETIME, ZONES[0])
@given(alike, st.sampled_from(["", "Z", "+00:00", "-00:00"]), st.lists(odd, max_size=1), kinds, zones)
def test_many_texts_get_the_numbers_of_each_or_none(
    texts: list[str], offset: str, others: list[str], kind: TemporalKind, zone: NaiveTimezone
) -> None:
    raw = [text.encode() for text in [*(text + offset for text in texts), *others]]
    found = numbers_of_uniform_texts(raw, kind, zone)
    if found is not None:
        assert [(number, found.is_naive) for number in found.numbers] == [
            number_of_written_text(text, kind, zone) for text in raw
        ]
        if found.times is not None:
            assert list(map(written_number, found.times)) == found.numbers
    assert are_naive_texts(raw, kind, zone) == (None if found is None else found.is_naive)


@pytest.mark.parametrize("aware", [False, True])
def test_what_models_write_is_taken_together(aware: bool) -> None:
    first = datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC if aware else None)
    texts = [(first + timedelta(microseconds=number * 777_777)).isoformat().encode() for number in range(50)]
    found = numbers_of_uniform_texts(texts, DATETIME, ZONES[0])
    assert found is not None
    assert found.is_naive is not aware
    assert found.times is not None
    assert numbers_of_uniform_texts([], DATETIME, ZONES[0]) is None
