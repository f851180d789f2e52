"""`DataMigrator` and `SchemaMigrator`, and what their files are made from."""

import uuid
from pathlib import Path
from typing import Any

import pytest
import redis

import redstart.aio
from redstart.aio.redis_om_migrators import BaseMigration, BaseSchemaMigration
from redstart.errors import (
    ConfigurationError,
    DataMigrationError,
    MigrationError,
    RedstartError,
    SchemaMigrationError,
)
from tests.migrations.files.conftest import migration
from tests.support.models import registry_of_its_own

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
    text = migration("of a module").replace(
        "aredis_om.model.migrations.data", "redstart.aio.redis_om_migrators"
    )
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


FILES = """
from {package}.redis_om_migrators import {base}

class Change({base}):
    migration_id = "{name}"
    dependencies = {dependencies}

    async def up(self):
        {up}

    async def down(self):
        {down}
"""
PUSH = "await self.redis.rpush('done', self.migration_id)"
POP = "await self.redis.lrem('done', 0, self.migration_id)"
BASES = {"data": "BaseMigration", "schema": "BaseSchemaMigration"}


def lay(root: Path, kind: str, name: str, *dependencies: str, up: str = PUSH, down: str = POP) -> None:
    """Write a file that appends its id to a list, and removes it in `down`."""
    text = FILES.format(
        package=redstart.aio.__name__,
        base=BASES[kind],
        name=name,
        dependencies=list(dependencies),
        up=up,
        down=down,
    )
    (root / f"{name}.py").write_text(text, encoding="utf-8")


async def test_data_migrations_run_in_order_and_are_rolled_back(tmp_path: Path, client: redis.Redis) -> None:
    for name, needed in (("a", ("c",)), ("b", ()), ("c", ())):
        lay(tmp_path, "data", name, *needed)
    migrator = redstart.aio.DataMigrator(migrations_dir=str(tmp_path))
    assert await migrator.run_migrations(dry_run=True) == 3
    assert not client.exists("done")
    assert await migrator.run_migrations(limit=1) == 1
    assert await migrator.run_migrations() == 2
    assert await migrator.run_migrations(limit=0) == 0
    assert client.lrange("done", 0, -1) == [b"b", b"c", b"a"]
    assert client.smembers("redis_om:applied_migrations") == {b"a", b"b", b"c"}
    assert await migrator.rollback_migration("b", dry_run=True)
    assert await migrator.rollback_migration("b")
    assert not await migrator.rollback_migration("b")
    assert not await migrator.rollback_migration("b", dry_run=True)
    assert client.lrange("done", 0, -1) == [b"c", b"a"]
    assert client.smembers("redis_om:applied_migrations") == {b"a", b"c"}
    assert not client.exists("redstart:migrations:lease")


async def test_schema_migrations_run_by_id_and_are_downgraded(tmp_path: Path, client: redis.Redis) -> None:
    for name in "bac":
        lay(tmp_path, "schema", name)
    migrator = redstart.aio.SchemaMigrator(migrations_dir=str(tmp_path))
    assert (await migrator.run(dry_run=True), await migrator.run(limit=2), await migrator.run()) == (3, 2, 1)
    assert client.lrange("done", 0, -1) == [b"a", b"b", b"c"]
    assert await migrator.downgrade(steps=2, dry_run=True) == 2
    client.sadd("redis_om:schema_applied_migrations", "gone")
    assert await migrator.downgrade(steps=3) == 2  # one has no file
    assert client.lrange("done", 0, -1) == [b"a"]
    assert client.smembers("redis_om:schema_applied_migrations") == {b"a", b"gone"}
    assert await migrator.rollback("a")
    assert not await migrator.rollback("a")
    with pytest.raises(SchemaMigrationError, match="was not found"):
        await migrator.rollback("gone")


async def test_a_failure_says_its_line_and_leaves_the_record(
    tmp_path: Path, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    data, schema = tmp_path / "data", tmp_path / "schema"
    for kind, root in (("data", data), ("schema", schema)):
        root.mkdir()
        lay(root, kind, "a", down="raise KeyError('x')")
        lay(root, kind, "b", up="raise ValueError('no')")
    migrator = redstart.aio.DataMigrator(migrations_dir=str(data))
    schemas = redstart.aio.SchemaMigrator(migrations_dir=str(schema))
    with pytest.raises(DataMigrationError, match=r"b\.py, line 9: ValueError: no\. It is still pending"):
        await migrator.run_migrations()
    with pytest.raises(
        SchemaMigrationError, match=r"b\.py, line 9: ValueError: no\. It is still pending"
    ) as caught:
        await schemas.run()
    assert isinstance(caught.value.__cause__, ValueError)
    with pytest.raises(DataMigrationError, match=r"a\.py, line 12: KeyError: 'x'\. It is still recorded"):
        await migrator.rollback_migration("a")
    assert not await schemas.rollback("a")
    assert await schemas.downgrade() == 0
    assert caplog.text.count("a.py, line 12: KeyError: 'x'") == 2
    for key, _ in RECORDS.values():
        assert client.smembers(key) == {b"a"}
    assert not client.exists("redstart:migrations:lease")


async def test_monitoring_returns_errors_and_times(tmp_path: Path, client: redis.Redis) -> None:
    lay(tmp_path, "data", "a")
    lay(tmp_path, "data", "b", up="raise ValueError('no')")
    migrator = redstart.aio.DataMigrator(migrations_dir=str(tmp_path))
    assert (await migrator.run_migrations_with_monitoring(dry_run=True))["dry_run"]
    seen: list[tuple[int, int, str]] = []
    found = await migrator.run_migrations_with_monitoring(progress_callback=lambda *words: seen.append(words))
    assert seen == [(1, 2, "a")]
    assert (found["applied_count"], found["total_migrations"], found["success_rate"]) == (1, 2, 50.0)
    assert [one["migration_id"] for one in found["errors"]] == ["b"]
    assert "ValueError: no" in found["errors"][0]["error"]
    assert found["performance_stats"]["total_batches"] == 1
    client.sadd("redis_om:applied_migrations", "b")
    assert (await migrator.run_migrations_with_monitoring())["total_migrations"] == 0


@pytest.mark.parametrize("verbose", [True, False])
async def test_verbose_prints(
    tmp_path: Path, client: redis.Redis, capsys: pytest.CaptureFixture[str], verbose: bool
) -> None:
    lay(tmp_path, "data", "a")
    await redstart.aio.DataMigrator(migrations_dir=str(tmp_path)).run_migrations(verbose=verbose)
    await redstart.aio.DataMigrator(migrations_dir=str(tmp_path)).rollback_migration("a", verbose=verbose)
    said = capsys.readouterr().out
    assert ("Applied a" in said, "Rolled back a" in said) == (verbose, verbose)


async def test_the_other_kind_of_function_is_refused(tmp_path: Path, client: redis.Redis) -> None:
    """A plain `up` would get an asynchronous client, and an asynchronous one would never be executed."""
    is_async = redstart.aio.__name__ == "redstart." + "aio"
    other = "redstart." + ("sync" if is_async else "aio")
    function, wait = ("def", "") if is_async else ("async " + "def", "aw" + "ait ")
    text = (
        f"from {other}.redis_om_migrators import BaseMigration\n"
        "class Change(BaseMigration):\n    migration_id = 'a'\n"
        f"    {function} up(self):\n        {wait}self.redis.rpush('done', 'a')\n"
    )
    (tmp_path / "a.py").write_text(text, encoding="utf-8")
    with pytest.raises(DataMigrationError, match=f"`{function} up`") as caught:
        await redstart.aio.DataMigrator(migrations_dir=str(tmp_path)).run_migrations()
    assert "calls both" in str(caught.value.next_step)
    assert not client.exists("done", "redis_om:applied_migrations", "redstart:migrations:lease")


async def test_a_new_data_file_runs_when_it_is_completed(tmp_path: Path, client: redis.Redis) -> None:
    migrator = redstart.aio.DataMigrator(migrations_dir=str(tmp_path))
    path = Path(await migrator.create_migration_file("fill sites"))
    assert path.parent == tmp_path
    assert path.name.endswith("_fill_sites.py")
    with pytest.raises(DataMigrationError, match="is not written yet"):
        await migrator.run_migrations()
    text = path.read_text(encoding="utf-8")
    line = next(one for one in text.splitlines() if "is not written yet" in one)
    path.write_text(text.replace(line.strip(), PUSH), encoding="utf-8")
    assert await migrator.run_migrations() == 1
    assert client.llen("done") == 1
    assert not await migrator.rollback_migration(path.stem)  # its down() is not written
    elsewhere = await migrator.create_migration_file("x", str(tmp_path / "other"))
    assert Path(elsewhere).parent == tmp_path / "other"
    with pytest.raises(ConfigurationError, match="cannot be part of a file name"):
        await migrator.create_migration_file("../x")


async def test_a_new_schema_file_replaces_the_index(tmp_path: Path, client: redis.Redis) -> None:
    with registry_of_its_own():

        class Visit(redstart.aio.HashModel, index=True):
            site: str = redstart.aio.Field(index=True)

            class Meta:
                global_key_prefix = "new"
                model_key_prefix = "visit"

        migrator = redstart.aio.SchemaMigrator(migrations_dir=str(tmp_path))
        path = await migrator.create_migration_file("add visits")
        assert path is not None
        assert "'new:visit:index'" in Path(path).read_text(encoding="utf-8")
        assert await migrator.run() == 1
        assert b"new:visit:index" in client.execute_command("FT._LIST")
        assert await migrator.create_migration_file("nothing") is None
        await Visit(pk="1", site="x").save()
        assert await Visit.find(Visit.site == "x").count() == 1
        assert await migrator.rollback(Path(path).stem)
        assert client.execute_command("FT._LIST") == []


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
