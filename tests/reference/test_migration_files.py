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
            assert issubclass(one.declaration, base or redstart.aio.file_migrations.BaseSchemaMigration)
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
    assert run_om("migrate", "run").code == 0
    assert run_om("migrate-data", "run").code == 3


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
