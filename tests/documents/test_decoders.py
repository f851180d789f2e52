"""Documents as the server has them: single values, what is missing, what is not known, and names."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

import pydantic
import pytest

from redstart.errors import DocumentDecodeError
from redstart.mapping.fields import Field
from redstart.mapping.models import HashModel, JsonModel
from tests.documents.sessions import (
    Colour,
    Order,
    Session,
    order,
    session,
)
from tests.support.read_documents import document_from_hash, document_from_json


class Plain(HashModel):
    name: str = ""


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

    with pytest.raises(DocumentDecodeError, match="said is missing"):  # JSON has a null for it
        document_from_json(Told, "a", b"{}")


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
