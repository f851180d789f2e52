# ruff: noqa: RUF012 - models in the spellings that applications really use
"""What is stored: the format of redis-om 1.x, and nothing that would not be read again as it was."""

import enum
import json
from collections import deque
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import pydantic
import pytest
from hypothesis import example, given

from redstart import EmbeddedJsonModel, Field, HashModel, JsonModel
from redstart.documents.hash_encoder import hash_fields
from redstart.documents.json_codec import json_document
from redstart.errors import DocumentDecodeError, DocumentEncodeError, RedisModelError
from redstart.mapping.models import RedisModel
from redstart.values.timezones import NaiveTimezone
from tests.documents.every_type import DEEP, FLAT, VECTOR, Deep, Flat
from tests.support.read_documents import UTC_ZONE, document_from_hash, document_from_json

BERLIN = NaiveTimezone.parse("Europe/Berlin")


class Loose(HashModel):
    """Any value."""

    value: Any = None


class LooseJson(JsonModel):
    """Any value."""

    value: Any = None


def in_hash(value: object, zone: NaiveTimezone = UTC_ZONE) -> bytes | None:
    written, _ = hash_fields(Loose(value=value), zone)
    return dict(written).get(b"value")


def in_json(value: object, zone: NaiveTimezone = UTC_ZONE) -> Any:
    return json.loads(json_document(LooseJson(value=value), zone))["value"]


class Size(enum.IntEnum):
    SMALL = 1


@pytest.mark.parametrize(
    ("value", "text", "json_value"),
    [
        ("é\n", "é\n".encode(), "é\n"),
        ("", b"", ""),
        (5, b"5", 5),
        (Size.SMALL, b"1", 1),
        (0.1, b"0.1", 0.1),
        (1e30, b"1e+30", 1e30),
        (True, b"1", True),
        (False, b"0", False),
        (Decimal("1.10"), b"1.1", 1.1),
        (Decimal("-1200"), b"-1200", -1200),
        (Decimal("1E+3"), b"1000.0", 1000.0),
        (Decimal(2**70), str(2**70).encode(), 2.0**70),
        (Decimal("0.12345678901234567890"), b"0.12345678901234567890", 0.12345678901234568),
        (UUID(int=5), b"00000000-0000-0000-0000-000000000005", "00000000-0000-0000-0000-000000000005"),
        (b"\xff\x00", b"/wA=", "/wA="),
        (datetime(2023, 1, 1, 12, 0, 0, 123456), b"1672574400.123456", 1672574400.123456),
        (datetime(2023, 1, 1, 12, tzinfo=UTC), b"1672574400.0", 1672574400.0),
        (date(2023, 1, 1), b"1672531200.0", 1672531200.0),
        (time(9, 30), b"09:30:00", "09:30:00"),
        (timedelta(days=1, seconds=2.5), b"86402.5", 86402.5),
    ],
)
def test_the_form_of_each_type(value: object, text: bytes, json_value: object) -> None:
    assert in_hash(value) == text
    assert in_json(value) == json_value
    assert type(in_json(value)) is type(json_value)


def test_numbers_of_dates_are_those_the_migration_writes() -> None:
    assert b'"value":1672531200.0' in json_document(LooseJson(value=date(2023, 1, 1)), UTC_ZONE)


def test_parts_and_their_names() -> None:
    moment = datetime(1970, 1, 1, 0, 0, 1)
    value = {1: (moment,), Size.SMALL: deque([{date(1970, 1, 2)}]), UUID(int=0): {"a": [b"b"]}}
    assert in_json(value) == {"1": [[86400.0]], str(UUID(int=0)): {"a": ["Yg=="]}}


@given(document=FLAT)
def test_hashes_read_back_as_they_were(document: Flat) -> None:
    written, empty = hash_fields(document, UTC_ZONE)
    assert document_from_hash(Flat, document.pk, dict(written)) == document
    assert {name.decode() for name in empty} == {
        name for name, value in document.model_dump().items() if value is None
    }


@given(document=DEEP)
def test_json_reads_back_as_it_was(document: Deep) -> None:
    assert document_from_json(Deep, document.pk, json_document(document, UTC_ZONE)) == document


class Clocked(JsonModel):
    moment: pydantic.NaiveDatetime


@pytest.mark.parametrize("zone", [UTC_ZONE, BERLIN], ids=["UTC", "Berlin"])
@given(moment=...)
@example(moment=datetime(2023, 7, 1, 12))
def test_a_naive_field_shows_the_same_clock_again(zone: NaiveTimezone, moment: datetime) -> None:
    document = Clocked.model_construct(pk="1", moment=moment.replace(tzinfo=None, fold=0))
    try:
        text = json_document(document, zone)
    except DocumentEncodeError:
        assert zone is BERLIN or not 1697 < moment.year < 2242
        return
    read = document_from_json(Clocked, "1", text, zone=zone)
    assert read.moment == document.moment


def test_a_naive_datetime_means_what_the_zone_says() -> None:
    assert in_json(datetime(2023, 1, 1, 12), BERLIN) == 1672570800.0
    with pytest.raises(
        DocumentEncodeError, match=r"^tests\S+LooseJson \S+: value\.a\[1\] cannot be stored: 2023"
    ):
        in_json({"a": [1, datetime(2023, 10, 29, 2, 30)]}, BERLIN)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (datetime.max, b"0253402300799.999999"),
        (datetime(1, 1, 1, microsecond=1), b"-062135596799.999999"),
        (timedelta.max, b"086399999999999.999999"),
    ],
)
def test_what_no_float_stands_for_is_kept_in_hashes_alone(value: object, text: bytes) -> None:
    assert in_hash(value) == text
    with pytest.raises(DocumentEncodeError, match="the nearest float is another microsecond"):
        in_json(value)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (object(), "the type object is not supported"),
        (pydantic.SecretStr("x"), "SecretStr hides its value"),
        (datetime.min.replace(tzinfo=timezone(timedelta(hours=1))), "outside the years 1 to 9999"),
        ("\ud800", "cannot be encoded|lone surrogate"),
    ],
)
def test_what_has_no_stored_form_is_refused(value: object, reason: str) -> None:
    for stored in (in_hash, in_json):
        with pytest.raises(DocumentEncodeError, match=reason) as refused:
            stored(value)
        assert refused.value.field == "value"


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), 2**63, Decimal("NaN"), {"\ud800": 1}, {object(): 3}]
)
def test_what_json_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(DocumentEncodeError):
        in_json(value)


@pytest.mark.parametrize("value", [{1: "a", "1": "b"}, {None: 1, "None": 2}, {True: 1, "true": 2}])
def test_two_members_of_a_map_never_become_one(value: object) -> None:
    with pytest.raises(DocumentEncodeError, match="another key of the map have the same JSON name"):
        in_json(value)


@pytest.mark.parametrize("value", [[1], {"a": 1}, {1}, (1,)])
def test_a_hash_holds_nothing_with_parts(value: object) -> None:
    with pytest.raises(DocumentEncodeError, match="use a JsonModel"):
        in_hash(value)


class Vectors(HashModel):
    numbers: list[float] = Field(default=[], vector_options=VECTOR)
    data: bytes = Field(default=b"", vector_options=VECTOR)


def test_vectors_of_hashes_are_bytes_that_an_index_reads() -> None:
    document = Vectors(numbers=[1, -0.5, 2], data=b"123456789012")
    written = dict(hash_fields(document, UTC_ZONE)[0])
    assert written[b"numbers"] == b"\0\0\x80?\0\0\0\xbf\0\0\0@"
    assert written[b"data"] == b"123456789012"
    assert document_from_hash(Vectors, "1", written) == document


def test_vectors_that_redis_om_stored_as_base64_are_read() -> None:
    read = document_from_hash(Vectors, "1", {b"numbers": b"AACAPwAAAL8AAABA"})
    assert read.numbers == [1, -0.5, 2]
    with pytest.raises(DocumentDecodeError, match=r"numbers has the .* of 1 bytes; the index requires 12"):
        document_from_hash(Vectors, "1", {b"numbers": b"AA=="})
    with pytest.raises(DocumentDecodeError, match="neither vector bytes nor base64"):
        document_from_hash(Vectors, "1", {b"numbers": b"\xff"})


@pytest.mark.parametrize("numbers", [[1.0], [], [1.0] * 4])
def test_a_vector_of_another_length_would_leave_the_index(numbers: list[float]) -> None:
    with pytest.raises(DocumentEncodeError, match="numbers cannot be stored: a vector of"):
        hash_fields(Vectors(numbers=numbers, data=bytes(12)), UTC_ZONE)


class Named(JsonModel):
    name: str = Field(alias="Name")
    secret: Annotated[pydantic.SecretStr, pydantic.PlainSerializer(pydantic.SecretStr.get_secret_value)] = (
        pydantic.SecretStr("s")
    )
    inside: "list[Inside]" = []


class Inside(EmbeddedJsonModel):
    label: str = Field(alias="Label")


def test_fields_are_stored_by_name_and_by_their_own_serializers() -> None:
    document = Named(Name="n", inside=[Inside(Label="l")])
    text = json_document(document, UTC_ZONE)
    assert json.loads(text) == {"pk": document.pk, "name": "n", "secret": "s", "inside": [{"label": "l"}]}
    assert document_from_json(Named, document.pk, text) == document


def test_text_and_names_in_the_models_own_encoding() -> None:
    class Latin(HashModel):
        size: str

        class Meta:
            encoding = "latin-1"

    written = dict(hash_fields(Latin(size="é"), UTC_ZONE)[0])
    assert written[b"size"] == b"\xe9"
    assert document_from_hash(Latin, "1", written).size == "é"
    with pytest.raises(DocumentEncodeError, match="the text cannot be encoded as latin-1"):
        hash_fields(Latin(size="Ж"), UTC_ZONE)


class Tree(JsonModel):
    blob: bytes = b""
    children: "list[Tree]" = []


def test_bytes_at_any_depth_would_not_be_known_again() -> None:
    document = Tree(children=[Tree(blob=b"x")])
    with pytest.raises(RedisModelError, match="Tree is recursive"):
        document_from_json(Tree, "1", json_document(document, UTC_ZONE))


def test_a_check_finds_what_was_assigned_since() -> None:
    class Counted(HashModel):
        count: int

    document: RedisModel = Counted(count=1)
    document.check()
    document.count = "many"  # type: ignore[attr-defined]  # the point of the test
    with pytest.raises(pydantic.ValidationError, match="count"):
        document.check()
