"""What does not fit its field: said with key, field and value, and never another error than ours."""

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redstart.display import shortened
from redstart.errors import (
    CommandError,
    DocumentDecodeError,
    FieldExpiryNotSupportedError,
    IndexNotFoundError,
    QuerySyntaxError,
    WrongKeyTypeError,
)
from tests.documents.sessions import Order, Session, order, session
from tests.support.read_documents import document_from_hash, document_from_json


def test_a_missing_field_is_named_without_all_that_is_there():
    with pytest.raises(DocumentDecodeError) as missing:
        document_from_json(Order, "a", b'{"text": "secret"}')
    assert str(missing.value) == (
        f"{Order.__module__}.Order shop:order:a: created_at is missing: Field required.\n"
        "Give the field a default if documents may lack it."
    )
    assert (missing.value.field, missing.value.reasons) == ("created_at", {"created_at": "Field required"})


@pytest.mark.parametrize(
    ("field", "stored", "reason"),
    [
        ("started_at", "N/A", "valid datetime"),
        ("started_at", "2023-13-45", "valid datetime"),
        ("started_at", "nan", "valid datetime"),
        ("started_at", "99999999999999999", "outside the years 1 to 9999"),
        ("expires_on", "1e300", "outside the years 1 to 9999"),
        ("expires_on", "yesterday", "valid date"),
        ("count", "seven", "valid integer"),
        ("open", "perhaps", "valid boolean"),
    ],
)
def test_a_bad_value_in_a_hash_is_named(field, stored, reason):
    with pytest.raises(DocumentDecodeError) as error:
        session(**{field: stored})
    assert (error.value.key, error.value.field) == ("shop:session:s1", field)
    assert reason in error.value.reason
    for part in (f"{Session.__module__}.Session", "shop:session:s1", field, repr(stored)):
        assert part in error.value.message


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"lines": [{"added_at": 0}, {"added_at": 1e15}]}, "lines[1].added_at"),
        ({"stops": {"x": {"added_at": -1e15}}}, "stops.x.added_at"),
        ({"pair": ["x", 1e17]}, "pair[1]"),
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
    with pytest.raises(DocumentDecodeError) as error:
        order(**members)
    assert error.value.field == field
    assert error.value.key == "shop:order:o1"


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b'"x"', b"1", b"\xff", b'{"created_at": 0} {}'])
def test_anything_but_a_json_object_raises_an_error(text):
    with pytest.raises(
        DocumentDecodeError, match=r"shop:order:o1: the document has the invalid value .*not (a )?JSON"
    ):
        document_from_json(Order, "o1", text)


def test_text_outside_the_encoding_raises_an_error():
    with pytest.raises(DocumentDecodeError) as error:
        document_from_hash(Session, "s1", {b"started_at": b"0", b"note": b"\xff\xfe"})
    assert (error.value.field, error.value.reason) == ("note", "not valid utf-8 text")


def test_long_values_are_cut():
    with pytest.raises(DocumentDecodeError) as error:
        session(count="9" * 500 + "x")
    assert len(error.value.message) < 400
    assert shortened("x" * 500) == "'" + "x" * 76 + "..."
    assert shortened("short") == "'short'"


@pytest.mark.parametrize(
    "error",
    [
        DocumentDecodeError("Order", "shop:order:o1", "o1", "due", "x", "bad", reasons={"due": "bad"}),
        WrongKeyTypeError("shop:order:o1", "JSON"),
        IndexNotFoundError("an-index", "shop"),
        CommandError("OOM", code="OOM"),
        QuerySyntaxError("message", "hint", field="f", value=[1], code="E7"),
        FieldExpiryNotSupportedError("unknown command"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_can_be_sent_to_another_process(error):
    received = pickle.loads(pickle.dumps(error))
    assert type(received) is type(error)
    assert (str(received), received.args) == (str(error), error.args)
    assert vars(received) == vars(error)


def test_several_errors_are_counted():
    with pytest.raises(DocumentDecodeError, match=r"and 1 more"):
        session(count="x", ratio="y")


@given(st.dictionaries(st.binary(max_size=8), st.binary(max_size=8), max_size=4), st.binary(max_size=8))
def test_any_hash_is_read_or_refused_with_our_error(fields, value):
    for stored in (fields, fields | {b"started_at": value}, fields | {b"started_at": b"0", b"count": value}):
        try:
            assert isinstance(document_from_hash(Session, "s1", stored), Session)
        except DocumentDecodeError as error:
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
    except DocumentDecodeError as error:
        assert error.key == "shop:order:o1"
