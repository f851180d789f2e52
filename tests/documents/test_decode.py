# ruff: noqa: UP006, UP035, UP045, RUF012 - models in the spellings that applications really use
import enum
import json
import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from functools import partial
from typing import Annotated, Dict, List, Optional, Tuple
from uuid import UUID

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redstart.documents import decode
from redstart.documents.unreadable import UnreadableDocument
from redstart.errors import shortened
from redstart.mapping.fields import Field
from redstart.mapping.models import EmbeddedJsonModel, HashModel, JsonModel
from redstart.migrations.data.judging.convert import convert_hash_value
from redstart.values.kinds import TemporalKind
from redstart.values.timestamps import microseconds_of, number_text
from redstart.values.timezones import NaiveTimezone

UTC_ZONE = NaiveTimezone.parse("UTC")
document_from_hash = partial(decode.document_from_hash, zone=UTC_ZONE)
document_from_json = partial(decode.document_from_json, zone=UTC_ZONE)

NOON = datetime(2023, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)


class Colour(enum.Enum):
    RED = "red"


class Session(HashModel):
    session_id: str = Field(primary_key=True)
    started_at: datetime = Field(index=True)
    ended_at: Optional[datetime] = None
    expires_on: Optional[date] = None
    note: str = "none"
    nickname: Optional[str] = "nick"
    count: int = 0
    ratio: float = 0
    price: Decimal = Decimal(0)
    open: bool = False
    colour: Colour = Colour.RED
    token: Optional[UUID] = None
    blob: bytes = b""

    class Meta:
        global_key_prefix = "shop"
        model_key_prefix = "session"


class Plain(HashModel):
    name: str = ""


class Line(EmbeddedJsonModel):
    added_at: datetime
    until: Optional[date] = None


class Order(JsonModel):
    order_no: str = Field(primary_key=True)
    created_at: datetime
    due: Optional[date] = None
    lines: List[Line] = []
    stops: Dict[str, Line] = {}
    pair: Optional[Tuple[str, Optional[datetime]]] = None
    text: str = ""
    number: float = 0

    class Meta:
        global_key_prefix = "shop"
        model_key_prefix = "order"


def session(**fields: str) -> Session:
    stored = {"session_id": "s1", "started_at": "0", **fields}
    return document_from_hash(Session, "s1", {k.encode(): v.encode() for k, v in stored.items()})


def order(**members) -> Order:
    document = {"order_no": "o1", "created_at": 0, **members}
    return document_from_json(Order, "o1", json.dumps(document).encode())


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
        name.encode(): convert_hash_value(text.encode(), kind=kind, optional=True, naive_timezone=zone).new
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


def test_single_values_of_hashes():
    read = session(
        count="7",
        ratio="1.5",
        price="1.10",
        open="1",
        colour="red",
        token="12345678-1234-5678-1234-567812345678",
        blob="höß",
    )
    assert (read.count, read.ratio, read.price, read.open) == (7, 1.5, Decimal("1.10"), True)
    assert (read.colour, read.token) == (Colour.RED, UUID("12345678-1234-5678-1234-567812345678"))
    assert read.blob == "höß".encode()
    assert session(open="0").open is False


def test_nothing_in_an_optional_field_is_none_but_text_stays_text():
    read = session(ended_at="", expires_on="", nickname="", token="", note="")
    assert (read.ended_at, read.expires_on, read.nickname, read.token) == (None, None, None, None)
    assert read.note == ""


def test_nothing_in_a_required_datetime_is_an_error():
    with pytest.raises(UnreadableDocument, match=r"started_at holds ''"):
        session(started_at="")


def test_fields_that_are_not_stored_take_their_defaults():
    assert (session().ended_at, session().nickname) == (None, "nick")


def test_what_may_be_none_and_is_not_in_a_hash_is_none():
    class Asked(HashModel):
        said: str | None
        count: int | None = Field(alias="Count")
        other: int | None = 5

    read = document_from_hash(Asked, "a", {b"Count": b"3"})
    assert (read.said, read.count, read.other) == (None, 3, 5)

    class Told(JsonModel):
        said: str | None

    with pytest.raises(UnreadableDocument, match="said is missing"):  # JSON has a null for it
        document_from_json(Told, "a", b"{}")


def test_a_missing_field_is_named_without_all_that_is_there():
    with pytest.raises(UnreadableDocument) as missing:
        document_from_json(Order, "a", b'{"text": "secret"}')
    assert str(missing.value) == (
        f"{__name__}.Order shop:order:a: created_at is missing: Field required.\n"
        "Give the field a default where documents may lack it."
    )
    assert (missing.value.field, missing.value.reasons) == ("created_at", {"created_at": "Field required"})


@pytest.mark.parametrize("stored_pk", [None, "", "other"])
def test_a_missing_primary_key_is_the_requested_one(stored_pk):
    fields = {b"name": b"n"} | ({} if stored_pk is None else {b"pk": stored_pk.encode()})
    assert document_from_hash(Plain, "asked", fields).pk == (stored_pk or "asked")


def test_so_for_json_and_for_keys_of_ones_own():
    assert document_from_json(Order, "asked", b'{"created_at": 0}').order_no == "asked"
    assert document_from_json(Order, "asked", b'{"created_at": 0, "order_no": null}').order_no == "asked"
    assert document_from_hash(Session, "asked", {b"started_at": b"0"}).session_id == "asked"


def test_the_old_random_keys_are_ignored():
    assert session(pk="01M814T6THRX90JP0C36KCCXHY").pk == "s1"
    read = order(pk="01M814T5F43ZSCAC98JN7BQ7XE", lines=[{"pk": "01PWT0C2G8BQTVSRQP77N2RXRV", "added_at": 0}])
    assert (read.pk, read.lines[0].pk) == ("o1", None)


def test_unknown_fields_are_ignored_whatever_they_hold():
    fields = {b"started_at": b"0", b"\xff": b"1", b"extra": b"\xff\xfe", b"": b""}
    assert document_from_hash(Session, "s", fields).session_id == "s"
    assert "extra" not in order(extra={"a": [1]}).model_dump()


@pytest.mark.parametrize("extra", ["forbid", "ignore", "allow"])
def test_unknown_fields_whatever_the_model_says(extra):
    class Strict(HashModel):
        model_config = pydantic.ConfigDict(extra=extra, strict=True)
        code: str = Field(primary_key=True)
        at: datetime
        count: int

    class StrictJson(JsonModel):
        model_config = pydantic.ConfigDict(extra=extra, strict=True)
        code: str = Field(primary_key=True)
        at: datetime

    fields = {b"pk": b"x", b"code": b"c", b"at": b"2023-01-01", b"count": b"3", b"more": b"m"}
    text = b'{"pk": "x", "code": "c", "at": "2023-01-01", "more": "m"}'
    for read in (document_from_hash(Strict, "c", fields), document_from_json(StrictJson, "c", text)):
        assert (read.pk, read.at) == ("c", datetime(2023, 1, 1, tzinfo=UTC))
        assert read.model_extra == ({"more": "m"} if extra == "allow" else None)


def test_the_encoding_of_the_model():
    class Latin(HashModel):
        name: str

        class Meta:
            encoding = "latin-1"

    assert document_from_hash(Latin, "1", {b"name": b"\xe4"}).name == "ä"


def test_an_alias_is_read_by_either_name():
    class Aliased(HashModel):
        at: datetime = Field(alias="At")
        name: Annotated[str, pydantic.Field(validation_alias=pydantic.AliasChoices("Name", "n"))]

    for fields in ({b"at": b"0", b"name": b"x"}, {b"At": b"1970-01-01T00:00Z", b"n": b"x"}):
        read = document_from_hash(Aliased, "1", fields)
        assert (read.at, read.name) == (datetime(1970, 1, 1, tzinfo=UTC), "x")


def test_naive_and_aware_fields_get_what_they_accept():
    class Zoned(HashModel):
        naive: pydantic.NaiveDatetime
        aware: pydantic.AwareDatetime
        past: pydantic.PastDatetime

    number = b"1672574400.123456"
    read = document_from_hash(Zoned, "1", {b"naive": number, b"aware": number, b"past": number})
    assert (read.naive, read.aware, read.past) == (NOON.replace(tzinfo=None), NOON, NOON)


@pytest.mark.parametrize(
    ("field", "stored", "reason"),
    [
        ("started_at", "N/A", "valid datetime"),
        ("started_at", "2023-13-45", "valid datetime"),
        ("started_at", "nan", "valid datetime"),
        ("started_at", "1700000000123", "outside the years 1 to 9999"),
        ("expires_on", "1e300", "outside the years 1 to 9999"),
        ("expires_on", "yesterday", "valid date"),
        ("count", "seven", "valid integer"),
        ("open", "perhaps", "valid boolean"),
    ],
)
def test_a_bad_value_in_a_hash_is_named(field, stored, reason):
    with pytest.raises(UnreadableDocument) as error:
        session(**{field: stored})
    assert (error.value.key, error.value.field) == ("shop:session:s1", field)
    assert reason in error.value.reason
    for part in (f"{__name__}.Session", "shop:session:s1", field, repr(stored)):
        assert part in error.value.message


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"lines": [{"added_at": 0}, {"added_at": 1e15}]}, "lines[1].added_at"),
        ({"stops": {"x": {"added_at": -1e15}}}, "stops.x.added_at"),
        ({"pair": ["x", 1e13]}, "pair[1]"),
        ({"created_at": "N/A"}, "created_at"),
        ({"created_at": None}, "created_at"),
        ({"created_at": {"a": 1}}, "created_at"),
        ({"due": ""}, "due"),
        ({"lines": [{"added_at": "N/A"}]}, "lines[0].added_at"),
        ({"lines": {"added_at": 1}}, "lines"),
        ({"lines": [5]}, "lines[0]"),
    ],
)
def test_a_bad_value_in_json_is_named(members, field):
    with pytest.raises(UnreadableDocument) as error:
        order(**members)
    assert error.value.field == field
    assert error.value.key == "shop:order:o1"


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b'"x"', b"1", b"\xff", b'{"created_at": 0} {}'])
def test_what_is_no_json_object_is_said(text):
    with pytest.raises(UnreadableDocument, match=r"shop:order:o1: the document holds .*not (a )?JSON"):
        document_from_json(Order, "o1", text)


def test_text_that_is_not_in_the_encoding_is_said():
    with pytest.raises(UnreadableDocument) as error:
        document_from_hash(Session, "s1", {b"started_at": b"0", b"note": b"\xff\xfe"})
    assert (error.value.field, error.value.reason) == ("note", "not utf-8 text")


def test_long_values_are_cut():
    with pytest.raises(UnreadableDocument) as error:
        session(count="9" * 500 + "x")
    assert len(error.value.message) < 400
    assert shortened("x" * 500) == "'" + "x" * 76 + "..."
    assert shortened("short") == "'short'"


def test_several_errors_are_counted():
    with pytest.raises(UnreadableDocument, match=r"and 1 more"):
        session(count="x", ratio="y")


@pytest.mark.parametrize("value", [True, False])
def test_a_boolean_is_no_timestamp(value):
    with pytest.raises(UnreadableDocument):
        order(created_at=value)


@given(st.floats())
def test_any_number_is_read_exactly_or_refused(number):
    text = repr(number)
    try:
        read = session(started_at=text).started_at
    except UnreadableDocument:
        assert not math.isfinite(number) or not -62135596801 < number < 253402300800
    else:
        assert abs((read - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(seconds=1) - number) < 1e-4


@given(st.dictionaries(st.binary(max_size=8), st.binary(max_size=8), max_size=4), st.binary(max_size=8))
def test_any_hash_is_read_or_refused_with_our_error(fields, value):
    for stored in (fields, fields | {b"started_at": value}, fields | {b"started_at": b"0", b"count": value}):
        try:
            assert isinstance(document_from_hash(Session, "s1", stored), Session)
        except UnreadableDocument as error:
            assert error.key == "shop:session:s1"


@given(
    st.binary(max_size=40)
    | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(
        lambda value: json.dumps({"created_at": 0, "lines": value, "stops": value, "pair": value}).encode()
    )
)
def test_any_text_is_read_or_refused_with_our_error(text):
    try:
        assert isinstance(document_from_json(Order, "o1", text), Order)
    except UnreadableDocument as error:
        assert error.key == "shop:order:o1"
