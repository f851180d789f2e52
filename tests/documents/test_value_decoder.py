# ruff: noqa: UP045, RUF012 - models in the spellings that applications really use
"""Dates and datetimes of both formats, read wherever they stand in a document."""

import json
import math
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Literal, Optional
from unittest.mock import patch

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redstart.errors import DocumentDecodeError
from redstart.mapping.fields import Field
from redstart.mapping.models import HashModel, JsonModel
from redstart.mapping.value_paths import ValuePath
from redstart.mapping.vectors import VectorFieldOptions
from redstart.migrations.data.datetime_conversion import DatetimeConversion
from redstart.values.timestamps import microseconds_of, number_text
from redstart.values.timezones import NaiveTimezone
from redstart.values.types import TemporalKind
from tests.documents.sessions import NOON, order, session
from tests.support.read_documents import document_from_hash, document_from_json


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ("1672574400.123456", NOON),
        ("1672574400", NOON.replace(microsecond=0)),
        ("-1.5", datetime(1969, 12, 31, 23, 59, 58, 500000, tzinfo=UTC)),
        ("1.672574400123456e9", NOON),
        ("253402300799.0", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("-62135596800.0", datetime(1, 1, 1, tzinfo=UTC)),
        ("20000000001", datetime(2603, 10, 11, 11, 33, 21, tzinfo=UTC)),
        ("2023-01-01T12:00:00.123456+00:00", NOON),
        ("2023-01-01T12:00:00.123456Z", NOON),
        ("2023-01-01 12:00:00.123456Z", NOON),
        ("2023-01-01T17:30:00.123456+05:30", NOON),
        ("2023-01-01T12:00:00", datetime(2023, 1, 1, 12, tzinfo=UTC)),
        ("2023-01-01 12:00:00", datetime(2023, 1, 1, 12, tzinfo=UTC)),
        ("2021-02-03", datetime(2021, 2, 3, tzinfo=UTC)),
    ],
)
def test_datetimes_of_both_formats(stored, expected):
    read = session(started_at=stored).started_at
    assert (read, read.tzinfo is None) == (expected, expected.tzinfo is None)
    assert order(created_at=stored).created_at == expected


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
@pytest.mark.parametrize(
    "text",
    [
        "2023-07-01T12:00:00",
        "2023-07-01T12:00:00.123456",
        "2023-07-01 12:00:00,5 ",
        "2023-07-01T12:00:00-08:00",
        "2023-07-01",
        "20230701T120000Z",
        "Sat, 01 Jul 2023 12:00:00 +0200",
        "0001-01-02T00:00:00",
        "9999-12-30T00:00:00",
    ],
)
def test_a_document_says_the_same_before_the_migration_and_after(text, zone):
    class Timed(HashModel):
        moment: datetime
        naive: Optional[pydantic.NaiveDatetime] = None
        day: Optional[date] = None

    zone = NaiveTimezone.parse(zone)
    kinds = {"moment": TemporalKind.DATETIME, "naive": TemporalKind.DATETIME, "day": TemporalKind.DATE}
    before = {name.encode(): text.encode() for name in kinds}
    after = {
        name.encode(): DatetimeConversion(zone)
        .convert_hash(text.encode(), ValuePath((name,), kind, True))
        .new
        for name, kind in kinds.items()
    }
    assert None not in after.values()
    read = document_from_hash(Timed, "1", before, zone=zone)
    assert read == document_from_hash(Timed, "1", after, zone=zone)
    assert read.moment.tzinfo is UTC
    assert read.naive.tzinfo is None


def test_a_time_that_happened_twice_is_left_to_pydantic():
    class Timed(HashModel):
        moment: datetime

    read = document_from_hash(
        Timed, "1", {b"moment": b"2023-10-29T02:30:00"}, zone=NaiveTimezone.parse("Europe/Berlin")
    )
    assert read.moment == datetime(2023, 10, 29, 2, 30)


@pytest.mark.parametrize("number", [1672574400.123456, 1672574400, -1.5, 1e9])
def test_json_numbers_become_aware_datetimes(number):
    read = order(created_at=number).created_at
    assert read.tzinfo is UTC
    assert read.timestamp() == number


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ("1672531200.0", date(2023, 1, 1)),
        ("1672617599.999", date(2023, 1, 1)),
        ("1672531199.9", date(2022, 12, 31)),
        ("-86400.0", date(1969, 12, 31)),
        ("2023-01-01", date(2023, 1, 1)),
        ("2023-01-01T00:00:00", date(2023, 1, 1)),
    ],
)
def test_dates_of_both_formats(stored, expected):
    for read in (session(expires_on=stored).expires_on, order(due=stored).due):
        assert (type(read), read) == (date, expected)


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(1698, 1, 1), max_value=datetime(2242, 1, 1)))
def test_any_stored_datetime_reads_back(moment):
    text = number_text(microseconds_of(moment))
    assert session(started_at=text).started_at == moment
    assert order(created_at=float(text)).created_at == moment
    offset = moment.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert session(started_at=offset.isoformat()).started_at == moment


@given(st.dates())
def test_any_stored_date_reads_back(day):
    seconds = (day - date(1970, 1, 1)).days * 86400.0
    assert session(expires_on=repr(seconds)).expires_on == day
    assert order(due=seconds).due == day
    assert session(expires_on=day.isoformat()).expires_on == day


def test_places_inside_documents():
    read = order(
        lines=[{"added_at": 1, "until": 0.0}, {"added_at": "1970-01-01T00:00:02Z", "until": None}],
        stops={"a.b[0]'\"": {"added_at": 3.5}},
        pair=["x", 4],
        text="1672531200",
        number=5,
    )
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert [line.added_at for line in read.lines] == [
        epoch + timedelta(seconds=1),
        epoch + timedelta(seconds=2),
    ]
    assert [line.until for line in read.lines] == [date(1970, 1, 1), None]
    assert read.stops["a.b[0]'\""].added_at == epoch + timedelta(seconds=3.5)
    assert read.pair == ("x", epoch + timedelta(seconds=4))
    assert (read.text, read.number) == ("1672531200", 5.0)


def test_text_fields_that_look_like_dates_stay_text():
    assert session(note="1700000000", nickname="2023-01-01").note == "1700000000"


def test_naive_and_aware_fields_get_what_they_accept():
    class Zoned(HashModel):
        naive: pydantic.NaiveDatetime
        aware: pydantic.AwareDatetime
        past: pydantic.PastDatetime

    number = b"1672574400.123456"
    read = document_from_hash(Zoned, "1", {b"naive": number, b"aware": number, b"past": number})
    assert (read.naive, read.aware, read.past) == (NOON.replace(tzinfo=None), NOON, NOON)


def test_nothing_in_a_required_datetime_is_an_error():
    with pytest.raises(DocumentDecodeError, match=r"started_at has the invalid value ''"):
        session(started_at="")


@pytest.mark.parametrize("value", [True, False])
def test_a_boolean_is_not_a_timestamp(value):
    with pytest.raises(DocumentDecodeError):
        order(created_at=value)


@given(st.floats())
def test_any_number_is_read_exactly_or_refused(number):
    text = repr(number)
    try:
        read = session(started_at=text).started_at
    except DocumentDecodeError:
        assert not math.isfinite(number) or not -62135596801 < number < 253402300800
    else:
        if abs(number) >= 3e11:  # milliseconds
            number /= 1_000
        assert abs((read - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(seconds=1) - number) < 1e-4


class Moments(HashModel):
    at: datetime
    naive: pydantic.NaiveDatetime
    day: date
    span: timedelta
    blob: bytes
    choice: Literal[1, 2]
    vector: list[float] = Field(
        vector_options=VectorFieldOptions.flat(
            VectorFieldOptions.TYPE.FLOAT32, 2, VectorFieldOptions.DISTANCE_METRIC.L2
        )
    )


class Nested(JsonModel):
    at: Optional[datetime] = None
    naive: Optional[pydantic.NaiveDatetime] = None
    day: Optional[date] = None
    span: Optional[timedelta] = None
    blob: Optional[bytes] = None
    days: dict[str, list[date]] = {}
    pair: Optional[tuple[str, datetime]] = None
    vector: list[float] = []


DATES = st.one_of(
    st.datetimes().map(datetime.isoformat),
    st.dates().map(date.isoformat),
    st.floats().map(repr),
    st.integers().map(str),
    st.from_regex(r"-?0?[0-9]{1,25}(\.[0-9]{0,7})?(e[0-9]{1,3})?", fullmatch=True),
)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/Lima"]).map(NaiveTimezone.parse)


@given(
    st.sampled_from(list(Moments.model_fields)),
    st.one_of(st.binary(), st.text().map(str.encode), DATES.map(str.encode)),
    st.sampled_from(["utf-8", "latin-1", "utf-16", "shift_jis"]),
    ZONES,
)
def test_any_stored_text_is_read_or_rejected(name, stored, encoding, zone):
    """No error of another kind: what reads text catches only those that its own code raises."""
    with patch.object(Moments._meta, "encoding", encoding), suppress(DocumentDecodeError):
        document_from_hash(Moments, "1", {name.encode(encoding): stored}, zone=zone)


JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), DATES, st.just(10**400)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(list(Nested.model_fields)), JSON_VALUES, ZONES)
def test_any_stored_json_is_read_or_rejected(name, value, zone):
    with suppress(DocumentDecodeError):
        document_from_json(Nested, "1", json.dumps({name: value}).encode(), zone=zone)
