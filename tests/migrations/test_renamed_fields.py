"""Two versions of an application beside the migration of a renamed field: no acknowledged write is lost."""

import json
import random
from typing import Any

import pytest
import redis

from redstart import EmbeddedJsonModel, Field, HashModel, JsonModel
from redstart.mapping.model_info import declare
from redstart.migrations.file_migration import FileMigration
from redstart.migrations.files.autodetector import detect
from redstart.migrations.files.migration_file import Migration, MigrationFile
from redstart.migrations.model_fit import unknown_fields
from redstart.migrations.operations.state import ProjectState, state_of_models
from redstart.operations import AlterIndex, RenameField
from redstart.values.types import Storage
from tests.migrations.test_file_migration import back, contract, do, documents, forward
from tests.support.crash_driver import CrashDriver
from tests.support.migration import small_pieces
from tests.support.registry import models_of_before
from tests.support.snapshot import difference

__all__ = ["models_of_before"]

PREFIX = "renamed:note"


def old_version(storage: Storage) -> Any:
    if storage is Storage.HASH:

        class Note(HashModel, index=True):
            name: str = Field(default="", index=True)
            rank: int = Field(default=0, index=True)

            class Meta:
                model_key_prefix = PREFIX

        return Note

    class Place(EmbeddedJsonModel):
        city: str | None = None

    class Note(JsonModel, index=True):  # type: ignore[no-redef]
        name: str | None = Field(default="", index=True)
        rank: int = Field(default=0, index=True)
        places: list[Place] = Field(default_factory=list)

        class Meta:
            model_key_prefix = PREFIX

    return Note


def new_version(storage: Storage) -> Any:
    if storage is Storage.HASH:

        class Note(HashModel, index=True):
            title: str = Field(default="", index=True, renamed_from="name")
            rank: int = Field(default=0, index=True)

            class Meta:
                model_key_prefix = PREFIX

        return Note

    class Place(EmbeddedJsonModel):
        town: str | None = Field(default=None, renamed_from="city")

    class Note(JsonModel, index=True):  # type: ignore[no-redef]
        title: str | None = Field(default="", index=True, renamed_from="name")
        rank: int = Field(default=0, index=True)
        places: list[Place] = Field(default_factory=list)

        class Meta:
            model_key_prefix = PREFIX

    return Note


def state_of(model: Any) -> ProjectState:
    (state,) = state_of_models([declare(model)]).models.values()
    return ProjectState.of([state.replaced(name="shop.Note")])


class Application:
    """Processes of both versions, which write and read at random, and know what was acknowledged.

    Args:
        storage: of the documents.
        seed: of the choices.
    """

    def __init__(self, storage: Storage, seed: int = 0) -> None:
        self.old, self.new = old_version(storage), new_version(storage)
        self.versions = [self.old, self.new]
        self.expected: dict[str, tuple[Any, Any]] = {}
        self.steps = 0
        self._is_json = storage is Storage.JSON
        self._random = random.Random(seed)

    def migration(self) -> FileMigration:
        before = state_of(self.old)
        found = detect(before, state_of(self.new))
        assert found.questions == ()
        assert all(
            one.keep == "old" if isinstance(one, RenameField) else isinstance(one, AlterIndex)
            for one in found.operations
        )
        file = MigrationFile(
            "20261130_120000_title", "t.py", "0" * 64, "Title", Migration((), found.operations)
        )
        return FileMigration.of(file, before)

    def start(self, count: int = 40) -> None:
        for number in range(count):
            self._write(self.old, f"n{number}", f"first {number}")

    def act(self, _request: str = "") -> None:
        """One step of a process: a write or a read."""
        self.steps += 1
        pk = f"n{self._random.randrange(60)}"
        # A run ends only when the old version pauses.
        model = self.versions[-1] if self.steps % 200 > 100 else self._random.choice(self.versions)
        if self._random.random() < 0.6:
            # Never a value that a run has converted: see "written again" in docs/migration-files.md.
            value: Any = f"step {self.steps}"
            if self._is_json and self._random.random() < 0.2:
                value = None
            self._write(model, pk, value)
        for version in self.versions:
            self.check(version, pk)

    def check(self, model: Any, pk: str) -> None:
        """Read a document in one version, in one of the ways."""
        if pk not in self.expected:
            return
        read = self._random.choice([model.get(pk), *model.get_many([pk])])
        assert self._read(model, read) == self.expected[pk]

    def check_all(self, *models: Any) -> None:
        for model in models:
            for pk in self.expected:
                self.check(model, pk)

    def _names(self, model: Any) -> tuple[str, str]:
        return ("name", "city") if model is self.old else ("title", "town")

    def _read(self, model: Any, document: Any) -> tuple[Any, Any]:
        name, inner = self._names(model)
        places = getattr(document, "places", [])
        return getattr(document, name), getattr(places[0], inner) if places else None

    def _write(self, model: Any, pk: str, value: Any) -> None:
        name, inner = self._names(model)
        places = {"places": [{inner: value}]} if self._is_json else {}
        way = self._random.choice(["new", "save", "update"])
        if way == "new" or pk not in self.expected:
            model(pk=pk, **{name: value}, **places).save()
        elif way == "save":
            document = model.get(pk)
            setattr(document, name, value)
            if self._is_json:
                document.places = model(**places).places
            document.save()
        else:
            model.get(pk).update(**{name: value}, **places)
        self.expected[pk] = (value, value if self._is_json else None)


def stored(client: redis.Redis, storage: Storage) -> dict[str, dict[str, Any]]:
    found = {}
    for key in client.scan_iter(match=f":{PREFIX}:n*"):
        if storage is Storage.JSON:
            content = json.loads(client.execute_command("JSON.GET", key))
        else:
            content = {name.decode(): value.decode() for name, value in client.hgetall(key).items()}
        found[content["pk"]] = content
    return found


def names_in(client: redis.Redis, storage: Storage) -> set[str]:
    """Return the names in use, with those inside."""
    contents = stored(client, storage).values()
    places = (place for content in contents for place in content.get("places", ()))
    return {name for content in (*contents, *places) for name in content}


@pytest.fixture
def application(
    storage: Storage, client: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> Application:
    monkeypatch.setenv("REDIS_OM_URL", url)
    small_pieces(monkeypatch)
    return Application(storage)


OLD_NAMES = {"name", "city"}
NEW_NAMES = {"title", "town"}


@pytest.mark.sample(1)
@pytest.mark.parametrize("storage", Storage)
def test_both_versions_read_the_last_write_while_the_migration_runs(
    application: Application, storage: Storage, client: redis.Redis, url: str
) -> None:
    application.start()
    one = application.migration()
    for _ in range(2):  # the second run converts what the old version has written meanwhile
        with CrashDriver(url, before=application.act) as driver:
            assert driver.run(forward(one)).is_complete
    assert application.steps > 20
    application.check_all(application.old, application.new)
    # The old version has ended. The cleanup takes its last values, and runs beside the new version.
    application.versions = [application.new]
    before = application.steps
    with CrashDriver(url, before=application.act) as driver:
        result = driver.run(contract(one))
    assert result.errors == 0
    assert application.steps > before + 3
    application.check_all(application.new)
    # What was written during the cleanup has both names again.
    _ = do(client, contract(one))
    assert not names_in(client, storage) & OLD_NAMES
    application.check_all(application.new)


@pytest.mark.parametrize("storage", Storage)
def test_a_cleanup_removes_the_former_name_and_takes_the_last_value_of_the_old_version(
    application: Application, storage: Storage, client: redis.Redis
) -> None:
    application.start()
    one = application.migration()
    assert do(client, forward(one)).is_complete
    application.versions = [application.old]
    for _ in range(60):
        application.act()
    result = do(client, contract(one))
    assert result.errors == 0
    assert not names_in(client, storage) & OLD_NAMES
    application.check_all(application.new)


@pytest.mark.parametrize("storage", Storage)
@pytest.mark.parametrize("is_contracted", [False, True])
def test_a_rollback_restores_the_documents_of_the_old_version(
    application: Application, storage: Storage, client: redis.Redis, is_contracted: bool
) -> None:
    application.start()
    before = documents(client)
    one = application.migration()
    assert do(client, forward(one)).is_complete
    if is_contracted:
        _ = do(client, contract(one))
    undone = do(client, back(one)).data
    assert (undone.stopped, undone.kept, undone.unrestored) == (None, 0, 0)
    assert difference(before, documents(client)) == []
    application.check_all(application.old, application.new)


@pytest.mark.sample(2)
@pytest.mark.parametrize("storage", Storage)
@pytest.mark.parametrize("is_contracted", [False, True])
def test_a_rollback_keeps_the_writes_of_both_versions(
    application: Application, storage: Storage, client: redis.Redis, url: str, is_contracted: bool
) -> None:
    application.start()
    one = application.migration()
    assert do(client, forward(one)).is_complete
    if is_contracted:
        _ = do(client, contract(one))
        application.versions = [application.new]
    for _ in range(60):
        application.act()
    # The new version has ended. The old one reads every document only after the rollback of a cleanup.
    application.versions = [] if is_contracted else [application.old]
    if is_contracted:
        undone = do(client, back(one)).data
    else:
        with CrashDriver(url, before=application.act) as driver:
            undone = driver.run(back(one)).data
    assert undone.stopped is None
    if is_contracted:
        assert not names_in(client, storage) & NEW_NAMES
    else:
        # It stays where the old version has updated what the new one wrote; no version reads it.
        both = [one for one in stored(client, storage).values() if "title" in one]
        assert all(one["name"] != one["title"] for one in both)
    application.check_all(application.old, application.new)


@pytest.mark.parametrize("storage", Storage)
def test_a_declared_rename_is_not_reported_as_an_undeclared_field(
    application: Application, storage: Storage, client: redis.Redis
) -> None:
    application.start()
    (unknown,) = do(client, unknown_fields([declare(undeclared_version(storage))]))
    assert "name" in unknown.names
    assert unknown.absent == ("title",)
    assert do(client, unknown_fields([declare(application.new)])) == []


def undeclared_version(storage: Storage) -> Any:
    """The new version, whose author forgot to declare the former name."""

    class Note(HashModel if storage is Storage.HASH else JsonModel):  # type: ignore[misc]  # one of two bases
        title: str | None = ""
        rank: int = 0

        class Meta:
            model_key_prefix = PREFIX

    return Note
