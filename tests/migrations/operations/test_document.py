"""A document in memory, and the changes between two of them."""

import pytest
from hypothesis import given

from redstart.errors import ValueConversionError
from redstart.mapping.value_paths import Each
from redstart.migrations.operations.document import Change, Document, changes
from redstart.values.lossless_json import parse_json
from redstart.values.types import Storage
from tests.migrations.operations.strategies import HASHES, JSON_DOCUMENTS


def applied(document: Document, made: list[Change]) -> Document:
    """Return the document after changes, as the engine writes them."""
    found = document.copy()
    for path, old, new in made:
        assert found.has(path) == (old is not None)
        if new is None:
            found.remove(path)
        else:
            found.set(path, new if found.storage is Storage.HASH else parse_json(new))
    return found


@given(before=HASHES, after=HASHES)
def test_changes_of_a_hash_lead_from_one_to_the_other(before: Document, after: Document) -> None:
    made = changes(before, after)
    assert applied(before, made) == after
    assert all(old != new for _, old, new in made)
    assert {path[0] for path, _, _ in made} == {
        name
        for name in before.root.keys() | after.root.keys()
        if before.root.get(name) != after.root.get(name)
    }


@given(before=JSON_DOCUMENTS, after=JSON_DOCUMENTS)
def test_changes_of_json_lead_from_one_to_the_other(before: Document, after: Document) -> None:
    made = changes(before, after)
    assert applied(before, made) == after
    assert all(old != new for _, old, new in made)
    # None of them can be left out, and none is inside another.
    for one in made:
        assert applied(before, [other for other in made if other is not one]) != after
        assert not any(other.path[: len(one.path)] == one.path for other in made if other is not one)


@given(document=JSON_DOCUMENTS)
def test_a_document_does_not_differ_from_itself(document: Document) -> None:
    assert changes(document, document.copy()) == []
    assert Document.of_json(document.json_text()) == document


def test_only_the_changed_members_of_an_object_change_and_a_list_changes_as_a_whole() -> None:
    before = Document.of_json(b'{"a":{"b":1,"c":[1,2]},"d":"x"}')
    after = Document.of_json(b'{"a":{"b":1,"c":[1,3],"e":{}},"d":"x"}')
    assert changes(before, after) == [
        Change(("a", "c"), b"[1,2]", b"[1,3]"),
        Change(("a", "e"), None, b"{}"),
    ]


@pytest.mark.parametrize(
    ("one", "other", "are_equal"),
    [
        (b'{"a":1}', b'{"a":"1"}', False),
        (b'{"a":1}', b'{"a":1.0}', False),
        (b'{"a":true}', b'{"a":1}', False),
        (b'{"a":null}', b"{}", False),
        (b'{"a":1e16}', b'{"a":10000000000000000.0}', True),
        (b'{"a":1,"b":2}', b'{"b":2,"a":1}', True),
        (b'{"a":12345678901234567890}', b'{"a":12345678901234567891}', False),
    ],
)
def test_values_are_equal_if_they_are_stored_alike(one: bytes, other: bytes, are_equal: bool) -> None:
    assert (Document.of_json(one) == Document.of_json(other)) is are_equal
    assert (changes(Document.of_json(one), Document.of_json(other)) == []) is are_equal


def test_objects_are_found_in_lists_and_maps() -> None:
    document = Document.of_json(b'{"lines":[{"sku":1},2,{"sku":3}],"stops":{"it\'s":{"at":4},"b":5}}')
    assert [location for location, _ in document.holders(("lines", Each.ITEM))] == [
        ("lines", 0),
        ("lines", 2),
    ]
    assert list(document.holders(("stops", Each.VALUE))) == [(("stops", "it's"), {"at": "4"})]
    assert list(document.holders(("nowhere", Each.ITEM))) == []


def test_what_is_no_json_object_is_an_error() -> None:
    with pytest.raises(ValueConversionError, match="not a JSON object"):
        Document.of_json(b"[1]")


def test_a_value_in_an_absent_object_is_a_key_error() -> None:
    document = Document.of_json(b'{"a":1}')
    for call in (document.get, document.remove, lambda path: document.set(path, None)):
        with pytest.raises(KeyError):
            call(("a", "b"))
    assert not document.has(("a", "b"))


def test_a_hash_and_json_are_not_compared() -> None:
    with pytest.raises(ValueError, match="no changes in common"):
        changes(Document.of_hash({}), Document.of_json(b"{}"))
