"""`DataMigrator` and `SchemaMigrator`, and what their files are made from."""

import uuid
from pathlib import Path
from typing import Any

import pytest
import redis

import redstart.aio
from redstart.aio.file_migrations import BaseMigration, BaseSchemaMigration
from redstart.errors import (
    ConfigurationError,
    DataMigrationError,
    MigrationError,
    RedstartError,
    SchemaMigrationError,
)
from tests.migrations.files.conftest import migration

RECORDS = {
    "DataMigrator": ("redis_om:applied_migrations", "data-migrations"),
    "SchemaMigrator": ("redis_om:schema_applied_migrations", "schema-migrations"),
}
NAMES = {
    "DataMigrator": ("get_applied_migrations", "mark_migration_applied", "mark_migration_unapplied"),
    "SchemaMigrator": ("get_applied", "mark_applied", "mark_unapplied"),
}


pytestmark = pytest.mark.usefixtures("models_url")


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


def ended(coroutine: Any) -> Any:
    """Return what a coroutine that waits for nothing returns; the methods of these files are asynchronous."""
    with pytest.raises(StopIteration) as caught:
        coroutine.send(None)
    return caught.value.value


@pytest.mark.parametrize("name", RECORDS)
async def test_from_pending_to_applied(root: Path, client: redis.Redis, name: str) -> None:
    key, folder = RECORDS[name]
    applied, mark, unmark = NAMES[name]
    order = ["b", "a"] if name == "DataMigrator" else ["a", "b"]

    def migrator() -> Any:
        return getattr(redstart.aio, name)()

    assert (migrator().APPLIED_MIGRATIONS_KEY, migrator().migrations_dir) == (key, str(root / folder))
    assert await getattr(migrator(), applied)() == set()
    assert [one.migration_id for one in await migrator().get_pending_migrations()] == order
    await getattr(migrator(), mark)("b")
    await getattr(migrator(), mark)("gone")
    assert client.smembers(key) == {b"b", b"gone"}
    assert await getattr(migrator(), applied)() == {"b", "gone"}
    assert await migrator().status() == {
        "total_migrations": 2,
        "applied_count": 2,
        "pending_count": 1,
        "applied_migrations": ["b", "gone"],
        "pending_migrations": ["a"],
    }
    await getattr(migrator(), unmark)("b")
    assert client.smembers(key) == {b"gone"}


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("on_the_object", [True, False])
async def test_another_record_is_used(
    root: Path, client: redis.Redis, name: str, on_the_object: bool
) -> None:
    """As redis-om's own tests choose one for each worker."""
    _, mark, unmark = NAMES[name]
    base = getattr(redstart.aio, name)
    if on_the_object:
        migrator = base()
        migrator.APPLIED_MIGRATIONS_KEY = "other"
    else:
        migrator = type(name, (base,), {"APPLIED_MIGRATIONS_KEY": "other"})()
    await getattr(migrator, mark)("b")
    assert (client.smembers("other"), client.exists(RECORDS[name][0])) == ({b"b"}, 0)
    assert (await migrator.status())["applied_migrations"] == ["b"]
    await getattr(migrator, unmark)("b")
    assert client.exists("other") == 0


async def test_what_is_discovered_says_what_the_file_says(root: Path) -> None:
    found = await redstart.aio.DataMigrator().discover_migrations()
    assert list(found) == ["a", "b"]
    one = found["a"]
    assert (one.description, one.dependencies) == ("Fill sites", ("b",))
    assert one.source == str(root / "data-migrations" / "0.py")
    made = one.declaration("a client")
    assert (made.redis, ended(made.can_run()), ended(made.up())) == ("a client", True, None)
    with pytest.raises(NotImplementedError, match="a cannot be undone"):
        ended(made.down())


async def test_a_client_and_a_directory_that_are_given(
    root: Path, client: redis.Redis, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("REDIS_OM_URL", "redis://nowhere:1")
    monkeypatch.delenv("REDIS_OM_MIGRATIONS_DIR")
    own = redstart.aio.redis.Redis.from_url(url, decode_responses=True)
    client.sadd("redis_om:applied_migrations", "b")
    migrator = redstart.aio.DataMigrator(own, migrations_dir=str(root / "data-migrations"))
    assert migrator.redis is own
    assert (await migrator.status())["pending_migrations"] == ["a"]


async def test_a_module_in_place_of_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = migration("of a module").replace("aredis_om.model.migrations.data", "redstart.aio.file_migrations")
    name = f"migrations_{uuid.uuid4().hex}"  # modules of other tests stay imported
    (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    migrator = redstart.aio.DataMigrator(migration_module=name)
    assert list(await migrator.discover_migrations()) == ["of a module"]
    with pytest.raises(ConfigurationError, match="no_such_module"):
        await redstart.aio.DataMigrator(migration_module="no_such_module").discover_migrations()


async def test_what_cannot_be_used_is_an_error(root: Path) -> None:
    (root / "data-migrations" / "20250101_000000_x.py").write_text("1 / 0", encoding="utf-8")
    for method in ("discover_migrations", "get_pending_migrations", "status"):
        with pytest.raises(DataMigrationError, match=r"x\.py, line 1: ZeroDivisionError"):
            await getattr(redstart.aio.DataMigrator(), method)()
    (root / "data-migrations" / "20250101_000000_x.py").write_text(migration("x", "x"), encoding="utf-8")
    assert len(await redstart.aio.DataMigrator().discover_migrations()) == 3
    with pytest.raises(DataMigrationError, match="x -> x"):
        await redstart.aio.DataMigrator().status()
    for error in (DataMigrationError, SchemaMigrationError):
        assert issubclass(error, MigrationError)
        assert issubclass(error, RedstartError)


async def test_there_is_nothing_where_there_is_no_directory(tmp_path: Path) -> None:
    assert (await redstart.aio.SchemaMigrator(migrations_dir=str(tmp_path / "none")).status())[
        "total_migrations"
    ] == 0


def test_a_migration_without_an_id_is_refused() -> None:
    class Nameless(BaseMigration):
        async def up(self) -> None:
            pass

    class Same(BaseSchemaMigration):
        async def up(self) -> None:
            pass

    for kind, error in ((Nameless, DataMigrationError), (Same, SchemaMigrationError)):
        with pytest.raises(error, match=f"{kind.__name__} has no migration_id"):
            kind(None)
    with pytest.raises(TypeError, match="abstract"):
        BaseMigration()


def test_the_default_client_is_that_of_the_settings(url: str) -> None:
    class Own(BaseMigration):
        migration_id = "own"

        async def up(self) -> None:
            pass

    assert isinstance(Own().redis, redstart.aio.redis.Redis)
    assert isinstance(redstart.aio.DataMigrator().redis, redstart.aio.redis.Redis)
