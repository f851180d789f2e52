"""Operations on whole models, and AlterIndex."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redstart.errors import MigrationStateError, NotConvertibleError
from redstart.migrations.operations.base import Operation
from redstart.migrations.operations.document import Document
from redstart.migrations.operations.field_state import FieldState
from redstart.migrations.operations.models import (
    AlterIndex,
    ChangeKeyPrefix,
    ChangeStorage,
    CreateModel,
    RemoveModel,
    RenameModel,
)
from redstart.migrations.operations.state import ModelState, ProjectState
from redstart.search.schema import FieldKind, Index, IndexField
from redstart.values.types import Storage
from tests.migrations.operations.strategies import MODEL, VALUES, document, models, project
from tests.migrations.operations.test_fields import bound, check_exact


@given(one=models("shop.models.Order"), index=st.booleans())
def test_each_operation_has_an_inverse(one: ModelState, index: bool) -> None:
    without = ProjectState()
    before = CreateModel(one).apply(without)
    assert before.models == {one.name: one}
    after = Index("orders", Storage.HASH, (":o:",), (IndexField("n", "n", FieldKind.TAG),)) if index else None
    operations: list[Operation] = [
        RemoveModel(one.name),
        RenameModel(one.name, "shop.models.Purchase"),
        ChangeKeyPrefix(one.name, one.key_prefix, ":new:", suffix_before=one.key_suffix, suffix_after=":x"),
        AlterIndex(one.name, before=one.index, after=after),
    ]
    for operation in operations:
        inverse = operation.inverse(before)
        assert inverse is not None
        assert inverse.apply(operation.apply(before)) == before
        assert operation.describe().endswith(".")
    assert CreateModel(one).inverse(without).apply(before) == without


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (CreateModel(ModelState(MODEL, key_prefix=":", storage=Storage.HASH)), "exists already"),
        (RemoveModel("shop.models.Oder"), "does not exist at this point"),
        (RenameModel("a.B", MODEL), "'a.B' does not exist"),
        (RenameModel(MODEL, MODEL), "exists already"),
        (ChangeKeyPrefix(MODEL, ":other:", ":new:"), r"before this operation are :order:\*, not :other:\*"),
        (AlterIndex(MODEL, before=Index("i", Storage.HASH, (), ()), after=None), "is not the one before"),
        (ChangeStorage(MODEL, Storage.JSON, Storage.HASH), "cannot change from JSON to HASH"),
        (ChangeStorage(MODEL, Storage.HASH, Storage.HASH), "cannot change from HASH to HASH"),
    ],
)
def test_an_operation_that_does_not_fit_is_an_error(operation: Operation, message: str) -> None:
    with pytest.raises(MigrationStateError, match=message):
        operation.apply(project(Storage.HASH, FieldState("n", "int")))


def test_an_unknown_model_is_answered_with_a_similar_one() -> None:
    with pytest.raises(MigrationStateError) as raised:
        project(Storage.HASH).model("shop.models.Oder")
    assert raised.value.hint == "Did you mean 'shop.models.Order'?"


@given(data=st.data())
def test_a_hash_becomes_json_and_a_hash_again(data: st.DataObject) -> None:
    members = [FieldState(f"f{at}", name) for at, name in enumerate(VALUES)]
    members.append(FieldState("none", "int", is_optional=True))
    values = {one.name: data.draw(VALUES[one.type]) for one in members[:-1]}
    change = bound(ChangeStorage(MODEL, Storage.HASH, Storage.JSON), project(Storage.HASH, *members))
    old = document(Storage.HASH, {**values, "none": None, "undeclared": "text"})
    new = document(Storage.JSON, {**values, "none": None, "undeclared": "text"})
    assert change.forward(old) == new
    check_exact(change, old)
    assert not change.is_pending(new)
    back = bound(ChangeStorage(MODEL, Storage.JSON, Storage.HASH), project(Storage.JSON, *members))
    assert back.forward(new) == old


def test_vectors_are_bytes_in_a_hash_and_a_list_in_json() -> None:
    change = ChangeStorage(MODEL, Storage.HASH, Storage.JSON).bind(
        project(Storage.HASH, FieldState("v", "vector[FLOAT32, 2]"))
    )
    one = Document.of_hash({"v": b"\x00\x00\x80?\x00\x00\x00@"})
    assert change.forward(one) == Document.of_json(b'{"v":[1.0,2.0]}')
    assert change.backward(change.forward(one)) == one


def test_a_value_that_the_other_storage_cannot_hold_is_a_failure() -> None:
    change = ChangeStorage(MODEL, Storage.HASH, Storage.JSON).bind(
        project(Storage.HASH, FieldState("n", "float"))
    )
    with pytest.raises(NotConvertibleError, match="n: JSON cannot represent the number inf: inf"):
        change.forward(Document.of_hash({"n": b"inf"}))
    with pytest.raises(NotConvertibleError, match="other: not valid utf-8 text"):
        change.forward(Document.of_hash({"other": b"\xff"}))


def test_lists_prevent_hashes() -> None:
    with pytest.raises(
        MigrationStateError, match=r"hashes, which cannot store 'tags' of the type list\[str\]"
    ):
        ChangeStorage(MODEL, Storage.JSON, Storage.HASH).apply(
            project(Storage.JSON, FieldState("tags", "list[str]"))
        )


def test_a_change_of_an_index_is_described() -> None:
    before = Index("orders", Storage.HASH, (":o:",), (IndexField("n", "n", FieldKind.TAG),))
    after = Index("orders", Storage.HASH, (":o:",), (IndexField("n", "n", FieldKind.NUMERIC),))
    named = Index("purchases", Storage.HASH, (":o:",), before.fields)
    described = {
        AlterIndex(MODEL, before=before, after=after).describe(),
        AlterIndex(MODEL, before=before, after=named).describe(),
        AlterIndex(MODEL, before=None, after=after).describe(),
        AlterIndex(MODEL, before=before, after=None).describe(),
    }
    assert described == {
        "Change the index of Order: n changes its type from TAG to NUMERIC.",
        "Change the index of Order: its name changes from orders to purchases.",
        "Create an index of Order.",
        "Drop the index of Order.",
    }
