"""Migration files that redis-om 1.2.0 wrote with its own commands, with and without redis-om installed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import redis

import redstart.aio
from redstart.migrations.files.declarations import DATA, SCHEMA, Kind
from redstart.migrations.files.loader import load_directory
from tests.support.cli import run_om

HERE = Path(__file__).parent

pytestmark = pytest.mark.redis_om


@pytest.fixture
def run_theirs(python_with_1x: str, url: str) -> Any:
    """Runs a program where only redis-om is."""

    def run(program: str, directory: Path) -> None:
        done = subprocess.run(
            [python_with_1x, HERE / program, directory],
            env={"REDIS_OM_URL": url},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    return run


@pytest.fixture
def written(run_theirs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> Path:
    """REDIS_OM_MIGRATIONS_DIR, with what redis-om wrote there; the models of the demo for `om`."""
    run_theirs("written_migrations.py", tmp_path)
    for name, value in (
        ("REDIS_OM_URL", url),
        ("REDSTART_MODELS", "redstart.demo.models"),
        ("REDIS_OM_MIGRATIONS_DIR", str(tmp_path)),
    ):
        monkeypatch.setenv(name, value)
    return tmp_path


def names(directory: Path, kind: Kind) -> list[str]:
    return sorted(path.stem for path in (directory / kind.folder).glob("*.py"))


def mend(directory: Path) -> None:
    """Remove the quotation marks that redis-om 1.2.0 puts between the characters of a schema."""
    for path in (directory / SCHEMA.folder).glob("*.py"):
        head, body = path.read_text(encoding="utf-8").split("operations = [")
        assert '"""O"""N"""' in body
        path.write_text(head + "operations = [" + body.replace('"""', ""), encoding="utf-8")


def test_they_load_without_redis_om(written: Path) -> None:
    assert "aredis_om" not in sys.modules
    for kind, base, count in ((DATA, redstart.aio.BaseMigration, 2), (SCHEMA, None, 1)):
        found = load_directory(written / kind.folder, kind)
        assert found.problems == ()
        assert list(found.migrations) == names(written, kind)
        assert len(found.migrations) == count
        for one in found.migrations.values():
            assert issubclass(one.declaration, base or redstart.aio.redis_om_migrators.BaseSchemaMigration)
            assert one.description
    assert "aredis_om" not in sys.modules


def test_what_redis_om_applied_is_shown_as_applied(
    written: Path, run_theirs: Any, client: redis.Redis
) -> None:
    (schema,) = names(written, SCHEMA)
    data = names(written, DATA)
    assert run_om("migrate", "status", "--json").json["files"]["pending"] == [schema]
    assert run_om("migrate-data", "status", "--json").json["files"]["pending"] == data
    mend(written)

    run_theirs("applied_migrations.py", written)

    assert b"their:visit:index" in client.execute_command("FT._LIST")
    found = run_om("migrate", "status", "--json").json["files"]
    assert (found["applied"], found["pending"], found["problems"]) == ([schema], [], [])
    found = run_om("migrate-data", "status", "--json").json["files"]
    assert sorted(found["applied"] + found["pending"]) == data
    assert (len(found["applied"]), found["problems"]) == (1, [])
    assert run_om("migrate", "run", "--json").json["applied_files"] == []
    applied = run_om("migrate-data", "run", "--json").json["applied_files"]
    assert len(applied) == 1
    assert run_om("migrate-data", "status", "--json").json["files"]["applied"] == data


WORK = """
from aredis_om.model.migrations.data import BaseMigration

class Change(BaseMigration):
    migration_id = "{name}"
    description = "Change {name}"
    dependencies = {dependencies}

    async def up(self):
        async for key in self.redis.scan_iter("site:*"):
            await self.redis.hset(key, "{name}", (await self.redis.hget(key, "name")) + "{name}")

    async def down(self):
        async for key in self.redis.scan_iter("site:*"):
            await self.redis.hdel(key, "{name}")

    async def can_run(self):
        return {can_run}
"""

RUNNING = """
import asyncio, json, sys
from {library}.model.migrations import DataMigrator, SchemaMigrator
from {library}.model.migrations.data import DataMigrationError
directory = {directory!r}

async def main():
    data = DataMigrator(migrations_dir=directory + "/data-migrations")
    schema = SchemaMigrator(migrations_dir=directory + "/schema-migrations")
    (schema_id,) = (await schema.discover_migrations()).keys()
    print(json.dumps([
        await schema.run(dry_run=True), await schema.run(), await schema.run(),
        await data.run_migrations(dry_run=True), await data.run_migrations(limit=1),
        await data.run_migrations(), await data.run_migrations(),
        await data.rollback_migration("20250101_000000_b", dry_run=True),
        await data.rollback_migration("20250101_000000_b"),
        await data.rollback_migration("20250101_000000_b"),
        await schema.rollback(schema_id), await schema.rollback(schema_id),
        await schema.run(limit=1), await schema.downgrade(steps=3), await schema.downgrade(),
        await schema.run(),
        (await data.run_migrations_with_monitoring())["applied_count"],
        [sorted((await one.status()).items()) for one in (data, schema)],
    ]))

asyncio.run(main())
"""


def _data_files(directory: Path) -> None:
    """Three files in place of the empty ones, each of which depends on the one before; the last refuses to run."""
    for path in (directory / DATA.folder).glob("*.py"):
        path.unlink()
    for name, dependencies, can_run in (("c", (), True), ("b", ("c",), True), ("a", ("b",), False)):
        ids = [f"20250101_000000_{one}" for one in dependencies]
        text = WORK.format(name=f"20250101_000000_{name}", dependencies=ids, can_run=can_run)
        (directory / DATA.folder / f"20250101_000000_{name}.py").write_text(text, encoding="utf-8")


def _sites(client: redis.Redis) -> None:
    client.flushall()
    for number in range(5):
        client.hset(f"site:{number}", "name", f"site {number}")


def _state(client: redis.Redis) -> tuple[Any, Any]:
    """Every key with its value, and every index with its attributes."""
    values = {
        key: client.dump(key) if client.type(key) == b"string" else _value(client, key)
        for key in client.scan_iter()
    }
    names = sorted(client.execute_command("FT._LIST"))
    return values, [(name, _definition(client, name)) for name in names]


def _value(client: redis.Redis, key: bytes) -> Any:
    return client.smembers(key) if client.type(key) == b"set" else client.hgetall(key)


def _definition(client: redis.Redis, name: bytes) -> Any:
    info = client.execute_command("FT.INFO", name)
    return info[b"index_definition"], info[b"attributes"]


def test_the_same_files_have_the_same_result(
    written: Path, beside_1x: Any, url: str, client: redis.Redis
) -> None:
    """Documents, indexes, records and return values: run, limited, rolled back, downgraded."""
    mend(written)
    _data_files(written)
    outcomes = []
    for library in ("aredis_om", "redstart.aio"):
        _sites(client)
        path = written / f"{library.partition('.')[0]}_running.py"
        path.write_text(RUNNING.format(library=library, directory=str(written)), encoding="utf-8")
        done = beside_1x(path, env={"REDIS_OM_URL": url})
        assert done.returncode == 0, done.stderr
        outcomes.append((json.loads(done.stdout.splitlines()[-1]), _state(client)))
    assert outcomes[0] == outcomes[1]
    assert b"their:visit:index" in client.execute_command("FT._LIST")
    assert client.hget("site:1", "20250101_000000_c") == b"site 120250101_000000_c"


def test_the_commands_have_the_same_result(
    written: Path, run_theirs: Any, url: str, client: redis.Redis, python_with_1x: str
) -> None:
    """`om migrate run` and `om migrate-data run` without redis-om, and its migrators."""
    mend(written)
    _data_files(written)
    _sites(client)
    program = written / "all.py"
    program.write_text(
        (HERE / "applied_migrations.py").read_text(encoding="utf-8").replace("limit=1", ""), encoding="utf-8"
    )
    run_theirs(str(program), written)
    theirs = _state(client)
    _sites(client)
    found = run_om("migrate-data", "run", "--json")
    assert found.json["applied_files"] == ["20250101_000000_c", "20250101_000000_b"]
    assert found.code == 3  # one file refuses to run
    files = load_directory(written / SCHEMA.folder, SCHEMA)
    assert run_om("migrate", "run", "--json", "--accept-unindexed").json["applied_files"] == list(
        files.migrations
    )
    ours = _state(client)
    records = {DATA.record.encode(), SCHEMA.record.encode()}
    for key, value in theirs[0].items():
        if key not in records:
            assert ours[0][key] == value, key
    assert ours[0][SCHEMA.record.encode()] == theirs[0][SCHEMA.record.encode()]
    dates = {b"001_datetime_fields_to_timestamps"}
    assert ours[0][DATA.record.encode()] - dates == theirs[0][DATA.record.encode()]
    assert dict(theirs[1]).items() <= dict(ours[1]).items()


def test_a_schema_file_that_redis_om_cannot_run_is_run_without_its_quotation_marks(
    written: Path, client: redis.Redis
) -> None:
    (schema,) = names(written, SCHEMA)
    assert '"""O"""N"""' in (written / SCHEMA.folder / f"{schema}.py").read_text(encoding="utf-8")
    found = run_om("migrate", "run", "--json", "--accept-unindexed")
    assert (found.code, found.json["applied_files"]) == (0, [schema]), found.text
    assert b"their:visit:index" in client.execute_command("FT._LIST")
    assert run_om("migrate", "rollback", schema).code == 0
    assert b"their:visit:index" not in client.execute_command("FT._LIST")


def test_both_libraries_give_the_same_status(
    written: Path, run_theirs: Any, beside_1x: Any, url: str
) -> None:
    mend(written)
    run_theirs("applied_migrations.py", written)
    program = """
import asyncio, json, sys
{imports}
directory = {directory!r}

async def main():
    data = DataMigrator(migrations_dir=directory + "/data-migrations")
    schema = SchemaMigrator(migrations_dir=directory + "/schema-migrations")
    print(json.dumps([await data.status(), await schema.status()]))

asyncio.run(main())
"""
    found = []
    for imports in ("aredis_om", "redstart.aio"):
        path = written / f"{imports.partition('.')[0]}_status.py"
        text = f"from {imports}.model.migrations import DataMigrator, SchemaMigrator"
        path.write_text(program.format(imports=text, directory=str(written)), encoding="utf-8")
        done = beside_1x(path, env={"REDIS_OM_URL": url})
        assert done.returncode == 0, done.stderr
        found.append(json.loads(done.stdout.splitlines()[-1]))
    assert found[0] == found[1]
    assert found[0][0]["applied_count"] == found[0][0]["pending_count"] == 1


def test_with_redis_om_installed_they_use_it_and_run_with_it(
    written: Path, beside_1x: Any, url: str, client: redis.Redis
) -> None:
    """As the page has it: `import aredis_om` finds redis-om where it is installed, and `om` lists them all the same."""
    settings = {
        "REDIS_OM_URL": url,
        "REDSTART_MODELS": "redstart.demo.models",
        "REDIS_OM_MIGRATIONS_DIR": str(written),
    }
    done = beside_1x("redstart.cli.main", "migrate-data", "status", "--json", env=settings)
    assert json.loads(done.stdout)["files"]["pending"] == names(written, DATA)
    program = written / "run.py"
    program.write_text(
        "import asyncio, sys\n"
        "from redstart.aio import DataMigrator\n"
        "async def main():\n"
        "    migrator = DataMigrator()\n"
        "    for found in await migrator.get_pending_migrations():\n"
        "        migration = found.declaration(migrator.redis)\n"
        "        assert type(migration).__mro__[1].__module__ == 'aredis_om.model.migrations.data.base'\n"
        "        assert sys.modules['aredis_om'].__name__ == 'aredis_om'\n"
        "        await migration.up()\n"
        "        await migrator.mark_migration_applied(found.migration_id)\n"
        "asyncio.run(main())\n",
        encoding="utf-8",
    )
    done = beside_1x(program, env=settings)
    assert done.returncode == 0, done.stderr
    assert {name.decode() for name in client.smembers(DATA.record)} == set(names(written, DATA))


def test_what_redis_om_makes_of_its_own_schema_files(
    written: Path, python_with_1x: str, url: str, client: redis.Redis
) -> None:
    """The page's warning: the old index is dropped, and the new one refused."""
    client.execute_command("FT.CREATE", "their:visit:index", "ON", "HASH", "SCHEMA", "site", "TAG")
    done = subprocess.run(
        [python_with_1x, HERE / "applied_migrations.py", written],
        env={"REDIS_OM_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "Unknown argument" in done.stderr
    assert b"their:visit:index" not in client.execute_command("FT._LIST")
