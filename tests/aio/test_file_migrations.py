"""`DataMigrator` and `SchemaMigrator` in both colours, and what their files are made from."""

import asyncio
import inspect
from pathlib import Path
from typing import Any

import pytest
import redis

import redstart
import redstart.aio
from redstart.errors import (
    ConfigurationError,
    DataMigrationError,
    MigrationError,
    RedstartError,
    SchemaMigrationError,
)
from redstart.model.migrations import BaseSchemaMigration
from tests.migrations.files.conftest import migration

RECORDS = {
    "DataMigrator": ("redis_om:applied_migrations", "data-migrations"),
    "SchemaMigrator": ("redis_om:schema_applied_migrations", "schema-migrations"),
}
NAMES = {
    "DataMigrator": ("get_applied_migrations", "mark_migration_applied", "mark_migration_unapplied"),
    "SchemaMigrator": ("get_applied", "mark_applied", "mark_unapplied"),
}


@pytest.fixture(params=[redstart, redstart.aio], ids=["sync", "aio"])
def library(request: pytest.FixtureRequest, url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The package of one colour; REDIS_OM_URL names an empty server."""
    monkeypatch.setenv("REDIS_OM_URL", url)
    return request.param


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """REDIS_OM_MIGRATIONS_DIR, with a data migration and a schema migration that waits for another."""
    monkeypatch.setenv("REDIS_OM_MIGRATIONS_DIR", str(tmp_path))
    texts = {
        "data-migrations": (migration("a", "b"), migration("b")),
        "schema-migrations": tuple(
            migration(name).replace("migrations.data", "migrations.schema").replace("BaseM", "BaseSchemaM")
            for name in "ba"
        ),
    }
    for folder, files in texts.items():
        (tmp_path / folder).mkdir()
        for number, text in enumerate(files):
            (tmp_path / folder / f"{number}.py").write_text(text, encoding="utf-8")
    return tmp_path


def result(value: Any) -> Any:
    """What a call gives in either colour; a coroutine has an event loop of its own."""

    async def of(awaitable: Any) -> Any:
        return await awaitable

    return asyncio.run(of(value)) if inspect.isawaitable(value) else value


@pytest.mark.parametrize("name", RECORDS)
def test_from_pending_to_applied(library: Any, root: Path, client: redis.Redis, name: str) -> None:
    key, folder = RECORDS[name]
    applied, mark, unmark = NAMES[name]
    order = ["b", "a"] if name == "DataMigrator" else ["a", "b"]

    def migrator() -> Any:
        return getattr(library, name)()

    assert (migrator().APPLIED_MIGRATIONS_KEY, migrator().migrations_dir) == (key, str(root / folder))
    assert result(getattr(migrator(), applied)()) == set()
    assert [one.migration_id for one in result(migrator().get_pending_migrations())] == order
    result(getattr(migrator(), mark)("b"))
    result(getattr(migrator(), mark)("gone"))
    assert client.smembers(key) == {b"b", b"gone"}
    assert result(getattr(migrator(), applied)()) == {"b", "gone"}
    assert result(migrator().status()) == {
        "total_migrations": 2,
        "applied_count": 2,
        "pending_count": 1,
        "applied_migrations": ["b", "gone"],
        "pending_migrations": ["a"],
    }
    result(getattr(migrator(), unmark)("b"))
    assert client.smembers(key) == {b"gone"}


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("on_the_object", [True, False])
def test_another_record_is_used(
    library: Any, root: Path, client: redis.Redis, name: str, on_the_object: bool
) -> None:
    """As redis-om's own tests choose one for each worker."""
    _, mark, unmark = NAMES[name]
    base = getattr(library, name)
    if on_the_object:
        migrator = base()
        migrator.APPLIED_MIGRATIONS_KEY = "other"
    else:
        migrator = type(name, (base,), {"APPLIED_MIGRATIONS_KEY": "other"})()
    result(getattr(migrator, mark)("b"))
    assert (client.smembers("other"), client.exists(RECORDS[name][0])) == ({b"b"}, 0)
    assert result(migrator.status())["applied_migrations"] == ["b"]
    result(getattr(migrator, unmark)("b"))
    assert client.exists("other") == 0


def test_what_is_discovered_says_what_the_file_says(library: Any, root: Path) -> None:
    found = result(library.DataMigrator().discover_migrations())
    assert list(found) == ["a", "b"]
    one = found["a"]
    assert (one.description, one.dependencies) == ("Fill sites", ("b",))
    assert one.source == str(root / "data-migrations" / "0.py")
    made = one.declaration("a client")
    assert (made.redis, result(made.can_run()), result(made.up())) == ("a client", True, None)
    with pytest.raises(NotImplementedError, match="a cannot be undone"):
        result(made.down())


def test_a_client_and_a_directory_that_are_given(
    library: Any, root: Path, client: redis.Redis, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("REDIS_OM_URL", "redis://nowhere:1")
    monkeypatch.delenv("REDIS_OM_MIGRATIONS_DIR")
    own = library.redis.Redis.from_url(url, decode_responses=True)
    client.sadd("redis_om:applied_migrations", "b")
    migrator = library.DataMigrator(own, migrations_dir=str(root / "data-migrations"))
    assert migrator.redis is own
    assert result(migrator.status())["pending_migrations"] == ["a"]


def test_a_module_in_place_of_a_directory(
    library: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = migration("of a module").replace("aredis_om.", "redstart.aio.")
    (tmp_path / "migrations_in_a_module.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    migrator = library.DataMigrator(migration_module="migrations_in_a_module")
    assert list(result(migrator.discover_migrations())) == ["of a module"]
    with pytest.raises(ConfigurationError, match="no_such_module"):
        result(library.DataMigrator(migration_module="no_such_module").discover_migrations())


def test_what_cannot_be_used_is_an_error(library: Any, root: Path) -> None:
    (root / "data-migrations" / "20250101_000000_x.py").write_text("1 / 0", encoding="utf-8")
    for method in ("discover_migrations", "get_pending_migrations", "status"):
        with pytest.raises(DataMigrationError, match=r"x\.py, line 1: ZeroDivisionError"):
            result(getattr(library.DataMigrator(), method)())
    (root / "data-migrations" / "20250101_000000_x.py").write_text(migration("x", "x"), encoding="utf-8")
    assert len(result(library.DataMigrator().discover_migrations())) == 3
    with pytest.raises(DataMigrationError, match="x -> x"):
        result(library.DataMigrator().status())
    for error in (DataMigrationError, SchemaMigrationError):
        assert issubclass(error, MigrationError)
        assert issubclass(error, RedstartError)


def test_there_is_nothing_where_there_is_no_directory(library: Any, tmp_path: Path) -> None:
    assert (
        result(library.SchemaMigrator(migrations_dir=str(tmp_path / "none")).status())["total_migrations"]
        == 0
    )


@pytest.mark.parametrize(
    ("name", "method", "said"),
    [
        ("DataMigrator", "run_migrations", "does not run them"),
        ("DataMigrator", "run_migrations_with_monitoring", "does not run them"),
        ("DataMigrator", "rollback_migration", "does not run them"),
        ("DataMigrator", "create_migration_file", "does not write migration files"),
        ("SchemaMigrator", "run", 'See "Migration files" in the documentation'),
        ("SchemaMigrator", "rollback", "does not run them"),
        ("SchemaMigrator", "downgrade", "does not run them"),
        ("SchemaMigrator", "create_migration_file", "does not write migration files"),
        ("SchemaMigrator", "runn", "'SchemaMigrator' object has no attribute 'runn'"),
    ],
)
def test_a_missing_method_raises_an_error_with_a_hint(
    library: Any, name: str, method: str, said: str
) -> None:
    migrator = getattr(library, name)()
    assert not hasattr(migrator, method)
    with pytest.raises(AttributeError, match=f"'{name}' object has no attribute '{method}'") as caught:
        getattr(migrator, method)
    assert said in str(caught.value)
    assert (": this version" in str(caught.value)) == (method != "runn")


def test_a_migration_without_an_id_is_refused() -> None:
    class Nameless(redstart.BaseMigration):
        def up(self) -> None:
            pass

    class Same(BaseSchemaMigration):
        def up(self) -> None:
            pass

    for kind, error in ((Nameless, DataMigrationError), (Same, SchemaMigrationError)):
        with pytest.raises(error, match=f"{kind.__name__} has no migration_id"):
            kind(None)
    with pytest.raises(TypeError, match="abstract"):
        redstart.BaseMigration()


def test_the_default_client_is_that_of_the_settings(library: Any, url: str) -> None:
    class Own(library.BaseMigration):
        migration_id = "own"

        def up(self) -> None:
            pass

    assert isinstance(Own().redis, library.redis.Redis)
    assert isinstance(library.DataMigrator().redis, library.redis.Redis)
