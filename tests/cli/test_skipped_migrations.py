"""Modules that migrate when they are imported, as applications do: `om` imports them for their models."""

import sys
from collections.abc import Callable

import pytest
import redis

from redstart import Migrator
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from tests.cli.conftest import LOG
from tests.support.cli import run_om
from tests.support.models import registry_of_its_own
from tests.support.snapshot import snapshot

STARTING = {
    "Migrator().run()": "from redstart import Migrator; Migrator().run()",
    "Migrator().run() of a class of its own": """
        from redstart import Migrator
        class Own(Migrator):
            pass
        Own(__name__).run()
    """,
    "Migrator().run() in an event loop": """
        import asyncio
        from redstart.aio import Migrator
        asyncio.run(Migrator().run())
    """,
    "Migrator().run() in a task": """
        import asyncio
        from redstart.aio import Migrator
        async def start():
            await asyncio.gather(Migrator().run(), Migrator().run())
        asyncio.run(start())
    """,
    "Migrator().run() in a thread": """
        import threading
        from redstart import Migrator
        thread = threading.Thread(target=Migrator().run)
        thread.start()
        thread.join()
    """,
    "create_index()": """
        from redstart.model.migrations.schema.legacy_migrator import create_index
        create_index(Log.db(), Log._meta.index_name, Log.redisearch_schema(), "x")
    """,
    "DatetimeFieldMigration().up()": """
        from redstart.model.migrations.data.builtin import DatetimeFieldMigration
        DatetimeFieldMigration().up()
    """,
    "DatetimeFieldMigration().down()": """
        from redstart.model.migrations.data.builtin import DatetimeFieldMigration
        DatetimeFieldMigration().down()
    """,
    "SchemaMigrator().mark_applied()": """
        from redstart import SchemaMigrator
        SchemaMigrator().mark_applied("20240101_000000_x")
    """,
}
READING = [
    ("migrate", "status"),
    ("migrate", "run", "--dry-run"),
    ("migrate-data", "stats"),
    ("migrate-data", "stats", "--exact", "--json"),
    ("migrate-data", "status"),
    ("migrate-data", "check-schema"),
    ("migrate-data", "run", "--dry-run"),
    ("migrate-data", "progress"),
    ("migrate-data", "verify"),
    ("migrate-data", "errors"),
    ("migrate-data", "rollback", ID, "--dry-run"),
]


def indented(source: str) -> str:
    lines = source.strip("\n").splitlines()
    left = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    return "".join(f"    {line[left:]}\n" for line in lines)


@pytest.fixture(params=STARTING)
def starting(
    request: pytest.FixtureRequest,
    configured: str,
    client: redis.Redis,
    write_module: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """A module that migrates, and its call; on the server is a document as redis-om 0.x stored it."""
    name = write_module(LOG + indented(STARTING[request.param]))
    monkeypatch.setenv("REDSTART_MODELS", name)
    client.hset("app:log:1", mapping={"pk": "1", "at": "2023-01-01T12:00:00"})
    return f"{name} {request.param.partition(' ')[0]}"


def forget(module: str) -> None:
    sys.modules.pop(module, None)


@pytest.mark.sample(5)
def test_they_write_nothing(starting: str, client: redis.Redis) -> None:
    module, call = starting.split(" ")
    before = snapshot(client)
    for command in READING:
        forget(module)  # a process of its own imports it again
        found = run_om(*command)
        assert snapshot(client) == before, command
        assert client.execute_command("FT._LIST") == [], command
        if module in sys.modules:  # some commands need no models
            assert f"calls {call} when it is imported." in found.stderr, found.text
            assert "om migrate run" in found.stderr
        assert "Skipped" not in found.stdout
        assert "Traceback" not in found.text


def test_what_om_is_asked_for_is_done(starting: str, client: redis.Redis) -> None:
    module, _ = starting.split(" ")
    for command in (("migrate", "run"), ("migrate-data", "run")):
        forget(module)
        found = run_om(*command, "--yes")
        assert (found.code, "Skipped: " in found.stderr) == (0, True), found.text
    assert client.hget("app:log:1", "at") == b"1672574400.0"
    reply = client.execute_command("FT.SEARCH", "app:log:index", "*", "NOCONTENT")
    assert "app:log:1" in str(reply)


def test_the_place_is_named(
    configured: str, write_module: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = write_module(LOG + indented(STARTING["Migrator().run() in an event loop"]))
    found = run_om("migrate", "status", "--models", name)
    assert f"Skipped: {name}, line 13, calls Migrator().run()" in found.stderr


def test_outside_of_om_they_migrate(
    configured: str, client: redis.Redis, write_module: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = write_module(LOG)
    with registry_of_its_own():
        assert run_om("migrate", "status", "--models", name).code == 0
        Migrator().run()
    assert b"app:log:index" in str(client.execute_command("FT._LIST")).encode()
