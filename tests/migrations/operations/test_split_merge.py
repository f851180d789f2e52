"""SplitField and MergeFields, which are each other's inverse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redstart.errors import MigrationStateError, NotConvertibleError
from redstart.migrations.operations.document import Document
from redstart.migrations.operations.field_state import FieldState
from redstart.migrations.operations.split_merge import MergeFields, SplitField
from redstart.values.types import Storage
from tests.migrations.operations.strategies import MODEL, STORAGES, document, project
from tests.migrations.operations.test_fields import bound, check_exact, check_forward

storages = pytest.mark.parametrize("storage", STORAGES)
WORDS = st.text("abü'", min_size=0, max_size=3)
NAME, FIRST, LAST = (FieldState(name, "str") for name in ("name", "first", "last"))


@storages
@given(first=WORDS, last=WORDS)
def test_a_text_is_split_and_merged_exactly(storage: Storage, first: str, last: str) -> None:
    split = bound(SplitField(MODEL, "name", [FIRST, LAST]), project(storage, NAME))
    merge = bound(MergeFields(MODEL, ["first", "last"], NAME), project(storage, FIRST, LAST))
    whole = document(storage, {"name": f"{first} {last}", "other": "x"})
    parts = document(storage, {"first": first, "last": last, "other": "x"})
    assert split.forward(whole) == parts
    assert merge.forward(parts) == whole
    check_exact(split, whole)
    check_exact(merge, parts)
    assert not split.is_pending(parts)
    assert not merge.is_pending(whole)


@pytest.mark.parametrize(
    ("at", "text", "parts"),
    [
        (None, "Ada Lovelace", ("Ada", "Lovelace")),
        ("last", "Ada King Lovelace", ("Ada King", "Lovelace")),
        ("first", "Ada King Lovelace", ("Ada", "King Lovelace")),
    ],
)
@storages
def test_which_separators_count(storage: Storage, at: str | None, text: str, parts: tuple[str, str]) -> None:
    change = bound(SplitField(MODEL, "name", [FIRST, LAST], at=at), project(storage, NAME))  # type: ignore[arg-type]
    one = document(storage, {"name": text})
    check_exact(change, one)
    assert change.forward(one) == document(storage, dict(zip(("first", "last"), parts, strict=True)))


@storages
@pytest.mark.parametrize(
    ("at", "text", "count"), [(None, "Ada", 1), (None, "Ada King Lovelace", 3), ("last", "Ada", 1)]
)
def test_a_text_with_another_number_of_parts_is_a_failure(
    storage: Storage, at: str | None, text: str, count: int
) -> None:
    change = SplitField(MODEL, "name", [FIRST, LAST], at=at).bind(project(storage, NAME))  # type: ignore[arg-type]
    with pytest.raises(NotConvertibleError, match=f"name: {count} parts instead of 2"):
        change.forward(document(storage, {"name": text}))


@storages
def test_parts_that_could_not_be_split_again_are_a_failure(storage: Storage) -> None:
    change = MergeFields(MODEL, ["first", "last"], NAME).bind(project(storage, FIRST, LAST))
    with pytest.raises(NotConvertibleError, match="first: it contains the separator ' '"):
        change.forward(document(storage, {"first": "Ada King", "last": "Lovelace"}))
    with pytest.raises(NotConvertibleError, match="last: no value, while other parts have one"):
        change.forward(document(storage, {"first": "Ada"}))


@storages
def test_a_document_with_both_is_a_failure_unless_they_are_equal(storage: Storage) -> None:
    change = SplitField(MODEL, "name", [FIRST, LAST]).bind(project(storage, NAME))
    parts = {"first": "a", "last": "b"}
    assert check_forward(change, document(storage, {"name": "a b", **parts})) == document(storage, parts)
    with pytest.raises(NotConvertibleError, match="name: first exists, too, and has another value"):
        change.forward(document(storage, {"name": "c d", **parts}))


@storages
def test_none_is_split_into_none(storage: Storage) -> None:
    name, first, last = (one.replaced(is_optional=True) for one in (NAME, FIRST, LAST))
    change = bound(SplitField(MODEL, "name", [first, last]), project(storage, name))
    one = document(storage, {"name": None})
    assert change.forward(one) == document(storage, {"first": None, "last": None})
    assert change.backward(change.forward(one)) == one


def test_a_value_that_is_no_text_is_a_failure() -> None:
    change = SplitField(MODEL, "name", [FIRST, LAST]).bind(project(Storage.JSON, NAME))
    with pytest.raises(NotConvertibleError, match="name: not text, but a JSON number"):
        change.forward(Document.of_json(b'{"name":1}'))


def test_fields_of_embedded_models_are_split() -> None:
    lines = FieldState("lines", "list[object]", fields=[NAME])
    change = bound(SplitField(MODEL, "name", [FIRST, LAST], within="lines[]"), project(Storage.JSON, lines))
    one = Document.of_json(b'{"lines":[{"name":"a b"},{}]}')
    assert change.forward(one) == Document.of_json(b'{"lines":[{"first":"a","last":"b"},{}]}')
    check_exact(change, one)


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (SplitField(MODEL, "name", [FIRST]), "two or more parts"),
        (SplitField(MODEL, "name", [FIRST, LAST], separator=""), "requires a separator"),
        (SplitField(MODEL, "name", [NAME, LAST]), "names of their own"),
        (
            SplitField(MODEL, "name", [FIRST, FieldState("last", "int")]),
            "last is int, but all fields have to be str",
        ),
        (SplitField(MODEL, "name", [FIRST, LAST.replaced(is_optional=True)]), "last is str or None"),
        (SplitField(MODEL, "key", [FIRST, LAST]), "'key' is the primary key"),
        (SplitField(MODEL, "absent", [FIRST, LAST]), "has no field 'absent'"),
        (MergeFields(MODEL, ["name", "key"], FieldState("x", "str")), "'key' is the primary key"),
        (MergeFields(MODEL, ["name", "number"], FieldState("x", "str")), "number is int"),
    ],
)
def test_an_operation_that_does_not_fit_is_an_error(
    operation: SplitField | MergeFields, message: str
) -> None:
    before = project(
        Storage.HASH, NAME, FieldState("key", "str"), FieldState("number", "int"), primary_key="key"
    )
    with pytest.raises(MigrationStateError, match=message):
        operation.apply(before)
