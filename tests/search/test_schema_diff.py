"""What differs between two indexes, and how it is said: a change of type is one that documents may fall out by."""

from dataclasses import replace

from redstart.search.schema import (
    FieldAdded,
    FieldChanged,
    FieldKind,
    FieldRemoved,
    Index,
    IndexField,
    difference,
)
from redstart.values.types import Storage

NAME = IndexField("name", "name", FieldKind.TAG, separator="|")
OLD_DATE = IndexField("at", "at", FieldKind.TAG, separator="|")
NEW_DATE = IndexField("at", "at", FieldKind.NUMERIC)
AGE = IndexField("age", "age", FieldKind.NUMERIC)
BEFORE = Index("i", Storage.HASH, ("p:",), (NAME, OLD_DATE))


def test_nothing_differs_whatever_the_name_and_the_spelling() -> None:
    sorted_before = replace(BEFORE, fields=(NAME, replace(AGE, sortable=True)))
    sorted_after = replace(
        BEFORE, name="j", fields=(NAME, replace(AGE, sortable=True, unnormalized=True)), parts=(1, 0, 1)
    )
    found = difference(sorted_before, sorted_after)
    assert not found
    assert str(found) == "No differences."


def test_a_date_that_becomes_a_number_changes_its_type() -> None:
    found = difference(BEFORE, replace(BEFORE, fields=(NAME, NEW_DATE)))
    assert found.changes == (FieldChanged(OLD_DATE, NEW_DATE, Storage.HASH),)
    assert str(found) == "at changes its type from TAG to NUMERIC."


def test_all_else_needs_a_rebuild_only() -> None:
    after = Index("i", Storage.HASH, ("q:",), (replace(NAME, separator=","), AGE), options=("NOFREQS",))
    found = difference(BEFORE, after)
    assert FieldAdded(AGE) in found.changes and FieldRemoved(OLD_DATE) in found.changes
    assert str(found).splitlines() == [
        "the key prefixes change from 'p:' to 'q:'.",
        "the options of the index change from no options to NOFREQS.",
        "name changes from 'name TAG SEPARATOR |' to 'name TAG SEPARATOR ,'.",
        "at (TAG) is removed.",
        "age is added as NUMERIC.",
    ]


def test_another_storage() -> None:
    found = difference(BEFORE, replace(BEFORE, storage=Storage.JSON))
    assert "the document type changes from HASH to JSON." in str(found)


def test_a_moved_path_is_a_change_of_the_field() -> None:
    tolerant = replace(OLD_DATE, identifier='$.at[?(@>"")]')
    json = replace(BEFORE, storage=Storage.JSON, fields=(replace(OLD_DATE, identifier="$.at"),))
    found = difference(json, replace(json, fields=(tolerant,)))
    assert (
        str(found)
        == "at changes from '$.at AS at TAG SEPARATOR |' to '$.at[?(@>\"\")] AS at TAG SEPARATOR |'."
    )
