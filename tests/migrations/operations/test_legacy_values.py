"""Values of earlier versions of redis-om: the laws of each operation, on any value, without a server."""

import base64
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redstart.errors import ConfigurationError, MigrationStateError, NotConvertibleError
from redstart.migrations.operations.document import Document
from redstart.migrations.operations.legacy_values import LegacyValues, legacy_operations
from redstart.migrations.operations.state import ProjectState
from redstart.operations import ConvertLocalMidnights, EncodeBytes, Field, Model, RemoveEmbeddedKey, Storage
from redstart.values.lossless_json import JsonNumber

NAME = "shop.Order"
LINE = Field("lines", "list[object]", fields=[Field("sku", "str"), Field("at", "date")])
FIELDS = {
    Storage.HASH: [Field("day", "date"), Field("raw", "bytes"), Field("note", "str")],
    Storage.JSON: [
        Field("day", "date | None", is_optional=True),
        Field("days", "list[date]"),
        Field("raw", "bytes"),
        Field("raws", "dict[str, bytes]"),
        LINE,
    ],
}
ZONES = ["Asia/Kolkata", "America/Sao_Paulo", "Europe/London", "Pacific/Apia", "Africa/Cairo", "UTC"]


def state(storage: Storage) -> ProjectState:
    return ProjectState.of([Model(NAME, key_prefix="o:", storage=storage, fields=FIELDS[storage])])


def midnight(day: date, zone: str) -> float:
    return datetime.combine(day, time.min, tzinfo=ZoneInfo(zone)).timestamp()


def number(storage: Storage, seconds: float) -> Any:
    return repr(seconds).encode() if storage is Storage.HASH else JsonNumber(repr(seconds))


@pytest.mark.parametrize("storage", Storage)
@given(day=st.dates(date(1905, 1, 1), date(2200, 1, 1)), zone=st.sampled_from(ZONES))
def test_each_local_midnight_becomes_the_same_day_in_utc_and_back(
    storage: Storage, day: date, zone: str
) -> None:
    change = ConvertLocalMidnights(NAME, "day", timezone=zone).bind(state(storage))
    before = Document(storage, {"day": number(storage, midnight(day, zone)), "note": b"kept"})
    after = change.forward(before)
    assert float(after.root["day"]) == datetime.combine(day, time.min, tzinfo=UTC).timestamp()
    assert not change.is_pending(after)
    assert change.forward(after) == after
    assert float(change.backward(after).root["day"]) == midnight(day, zone)
    assert change.is_pending(before) == (midnight(day, zone) % 86_400 != 0)


@pytest.mark.parametrize("value", [b"2023-01-01", b"", b"N/A"])
def test_text_is_left_to_the_conversion_of_dates(value: bytes) -> None:
    change = ConvertLocalMidnights(NAME, "day", timezone="Asia/Kolkata").bind(state(Storage.HASH))
    assert not change.is_pending(Document(Storage.HASH, {"day": value}))


@pytest.mark.parametrize("value", [b"1.5", b"1672534800.0", b"inf", b"nan", b"1e300"])
def test_a_number_that_is_no_midnight_fails_and_stays(value: bytes) -> None:
    change = ConvertLocalMidnights(NAME, "day", timezone="Asia/Kolkata").bind(state(Storage.HASH))
    before = Document(Storage.HASH, {"day": value})
    after, failures = change.change(before)
    assert (after, len(failures)) == (before, 1)


@pytest.mark.parametrize("if_base64", ["encode", "keep"])
@pytest.mark.parametrize("storage", Storage)
@given(text=st.text() | st.sampled_from(["abcd", "YWJjZA==", "aGk", "===="]))
def test_text_becomes_base64_and_back(storage: Storage, if_base64: Any, text: str) -> None:
    change = EncodeBytes(NAME, "raw", if_base64=if_base64).bind(state(storage))
    value: Any = text.encode(errors="surrogatepass") if storage is Storage.HASH else text
    before = Document(storage, {"raw": value})
    encoded = base64.b64encode(text.encode(errors="surrogatepass")).decode()
    is_base64 = _is_base64(text)
    after = change.forward(before)
    expected = text if if_base64 == "keep" and is_base64 else encoded
    assert after.root["raw"] == (expected.encode() if storage is Storage.HASH else expected)
    assert change.decided_by_shape is (if_base64 == "keep")
    if expected == encoded:
        assert change.backward(after) == before
    if if_base64 == "keep":
        assert not change.is_pending(after)


def _is_base64(text: str) -> bool:
    try:
        return base64.b64encode(base64.b64decode(text, validate=True)).decode() == text
    except ValueError:
        return False


def test_bytes_that_are_not_text_have_no_equivalent_in_0x() -> None:
    change = EncodeBytes(NAME, "raw").bind(state(Storage.HASH))
    with pytest.raises(NotConvertibleError, match="cannot store bytes that are not UTF-8"):
        _ = change.backward(Document(Storage.HASH, {"raw": base64.b64encode(b"\xff\xfe")}))


def test_lists_maps_and_embedded_models() -> None:
    before = state(Storage.JSON)
    zone = "Asia/Kolkata"
    local, utc = midnight(date(2023, 1, 1), zone), JsonNumber("1672531200.0")
    one = Document(
        Storage.JSON,
        {
            "days": [JsonNumber(repr(local)), utc],
            "raws": {"a": "hi", "b": ""},
            "lines": [{"sku": "x", "at": JsonNumber(repr(local)), "pk": "1"}, {"sku": "y", "pk": "2"}],
        },
    )
    for operation in (
        ConvertLocalMidnights(NAME, "days", timezone=zone),
        ConvertLocalMidnights(NAME, "at", timezone=zone, within="lines[]"),
        EncodeBytes(NAME, "raws"),
        RemoveEmbeddedKey(NAME, "lines[]"),
    ):
        assert operation.apply(before) == before
        one = operation.bind(before).forward(one)
    assert one.root["days"] == [utc, utc]
    assert one.root["raws"] == {"a": "aGk=", "b": ""}
    assert one.root["lines"] == [{"sku": "x", "at": utc}, {"sku": "y"}]


def test_the_templates_name_every_field_of_the_models() -> None:
    models = state(Storage.JSON)
    found = {
        values: [one.describe() for one in legacy_operations(models, values, "Asia/Kolkata")]
        for values in LegacyValues
    }
    assert [len(one) for one in found.values()] == [3, 2, 1]
    assert "the dates lines[].at of Order" in found[LegacyValues.LOCAL_MIDNIGHTS][2]
    assert found[LegacyValues.EMBEDDED_KEYS] == ["Remove the key lines[].pk of Order."]


@pytest.mark.parametrize(
    ("operation", "error"),
    [
        (ConvertLocalMidnights(NAME, "note", timezone="UTC"), MigrationStateError),
        (ConvertLocalMidnights(NAME, "day", timezone="local"), MigrationStateError),
        (ConvertLocalMidnights(NAME, "day", timezone="Europe/Nowhere"), ConfigurationError),
        (EncodeBytes(NAME, "day"), MigrationStateError),
        (EncodeBytes(NAME, "raw", if_base64="perhaps"), MigrationStateError),  # type: ignore[arg-type]
        (EncodeBytes(NAME, "unknown"), MigrationStateError),
        (RemoveEmbeddedKey(NAME, ""), MigrationStateError),
        (RemoveEmbeddedKey(NAME, "lines[]"), MigrationStateError),
    ],
)
def test_an_operation_that_does_not_fit_is_refused(operation: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        _ = operation.apply(state(Storage.HASH))


def test_a_pk_that_the_embedded_model_declares_is_in_use() -> None:
    line = Field("lines", "list[object]", fields=[Field("pk", "str")])
    models = ProjectState.of([Model(NAME, key_prefix="o:", storage=Storage.JSON, fields=[line])])
    with pytest.raises(MigrationStateError, match="in use"):
        _ = RemoveEmbeddedKey(NAME, "lines[]").apply(models)
    assert legacy_operations(models, LegacyValues.EMBEDDED_KEYS) == []


def test_days_near_the_ends_of_the_calendar() -> None:
    change = ConvertLocalMidnights(NAME, "day", timezone="Asia/Kolkata").bind(state(Storage.HASH))
    for day in (date.min, date.max, date.max - timedelta(days=1)):
        seconds = (day - date(1970, 1, 1)).days * 86_400 + 1
        _, failures = change.change(Document(Storage.HASH, {"day": f"{seconds}.0".encode()}))
        assert len(failures) == 1
    first = Document(Storage.HASH, {"day": f"{(date.min - date(1970, 1, 1)).days * 86_400}.0".encode()})
    with pytest.raises(NotConvertibleError, match="out of range"):
        _ = change.backward(first)
