"""For random pairs of models: the file that `om migrate create` writes makes a server fit the new one, and back.

Everything is real but the command line: model classes, files, documents that the models save, indexes, a server.
"""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple
from uuid import UUID

import redis
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from redstart import Field, HashModel, JsonModel, Migrator
from redstart.mapping.model_info import declare
from redstart.migrations.data.results import RunOptions
from redstart.migrations.files.autodetector import detect
from redstart.migrations.files.graph import require_valid, state_after
from redstart.migrations.files.migration_file import load_files
from redstart.migrations.files.questions import NO, RENAME, Question, QuestionKind
from redstart.migrations.files.writer import migration_source
from redstart.migrations.indexes.expand import ExpansionOptions
from redstart.migrations.operations.state import state_of_models
from redstart.values.types import Storage
from tests.migrations.operations.strategies import ALL
from tests.migrations.test_file_migration import documents
from tests.migrations.test_project_migrations import do, files
from tests.support.models import registry_of_its_own
from tests.support.snapshot import difference
from tests.support.soak import SOAK

PLAIN: dict[str, Any] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "Decimal": Decimal,
    "UUID": UUID,
    "datetime": datetime,
    "date": date,
    "Literal['new', 'paid']": Literal["new", "paid"],
}
LISTS: dict[str, Any] = {"list[str]": list[str], "list[int]": list[int]}
TYPES = PLAIN | LISTS
INDEXED = ("str", "int", "float", "datetime", "date")
NAMES = ("alpha", "beta", "gamma", "delta")
EXPIRY = 4_102_444_800_000


class FieldSpec(NamedTuple):
    """A field as an application declares it."""

    type: str
    is_optional: bool
    is_indexed: bool
    renamed_from: str | None = None

    def declared(self) -> tuple[Any, Any]:
        options: dict[str, Any] = {"index": True} if self.is_indexed else {}
        if self.renamed_from is not None:
            options["renamed_from"] = self.renamed_from
        if self.is_optional:
            return TYPES[self.type] | None, Field(default=None, **options)
        return TYPES[self.type], Field(**options)


class ModelSpec(NamedTuple):
    """A model as an application declares it."""

    storage: Storage
    prefix: str
    fields: dict[str, FieldSpec]

    @property
    def is_indexed(self) -> bool:
        return any(one.is_indexed for one in self.fields.values())

    def model(self, client: redis.Redis) -> Any:
        """Return the class, which is called shop.Order in each version of the application."""
        declared = {name: one.declared() for name, one in self.fields.items()}
        base = HashModel if self.storage is Storage.HASH else JsonModel
        meta = {"global_key_prefix": "shop", "model_key_prefix": self.prefix, "database": client}
        body: dict[str, Any] = {
            "__module__": "shop",
            "__qualname__": "Order",
            "__annotations__": {name: annotation for name, (annotation, _) in declared.items()},
            "Meta": type("Meta", (), meta),
        }
        body |= {name: field for name, (_, field) in declared.items()}
        options = {"index": True} if self.is_indexed else {}
        return type(base)("Order", (base,), body, **options)

    def values(self) -> st.SearchStrategy[dict[str, Any]]:
        """Return the values of a document."""
        return st.fixed_dictionaries(
            {
                name: ALL[one.type] | st.none() if one.is_optional else ALL[one.type]
                for name, one in self.fields.items()
            }
        )


@st.composite
def field_specs(draw: st.DrawFn, storage: Storage) -> FieldSpec:
    kind = draw(st.sampled_from(list(PLAIN if storage is Storage.HASH else TYPES)))
    return FieldSpec(kind, draw(st.booleans()), kind in INDEXED and draw(st.booleans()))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[ModelSpec, ModelSpec]:
    """Return a model, and what the next version of the application makes of it."""
    storage = draw(st.sampled_from(list(Storage)))
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1, max_size=3))
    old = {name: draw(field_specs(storage)) for name in names}
    new: dict[str, FieldSpec] = {}
    for name, one in old.items():
        match draw(st.sampled_from(["keep", "retype", "rename", "declare", "remove", "change"])):
            case "retype":
                new[name] = draw(field_specs(storage))
            case "rename":
                new[f"{name}_new"] = one
            case "declare":
                new[f"{name}_new"] = one._replace(renamed_from=name)
            case "change":
                is_indexed = one.type in INDEXED and not one.is_indexed
                new[name] = one._replace(is_optional=draw(st.booleans()), is_indexed=is_indexed)
            case "keep":
                new[name] = one
    if draw(st.booleans()):
        new["added"] = draw(field_specs(storage))
    prefix = draw(st.sampled_from(["order", "order", "order", "purchase"]))
    return ModelSpec(storage, "order", old), ModelSpec(storage, prefix, new)


def create(root: Path, name: str, model: Any, data: st.DataObject) -> None:
    """Write a file as `om migrate create` does; the answers to its questions are random."""
    found = load_files(root)
    before, after = state_after(found.files.values()), state_of_models([declare(model)])
    answers: dict[Question, Any] = {}
    while True:
        detected = detect(before, after, answers)
        if not detected.questions:
            break
        for question in detected.questions:
            assume(question.kind is not QuestionKind.REPLACED_MODEL)
            answers[question] = answer(question, after.models["shop.Order"], data)
    require_valid(detected.operations, before)
    source = migration_source(name, detected.operations, list(found.files))
    (root / f"{name}.py").write_text(source, encoding="utf-8")
    loaded = load_files(root)
    assert loaded.problems == ()
    assert state_after(loaded.files.values()) == after


def answer(question: Question, model: Any, data: st.DataObject) -> Any:
    if question.kind is QuestionKind.VALUE:
        return data.draw(ALL[model.field_at(question.new, question.within).type])
    if question.kind is QuestionKind.MOVED_KEYS:
        return RENAME
    return data.draw(
        st.sampled_from([RENAME, NO]) if RENAME in question.choices else st.sampled_from(question.choices)
    )


def require_fit(client: redis.Redis, model: Any, pks: set[str], failed: set[str], is_indexed: bool) -> None:
    """Assert that a model reads and finds its documents, except those with values that could not be changed."""
    for pk in pks - failed:
        assert model.get(pk).pk == pk
    assert set(model.all_pks()) == pks
    migrator = Migrator(conn=client)
    migrator.detect_migrations()
    assert migrator.migrations == []
    if is_indexed:
        assert len(pks - failed) <= model.find().count() <= len(pks)


@settings(
    max_examples=150 if SOAK else 12,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(pair=pairs(), data=st.data())
def test_a_created_file_makes_the_server_fit_the_new_model_and_back(
    client: redis.Redis, pair: tuple[ModelSpec, ModelSpec], data: st.DataObject
) -> None:
    client.execute_command("FLUSHALL", "SYNC")
    old, new = pair
    options = ExpansionOptions(accept_unindexed=True)
    with TemporaryDirectory() as directory, registry_of_its_own():
        root = Path(directory)
        before = old.model(client)
        create(root, "20260101_000000_old", before, data)
        assert do(client, files(client, root).run(RunOptions(), options)).stopped is None
        stored = data.draw(st.lists(old.values(), min_size=1, max_size=4))
        pks = {str(number) for number in range(len(stored))}
        for number, values in enumerate(stored):
            before(pk=str(number), **values).save()
        client.pexpireat(before.make_primary_key("0"), EXPIRY)
        bytes_before, read_before = documents(client), [before.get(pk) for pk in sorted(pks)]
        require_fit(client, before, pks, set(), old.is_indexed)
        with registry_of_its_own():
            after = new.model(client)
            create(root, "20260102_000000_new", after, data)
            result = do(client, files(client, root).run(RunOptions(), options))
            assert result.stopped is None
            failures = [failure for one in result.files for failure in one.result.failures.first]
            failed = {failure.key.rpartition(":")[2] for failure in failures}
            require_fit(client, after, pks, failed, new.is_indexed)
            do(client, files(client, root).contract(RunOptions()))
            require_fit(client, after, pks, failed, new.is_indexed)
        undone = do(client, files(client, root).roll_back("20260102_000000_new", options))
        assert undone.is_complete
        assert difference(bytes_before, documents(client)) == []
        assert [before.get(pk) for pk in sorted(pks)] == read_before
        require_fit(client, before, pks, set(), old.is_indexed)
