"""AddField, RemoveField, AlterField, RenameField and MoveField: laws for any document, and single cases."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redstart.errors import MigrationStateError, NotConvertibleError
from redstart.mapping.value_paths import display
from redstart.migrations.operations.base import DocumentChange, DocumentOperation, DocumentPipeline
from redstart.migrations.operations.conversion import ConvertField
from redstart.migrations.operations.document import Document, changes
from redstart.migrations.operations.field_state import NO_DEFAULT, FieldState
from redstart.migrations.operations.fields import AddField, AlterField, RemoveField
from redstart.migrations.operations.moved_fields import MoveField, RenameField
from redstart.migrations.operations.split_merge import MergeFields, SplitField
from redstart.migrations.operations.state import ProjectState
from redstart.values.types import Storage
from tests.migrations.operations.strategies import (
    ALL,
    HASHES,
    JSON_DOCUMENTS,
    MODEL,
    STORAGES,
    document,
    fields,
    project,
    types,
)

storages = pytest.mark.parametrize("storage", STORAGES)


def bound(operation: DocumentOperation, before: ProjectState) -> DocumentChange:
    """Return the change of an operation, whose inverse leads back to the same models."""
    after = operation.apply(before)
    inverse = operation.inverse(before)
    assert inverse is not None
    assert inverse.apply(after) == before
    assert operation.describe().endswith(".")
    return operation.bind(before)


def check_forward(change: DocumentChange, one: Document) -> Document:
    """Return the document after a change, which is complete, and leaves its argument unchanged."""
    original = one.copy()
    changed = change.forward(one)
    assert one == original
    assert not change.is_pending(changed)
    assert change.forward(changed) == changed
    assert change.is_pending(one) == (changed != one)
    return changed


def check_exact(change: DocumentChange, one: Document) -> None:
    assert change.is_pending(one)
    assert change.backward(check_forward(change, one)) == one
    assert change.restores(one)
    # What the old version writes after the run is in the old shape, and stays as it is.
    assert change.backward(one) == one


def old_fields(storage: Storage, name: str) -> st.SearchStrategy[FieldState]:
    return fields(storage, name, nested=False).filter(lambda one: not one.is_generated)


@storages
@given(data=st.data())
def test_an_added_field_has_its_default_where_it_is_absent(storage: Storage, data: st.DataObject) -> None:
    added = data.draw(old_fields(storage, "added"))
    change = bound(AddField(MODEL, added), project(storage, FieldState("other", "str")))
    old = document(storage, {"other": data.draw(ALL["str"])})
    is_written = added.default is not NO_DEFAULT and not (added.default is None and storage is Storage.HASH)
    assert change.is_pending(old) is is_written
    if not is_written:
        assert change.forward(old) == old
        return
    check_exact(change, old)
    assert change.forward(old).get(("added",)) == document(storage, {"added": added.default}).get(("added",))
    new = document(storage, {"other": "x", "added": data.draw(ALL[added.type])})
    assert not change.is_pending(new)
    assert change.backward(new) == document(storage, {"other": "x"})


@storages
def test_an_added_field_may_get_another_value_than_its_default(storage: Storage) -> None:
    change = bound(AddField(MODEL, FieldState("added", "int"), fill=7), project(storage))
    assert change.forward(document(storage, {})) == document(storage, {"added": 7})
    with pytest.raises(MigrationStateError, match="cannot be stored"):
        AddField(MODEL, FieldState("added", "int"), fill=object()).bind(project(storage))


def test_a_generated_or_required_field_is_added_to_no_document() -> None:
    for added in (FieldState("a", "str", is_generated=True), FieldState("a", "str")):
        assert not bound(AddField(MODEL, added), project(Storage.JSON)).is_pending(Document.of_json(b"{}"))


@storages
@given(data=st.data())
def test_a_removed_field_is_absent_and_backward_gives_its_default(
    storage: Storage, data: st.DataObject
) -> None:
    removed = data.draw(fields(storage, "removed", nested=False))
    change = bound(RemoveField(MODEL, "removed"), project(storage, removed))
    old = document(storage, {"removed": data.draw(ALL[removed.type])})
    new = check_forward(change, old)
    assert new == document(storage, {})
    if not change.has_backward:
        with pytest.raises(NotConvertibleError, match="removed: the operation has no inverse"):
            change.backward(new)
    elif removed.is_generated:
        assert change.backward(new) == new
    else:
        default = None if removed.default is NO_DEFAULT else removed.default
        assert change.backward(new) == document(storage, {"removed": default})
    assert change.backward(old) == old


@storages
@given(data=st.data())
def test_a_renamed_field_keeps_its_bytes(storage: Storage, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(types(storage)))
    before = project(storage, FieldState("old", kind), FieldState("other", "str"))
    change = bound(RenameField(MODEL, "old", "new"), before)
    value, other = data.draw(ALL[kind]), data.draw(ALL["str"])
    old = document(storage, {"old": value, "other": other})
    check_exact(change, old)
    new = document(storage, {"new": value, "other": other})
    assert change.forward(old) == new
    assert list(change.forward(old).root) == ["new", "other"]
    assert not change.is_pending(new)
    assert change.backward(new) == old


@given(one=HASHES | JSON_DOCUMENTS)
def test_whatever_else_a_document_contains_a_rename_does_not_change_it(one: Document) -> None:
    change = RenameField(MODEL, "alpha", "beta").bind(project(one.storage, FieldState("alpha", "str")))
    if one.has(("alpha",)) and not one.has(("beta",)):
        check_exact(change, one)
    elif not one.has(("alpha",)):
        assert check_forward(change, one) == one


@storages
@pytest.mark.parametrize(("keep", "kept"), [("old", "x"), ("new", "y")])
def test_a_document_with_both_names_is_a_failure_unless_the_operation_states_which_stays(
    storage: Storage, keep: Any, kept: str
) -> None:
    before = project(storage, FieldState("old", "str"))
    both = document(storage, {"old": "x", "new": "y"})
    with pytest.raises(NotConvertibleError, match="old: new exists, too, and has another value") as raised:
        RenameField(MODEL, "old", "new").bind(before).forward(both)
    assert raised.value.path == "old"
    assert "x" in raised.value.value
    change = bound(RenameField(MODEL, "old", "new", keep=keep), before)
    assert check_forward(change, both) == document(storage, {"new": kept})
    same = document(storage, {"old": "x", "new": "x"})
    assert RenameField(MODEL, "old", "new").bind(before).forward(same) == document(storage, {"new": "x"})


def test_the_name_of_the_default_primary_key_is_taken() -> None:
    with pytest.raises(MigrationStateError, match="has a field 'pk' already"):
        AddField(MODEL, FieldState("pk", "str")).apply(project(Storage.HASH))


def test_renaming_the_primary_key_field_renames_the_primary_key() -> None:
    before = project(Storage.HASH, FieldState("code", "str"), primary_key="code")
    operation = RenameField(MODEL, "code", "number")
    assert operation.apply(before).model(MODEL).primary_key == "number"
    assert bound(operation, before).is_pending(Document.of_hash({"code": b"1"}))


ADDRESS = FieldState("address", "object", fields=[FieldState("city", "str")])
LINES = FieldState(
    "lines", "list[object]", fields=[FieldState("sku", "str"), FieldState("product", "object")]
)


@given(street=ALL["str"], city=ALL["str"])
def test_a_field_moves_into_an_embedded_model_and_back(street: str, city: str) -> None:
    change = bound(
        MoveField(MODEL, "street", "address.street"),
        project(Storage.JSON, FieldState("street", "str"), ADDRESS),
    )
    old = document(Storage.JSON, {"street": street, "address": {"city": city}})
    check_exact(change, old)
    new = document(Storage.JSON, {"address": {"city": city, "street": street}})
    assert change.forward(old) == new
    assert not change.is_pending(new)
    check_exact(change, document(Storage.JSON, {"street": street}))


def test_a_field_moves_out_of_an_embedded_model() -> None:
    change = bound(MoveField(MODEL, "address.city", "city"), project(Storage.JSON, ADDRESS))
    check_exact(change, Document.of_json(b'{"address":{"city":"x"}}'))
    assert change.forward(Document.of_json(b'{"address":{"city":"x"}}')) == Document.of_json(
        b'{"address":{},"city":"x"}'
    )


def test_a_field_moves_within_each_item_of_a_list() -> None:
    change = bound(MoveField(MODEL, "lines[].sku", "lines[].product.code"), project(Storage.JSON, LINES))
    old = Document.of_json(b'{"lines":[{"sku":"a"},{"sku":"b"},{}]}')
    check_exact(change, old)
    assert change.forward(old) == Document.of_json(
        b'{"lines":[{"product":{"code":"a"}},{"product":{"code":"b"}},{}]}'
    )


def test_a_field_does_not_move_into_a_value_that_is_no_object() -> None:
    before = project(Storage.JSON, FieldState("street", "str"), ADDRESS)
    change = MoveField(MODEL, "street", "address.street").bind(before)
    with pytest.raises(NotConvertibleError, match='address: not an object: "x"'):
        change.forward(Document.of_json(b'{"street":"a","address":"x"}'))


@pytest.mark.parametrize(
    "text", [b'{"lines":[{"a":1},{}],"x":1}', b'{"lines":{"a":1}}', b'{"lines":null}', b"{}"]
)
def test_fields_are_added_to_each_embedded_document(text: bytes) -> None:
    change = bound(
        AddField(MODEL, FieldState("count", "int", default=1), within="lines[]"), project(Storage.JSON, LINES)
    )
    one = Document.of_json(text)
    changed = check_forward(change, one)
    assert change.backward(changed) == one
    assert (changed == one) is (b'lines":[' not in text)


def test_fields_of_embedded_documents_are_renamed_and_removed() -> None:
    before = project(Storage.JSON, LINES)
    one = Document.of_json(b'{"lines":[{"sku":"a","z":1},{"sku":"b"}]}')
    renamed = bound(RenameField(MODEL, "sku", "code", within="lines[]"), before).forward(one)
    assert renamed.json_text() == b'{"lines":[{"code":"a","z":1},{"code":"b"}]}'
    removed = bound(RemoveField(MODEL, "sku", within="lines[]"), before).forward(one)
    assert removed.json_text() == b'{"lines":[{"z":1},{}]}'


@storages
def test_an_altered_field_fills_documents_without_a_value(storage: Storage) -> None:
    optional, required = FieldState("n", "int", is_optional=True, default=None), FieldState("n", "int")
    change = bound(AlterField(MODEL, before=optional, after=required, fill=5), project(storage, optional))
    assert check_forward(change, document(storage, {"n": None})) == document(storage, {"n": 5})
    assert check_forward(change, document(storage, {})) == document(storage, {"n": 5})
    assert not change.is_pending(document(storage, {"n": 0}))
    unfilled = bound(AlterField(MODEL, before=required, after=optional), project(storage, required))
    assert not unfilled.is_pending(document(storage, {}))


def test_an_alteration_that_does_not_fit_is_an_error() -> None:
    n = FieldState("n", "int")
    with pytest.raises(
        MigrationStateError, match=r"n of shop.models.Order is not the field before .*default 1"
    ):
        AlterField(MODEL, before=n.replaced(default=1), after=n).apply(project(Storage.HASH, n))
    with pytest.raises(MigrationStateError, match="changes more than default"):
        AlterField(MODEL, before=n, after=n.replaced(type="str")).apply(project(Storage.HASH, n))


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (AddField(MODEL, FieldState("n", "int")), "has a field 'n' already"),
        (AddField(MODEL, FieldState("key", "str")), "has a field 'key' already"),
        (AddField(MODEL, FieldState("tags", "list[str]")), "stored in hashes, which cannot store 'tags'"),
        (AddField("shop.models.Other", FieldState("m", "int")), "'shop.models.Other' does not exist"),
        (AddField(MODEL, FieldState("m", "int"), within="n"), "no embedded model at 'n'"),
        (AddField(MODEL, FieldState("m", "int"), within="n[]x"), "'n\\[\\]x' is not a path"),
        (RemoveField(MODEL, "m"), "has no field 'm'"),
        (RemoveField(MODEL, "key"), "primary key of shop.models.Order and cannot be removed"),
        (RenameField(MODEL, "m", "o"), "has no field 'm'"),
        (RenameField(MODEL, "n", "key"), "has a field 'key' already"),
        (MoveField(MODEL, "key", "n.key"), "primary key"),
        (MoveField(MODEL, "n", "[]"), "is not the path of a field|not in the same item"),
    ],
)
def test_an_operation_that_does_not_fit_names_the_model_and_the_field(
    operation: DocumentOperation, message: str
) -> None:
    before = project(Storage.HASH, FieldState("n", "int"), FieldState("key", "str"), primary_key="key")
    for call in (operation.apply, operation.bind, operation.inverse):
        with pytest.raises(MigrationStateError, match=message):
            call(before)


@pytest.mark.parametrize(
    ("operation", "path"),
    [
        (AddField(MODEL, FieldState("added", "int", default=1)), "added"),
        (RenameField(MODEL, "a", "b"), "b"),
        (MoveField(MODEL, "a", "o.a"), "o.a"),
        (AlterField(MODEL, FieldState("a", "str"), FieldState("a", "str", default="x"), fill="x"), "a"),
        (ConvertField(MODEL, FieldState("a", "str"), FieldState("a", "int"), on_failure="quarantine"), "a"),  # type: ignore[arg-type]
        (SplitField(MODEL, "a", [FieldState("f", "str"), FieldState("g", "str")]), "g"),
        (MergeFields(MODEL, ["a", "c"], FieldState("w", "str")), "w"),
    ],
)
def test_the_last_written_path_is_that_of_the_new_value(operation: DocumentOperation, path: str) -> None:
    members = [FieldState("a", "str"), FieldState("c", "str"), FieldState("o", "object")]
    change = operation.bind(project(Storage.JSON, *members))
    assert display(tuple(change.writes[-1])) == path
    old = Document.of_json(b'{"a":"1","c":"2","o":{}}')
    if not isinstance(operation, SplitField | AlterField):
        segments = tuple(path.split("."))
        assert change.forward(old).has(segments)
    written = {display(tuple(one)) for one in change.writes}
    if not isinstance(operation, SplitField):
        assert {display(one.path) for one in changes(old, change.forward(old))} <= written


@storages
def test_a_pipeline_makes_only_pending_changes_and_undoes_them_in_reverse(storage: Storage) -> None:
    state = project(storage, FieldState("name", "str"))
    operations: list[DocumentOperation] = [
        RenameField(MODEL, "name", "title"),
        AddField(MODEL, FieldState("count", "int", default=3)),
        RenameField(MODEL, "count", "number"),
    ]
    changes = []
    for operation in operations:
        changes.append(operation.bind(state))
        state = operation.apply(state)
    pipeline = DocumentPipeline(changes[:2])
    old, new = document(storage, {"name": "x"}), document(storage, {"title": "x", "count": 3})
    assert pipeline.is_pending(old)
    assert pipeline.is_pending(document(storage, {"title": "x"}))
    assert check_forward(pipeline, old) == new
    assert pipeline.backward(new) == old
    assert pipeline.reads == (("name",), ("title",), ("count",))
    assert pipeline.decided_by_shape
    assert pipeline.has_backward
