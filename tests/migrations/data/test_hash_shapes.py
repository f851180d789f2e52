"""Hashes whose values are only moved: their fast path makes what the general path makes, whatever the hash."""

from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redstart.commands.keyspace import StreamEntry
from redstart.migrations.data.edit_builder import FailureMode, classify, edits_for
from redstart.migrations.data.edits import DocumentEdits, StoredDocument
from redstart.migrations.data.operation_edits import BoundChange
from redstart.migrations.data.operation_transformation import ModelChanges, OperationTransformation
from redstart.migrations.data.plain_documents import PlainDocuments
from redstart.migrations.data.processed_documents import ProcessedDocuments
from redstart.migrations.data.undo_blob import FORMAT, blob_of
from redstart.migrations.data.undo_log import entry_of, nested_wire
from redstart.migrations.operations.base import DocumentOperation
from redstart.migrations.operations.field_state import FieldState
from redstart.migrations.operations.state import ModelState, ProjectState
from redstart.migrations.transformation import Classification
from redstart.operations import AddField, AlterField, Field, Model, RemoveField, RenameField
from redstart.values.types import Storage

NAMES = ("alpha", "beta", "gamma")
KEY = b"shop:order:1"
MARKS = ProcessedDocuments("marks:", 4)


def field(name: str, **more: Any) -> FieldState:
    return Field(name, "str", **more)


MODEL = Model(
    "shop.Order", key_prefix="shop:order:", storage=Storage.HASH, fields=[field(name) for name in NAMES]
)
RENAME = RenameField("shop.Order", "alpha", "omega")
AGAIN = RenameField("shop.Order", "omega", "psi")
ADD = AddField("shop.Order", field("delta", default="x"))
REMOVE = RemoveField("shop.Order", "gamma")
KEEP_OLD = RenameField("shop.Order", "beta", "sigma", keep="old")

MIGRATIONS: dict[str, list[DocumentOperation]] = {
    "rename": [RENAME],
    "two renames": [RENAME, RenameField("shop.Order", "beta", "sigma")],
    "rename twice": [RENAME, AGAIN],
    "keep old": [KEEP_OLD],
    "add": [ADD],
    "add and rename": [ADD, RenameField("shop.Order", "delta", "epsilon")],
    "remove": [REMOVE],
    "all": [RENAME, ADD, REMOVE, KEEP_OLD],
}
migrations = pytest.mark.parametrize("name", MIGRATIONS)
values = st.none() | st.sampled_from([b"", b"x", b"y", b"\xff\x00"]) | st.binary(max_size=3)


def migration_of(operations: list[DocumentOperation], *, removes: bool) -> OperationTransformation:
    state = ProjectState().with_model(MODEL)
    changes = []
    for operation in operations:
        changes.append(BoundChange(operation.bind(state), is_removal=isinstance(operation, RemoveField)))
        state = operation.apply(state)
    model: ModelState = MODEL
    return OperationTransformation("id", "title", [ModelChanges(model, tuple(changes))], removes=removes)


def hash_for(migration: OperationTransformation, stored: list[bytes | None]) -> StoredDocument:
    (model,) = migration.plan().models
    fields = (stored * len(model.paths))[: len(model.paths)]
    return StoredDocument.of_hash(KEY, model, fields)


def read_again(document: DocumentEdits) -> Any:
    fields = {b"blob": blob_of([document]), b"format": FORMAT, b"applied": b"", b"label": b"1.1"}
    entry = StreamEntry("1-1", fields)
    (read,) = entry_of(entry, None).documents
    return read.key, read.json, read.edits, read.guards, read.is_atomic


@pytest.mark.sample(8)
@migrations
@pytest.mark.parametrize("removes", [False, True])
@given(st.lists(values, min_size=8, max_size=8))
def test_the_fast_path_makes_the_same_edits_entries_and_scripts(
    name: str, removes: bool, stored: list[bytes | None]
) -> None:
    migration = migration_of(MIGRATIONS[name], removes=removes)
    document = hash_for(migration, stored)
    classified = classify(document, migration)
    general = edits_for(document, classified, FailureMode.LOG_AND_SKIP, migration)
    plain, others = PlainDocuments(migration).edits([hash_for(migration, stored)])
    outcomes = [conversion.outcome for _, conversion in classified]
    assert bool(others) == (Classification.UNCONVERTIBLE in outcomes or bool(document.wanted))
    for one in plain:
        assert one.count == general.count
        assert read_again(one) == read_again(general)
        assert wire_of(one) == wire_of(general)
        assert (one.edits, tuple(one.unchanged), tuple(one.marks)) == (
            general.edits,
            tuple(general.unchanged),
            tuple(general.marks),
        )


def wire_of(document: DocumentEdits) -> bytes:
    packed: bytes = msgpack.packb(nested_wire(document, None, MARKS), use_bin_type=False)
    return packed


@pytest.mark.sample(7)
@migrations
@given(st.lists(values, min_size=8, max_size=8))
def test_the_fast_path_counts_as_the_general_path(name: str, stored: list[bytes | None]) -> None:
    migration = migration_of(MIGRATIONS[name], removes=False)
    document = hash_for(migration, stored)
    groups, _ = PlainDocuments(migration).groups([document])
    for counts, alike in groups:
        assert alike == [document]
        assert list(counts) == [
            (value.path, conversion.outcome, conversion.is_default_style)
            for value, conversion in classify(document, migration)
        ]


def test_a_hash_of_the_same_shape_gets_its_own_values() -> None:
    migration = migration_of([RENAME], removes=False)
    plain, _ = PlainDocuments(migration).edits(
        [hash_for(migration, [one, None]) for one in (b"first", b"second")]
    )
    assert [edit.new for document in plain for edit in document.edits] == [b"first", b"second"]


def test_a_migration_that_looks_at_values_has_no_fast_path() -> None:
    fill = AlterField("shop.Order", field("beta"), field("beta"), fill="z")
    migration = migration_of([RENAME, fill], removes=False)
    plain, others = PlainDocuments(migration).edits([hash_for(migration, [b"one", None])])
    assert (len(plain), len(others)) == (0, 1)
