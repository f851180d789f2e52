"""What a model reads before a migration it reads equal after it, and what it cannot read does not convert."""

import json
import os
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import NaiveDatetime

from redstart import HashModel, JsonModel
from redstart.documents.storage_adapters import storage_adapter
from redstart.errors import DocumentDecodeError
from redstart.mapping.models import RedisModel
from redstart.mapping.value_paths import ValuePath
from redstart.migrations.data.datetime_conversion import DatetimeConversion
from redstart.migrations.transformation import Classification, Conversion
from redstart.values.lossless_json import parse_json
from redstart.values.timezones import NaiveTimezone
from redstart.values.types import TemporalKind

EXAMPLES = 10_000 if os.environ.get("REDSTART_SOAK") == "1" else 75
ZONES = [NaiveTimezone.parse("UTC"), NaiveTimezone.parse("Europe/Berlin")]

CLOCK_READS_OTHERWISE = ("ambiguous", "nonexistent", "outside the years", "would round past")
"""Reasons for which a value stays text that pydantic reads: no number stands for it, or more than one."""


class HashDates(HashModel):
    aware: datetime | None = None
    naive: NaiveDatetime | None = None
    day: date | None = None


class JsonDates(JsonModel):
    aware: datetime | None = None
    naive: NaiveDatetime | None = None
    day: date | None = None


def read(model: type[RedisModel], field: str, stored: bytes, zone: NaiveTimezone) -> Any:
    """The value that a model reads; None if it cannot."""
    document = {field.encode(): stored} if model is HashDates else b'{"%b":%b}' % (field.encode(), stored)
    try:
        return getattr(storage_adapter(model).reader(model, zone)("1", document), field)
    except DocumentDecodeError:
        return None


def converted(model: type[RedisModel], kind: TemporalKind, stored: bytes, zone: NaiveTimezone) -> Conversion:
    path = ValuePath((model.__name__,), kind, optional=True)
    if model is HashDates:
        return DatetimeConversion(zone).convert_hash(stored, path)
    return DatetimeConversion(zone).convert_json(parse_json(stored), path)


digits = st.sampled_from(["00", "01", "09", "10", "12", "23", "24", "28", "29", "30", "31", "59", "60"])
years = st.sampled_from(["0000", "0001", "1969", "1970", "2023", "2024", "9999", "12024"])
zones = st.sampled_from(
    [
        "",
        "Z",
        "z",
        " Z",
        "+00:00",
        "-00:00",
        "+0530",
        "+05",
        "+05:30:15",
        "\u221205:30",
        "-23:59",
        "+24:00",
        "+14:00",
    ]
)
times = st.builds(
    lambda separator, hour, minute, rest, zone: f"{separator}{hour}:{minute}{rest}{zone}",
    st.sampled_from(["T", "t", " ", "_", "-"]),
    digits,
    digits,
    st.sampled_from(["", ":00", ":59", ":60", ":30.5", ":30,25", ":30.123456789", ":30."]),
    zones,
)
iso = st.builds(
    lambda y, m, d, time: f"{y}-{m}-{d}{time}", years, digits, digits, st.one_of(st.just(""), times)
)
others = st.sampled_from(
    [
        "20240305",
        "20240305T101112Z",
        "Tue, 05 Mar 2024 10:11:12 GMT",
        "2024-W10-2",
        "nan",
        "inf",
        "",
        "N/A",
        "true",
    ]
)
numbers = st.one_of(
    st.integers(-10, 10),
    st.integers(-(10**12), 10**12),
    st.integers(-(10**15), 10**16),
    st.floats(-1e15, 1e16, allow_nan=False),
    st.sampled_from([20_000_000_001, 253402300799, 253402300800, 1704067200000, 253402300799999, 1e300]),
)
numerals = st.builds(
    lambda number, change: change.format(number), numbers, st.sampled_from(["{}", "+{}", "{}.", "{}e0"])
)
texts = st.builds(
    lambda text, before, after: before + text + after,
    st.one_of(iso, others, numerals),
    st.sampled_from(["", "", " ", "\t"]),
    st.sampled_from(["", "", " ", "\n"]),
)


@pytest.mark.parametrize("zone", ZONES, ids=lambda zone: zone.name)
@pytest.mark.parametrize("field", ["aware", "naive", "day"])
@pytest.mark.parametrize("form", ["hash", "json text", "json number"])
@settings(max_examples=EXAMPLES // 3, deadline=None)
@given(text=texts, number=numbers)
@example(text="1704067200000", number=1704067200000)
@example(text=" 1704067200000.25 ", number=1704067200123.4567)
@example(text="2024-03-05_10:11:12\u221201:00", number=915148800000)
@example(text="86399.9999999", number=86399.9999999)
@example(text="253402300799.99997", number=253402300800)
def test_reads_equal(zone: NaiveTimezone, field: str, form: str, text: str, number: float) -> None:
    model = HashDates if form == "hash" else JsonDates
    kind = TemporalKind.DATE if field == "day" else TemporalKind.DATETIME
    stored = {"hash": text, "json text": json.dumps(text), "json number": json.dumps(number)}[form].encode()
    before = read(model, field, stored, zone)
    conversion = converted(model, kind, stored, zone)
    if conversion.outcome in (Classification.ALREADY, Classification.NULL):
        return  # it stays as it is
    if conversion.new is None:
        assert conversion.reason is not None
        expected = any(reason in conversion.reason for reason in CLOCK_READS_OTHERWISE)
        restorable = "could not restore exactly" in conversion.reason
        assert before is None or expected or restorable, conversion.reason
        return
    after = read(model, field, conversion.new, zone)
    if field == "naive" and after is None:
        return  # an instant that the clocks showed twice has no value without an offset
    assert before is not None, conversion
    if conversion.outcome is Classification.LOSSY:
        assert abs(after - before) <= timedelta(microseconds=64)
    else:
        assert after == before
        assert getattr(after, "tzinfo", None) == getattr(before, "tzinfo", None)
