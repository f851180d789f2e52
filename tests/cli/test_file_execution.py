"""Migration files of redis-om, executed by `om`: sync and async, in order, under a lease, recorded, rolled back."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from redstart.migrations.state_keys import FILES_LEASE
from tests.cli.conftest import Lay
from tests.support.cli import run_om
from tests.support.snapshot import every_byte

SCHEMA_RECORD, DATA_RECORD = "redis_om:schema_applied_migrations", "redis_om:applied_migrations"
GROUPS = [("migrate", "schema-migrations", SCHEMA_RECORD), ("migrate-data", "data-migrations", DATA_RECORD)]

FILE = """
from {library}.model.migrations.{kind} import {base}

class Change({base}):
    migration_id = "{name}"
    dependencies = {dependencies}

    {function} up(self):
        {up}

    {down}
"""


def file(
    name: str, group: str, *dependencies: str, up: str = "", down: str = "", is_async: bool = True
) -> str:
    """A file that appends its id to the list `done`, and removes it in `down`."""
    kind, base = ("schema", "BaseSchemaMigration") if group == "migrate" else ("data", "BaseMigration")
    wait = "await " * is_async
    function = "async def" if is_async else "def"
    return FILE.format(
        library="aredis_om" if is_async else "redis_om",
        kind=kind,
        base=base,
        name=name,
        dependencies=list(dependencies),
        function=function,
        up=up or f"{wait}self.redis.rpush('done', self.migration_id)",
        down=down or f"{function} down(self):\n        {wait}self.redis.lrem('done', 0, self.migration_id)",
    )


@pytest.mark.parametrize(("group", "folder", "record"), GROUPS)
@pytest.mark.parametrize("is_async", [True, False])
def test_files_are_applied_recorded_and_rolled_back(
    station: redis.Redis, lay: Lay, group: str, folder: str, record: str, is_async: bool
) -> None:
    lay(folder, **{name: file(name, group, is_async=is_async) for name in "ab"})
    found = run_om(group, "run", "--accept-unindexed", "--verbose")
    assert (found.code, "2 migration files of redis-om applied." in found.stdout) == (0, True), found.text
    assert "a: done in" in found.stderr
    assert station.lrange("done", 0, -1) == [b"a", b"b"]
    assert {b"a", b"b"} <= station.smembers(record)
    assert not station.exists(FILES_LEASE.fence, FILES_LEASE.lease)
    again = run_om(group, "run", "--accept-unindexed", "--json").json
    assert (again["applied_files"], again["pending_files"]) == ([], [])
    assert station.lrange("done", 0, -1) == [b"a", b"b"]

    dry = run_om(group, "rollback", "b", "--dry-run", "--json")
    assert (dry.code, dry.json, "no undo log" in dry.stderr) == (0, {"status": "dry_run", "id": "b"}, True)
    assert station.sismember(record, "b")
    assert run_om(group, "rollback", "b", "--json").json == {"status": "completed", "id": "b"}
    assert (station.lrange("done", 0, -1), station.sismember(record, "b")) == ([b"a"], 0)
    assert run_om(group, "rollback", "b", "--json").json == {"status": "nothing_to_do", "id": "b"}


def test_files_of_both_kinds_run_in_one_order(station: redis.Redis, lay: Lay) -> None:
    lay(
        "data-migrations",
        a=file("a", "migrate-data", "b", is_async=False),
        b=file("b", "migrate-data", "c", ID),
        c=file("c", "migrate-data", is_async=False),
        d=file("d", "migrate-data"),
    )
    found = run_om("migrate-data", "run", "--failure-mode", "default", "--json")
    assert (found.code, found.json["applied_files"]) == (0, ["c", "b", "a", "d"])
    assert station.lrange("done", 0, -1) == [b"c", b"b", b"a", b"d"]


def test_what_cannot_run_stays_pending_with_what_depends_on_it(station: redis.Redis, lay: Lay) -> None:
    refusing = "async def can_run(self):\n        return False"
    lay(
        "data-migrations",
        a=file("a", "migrate-data", down=refusing),
        b=file("b", "migrate-data", "a"),
        c=file("c", "migrate-data"),
    )
    found = run_om("migrate-data", "run")
    assert found.code == 3
    assert "Still pending: a, because its can_run() returned false." in found.stdout
    assert "Still pending: b, because it depends on a, which is not applied." in found.stdout
    assert "Exit code 3: 2 migration files are still pending." in found.stderr
    assert station.lrange("done", 0, -1) == [b"c"]
    assert run_om("migrate-data", "run", "--json").json["pending_files"] == ["a", "b"]


@pytest.mark.sample(7)
@pytest.mark.parametrize(("group", "folder", "record"), GROUPS)
@pytest.mark.parametrize("is_async", [True, False])
@pytest.mark.parametrize("error", ["raise KeyError('x')", "raise SystemExit(0)", "raise StopIteration"])
def test_a_file_that_raises_stays_pending(
    station: redis.Redis, lay: Lay, group: str, folder: str, record: str, is_async: bool, error: str
) -> None:
    lay(
        folder,
        a=file("a", group, is_async=is_async),
        b=file("b", group, is_async=is_async, up=error),
        c=file("c", group, is_async=is_async),
    )
    found = run_om(group, "run", "--accept-unindexed")
    assert found.code == 1
    said = f"up() of the {folder.partition('-')[0]} migration b failed: migrations/{folder}/b.py, line 9: "
    assert said in found.stderr
    assert "It is still pending." in found.stderr
    assert "Traceback" not in found.text
    assert station.lrange("done", 0, -1) == [b"a"]
    assert station.smembers(record) - {ID.encode()} == {b"a"}
    assert not station.exists(FILES_LEASE.fence, FILES_LEASE.lease)
    assert run_om(group, "run", "--accept-unindexed", "--json").json["exit_code"] == 1


@pytest.mark.parametrize(("group", "folder", "record"), GROUPS)
def test_a_rollback_that_is_not_possible(
    station: redis.Redis, lay: Lay, group: str, folder: str, record: str
) -> None:
    lay(
        folder,
        a=file("a", group, down="x = 1"),
        b=file("b", group, down="async def down(self):\n        1 / 0"),
    )
    station.sadd(record, "a", "b", "gone")
    before = every_byte(station)
    for name, said in (
        ("a", "does not implement down()"),
        ("b", "line 12: ZeroDivisionError: division by zero. It is still recorded as applied."),
        ("gone", "was not found"),
        ("c", "does not exist"),
    ):
        found = run_om(group, "rollback", name)
        assert (found.code, said in found.stderr) == (1, True), found.text
        assert ID not in found.stderr
    assert every_byte(station) == before


@pytest.mark.parametrize(("group", "folder", "record"), GROUPS)
def test_a_limit_is_the_number_of_files(
    station: redis.Redis, lay: Lay, group: str, folder: str, record: str
) -> None:
    lay(folder, **{name: file(name, group) for name in "abc"})
    found = run_om(group, "run", "--accept-unindexed", "--limit", "2", "--json")
    assert (found.code, found.json["applied_files"], found.json["pending_files"]) == (0, ["a", "b"], ["c"])
    run_om(group, "run", "--accept-unindexed", "--limit", "0")
    assert station.lrange("done", 0, -1) == [b"a", b"b"]


def test_a_downgrade_and_a_reset(station: redis.Redis, lay: Lay) -> None:
    lay("schema-migrations", **{name: file(name, "migrate") for name in "abc"})
    run_om("migrate", "run", "--accept-unindexed")
    dry = run_om("migrate", "downgrade", "-n", "2", "--dry-run")
    assert (dry.code, "  c\n  b\n" in dry.stderr) == (0, True)
    assert run_om("migrate", "downgrade").code == 0
    assert station.lrange("done", 0, -1) == [b"a", b"b"]
    (Path("migrations") / "schema-migrations" / "b.py").unlink()
    found = run_om("migrate", "downgrade", "--steps", "2", "--json")
    assert (found.code, found.json) == (3, {"status": "done", "rolled_back": ["a"], "skipped": ["b"]})
    assert station.smembers(SCHEMA_RECORD) == {b"b"}
    assert (run_om("migrate", "reset").code, station.smembers(SCHEMA_RECORD)) == (2, {b"b"})
    assert run_om("migrate", "reset", "--yes", "--json").json == {"status": "done", "removed": ["b"]}
    assert not station.exists(SCHEMA_RECORD)
    assert run_om("migrate", "reset", "--yes", "--json").json["status"] == "nothing_to_do"
    assert run_om("migrate", "downgrade", "--json").json["status"] == "nothing_to_do"


def test_models_in_a_file_use_the_server_of_the_command(
    station: redis.Redis, lay: Lay, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """
from {library} import HashModel
from {library}.model.migrations.data import BaseMigration

class Note(HashModel):
    text: str

    class Meta:
        global_key_prefix = "notes"

class Change(BaseMigration):
    migration_id = "{name}"

    {function} up(self):
        {wait}Note(pk="{name}", text="x").save()
        assert ({wait}Note.get("{name}")).text == "x"
"""
    lay(
        "data-migrations",
        a=text.format(library="aredis_om", name="a", function="async def", wait="await "),
        b=text.format(library="redis_om", name="b", function="def", wait=""),
        c=text.format(library="aredis_om", name="c", function="async def", wait="await "),
    )
    monkeypatch.setenv("REDIS_OM_URL", "redis://127.0.0.1:1")
    found = run_om("migrate-data", "run", "--url", url, "--json")
    assert (found.code, found.json["applied_files"]) == (0, ["a", "b", "c"]), found.text
    assert len(list(station.scan_iter("notes:*"))) == 3


def test_an_asynchronous_method_beside_a_plain_one_is_executed(station: redis.Redis, lay: Lay) -> None:
    can_run = "async def can_run(self):\n        return True"
    lay("data-migrations", a=file("a", "migrate-data", is_async=False, down=can_run))
    assert run_om("migrate-data", "run", "--json").json["applied_files"] == ["a"]


@pytest.mark.sample(1)
@pytest.mark.parametrize(("group", "folder", "record"), GROUPS)
def test_only_one_run_at_a_time(
    station: redis.Redis, lay: Lay, url: str, group: str, folder: str, record: str
) -> None:
    waiting = "import asyncio; await self.redis.rpush('done', 'a'); await asyncio.sleep(60)"
    lay(folder, a=file("a", group, up=waiting))
    command = [sys.executable, "-m", "redstart.cli.main", group, "run", "--accept-unindexed"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        until = time.monotonic() + 30
        while not station.exists("done") and time.monotonic() < until:
            time.sleep(0.05)
        assert station.pttl(FILES_LEASE.lease) > 60_000  # up() does not renew it
        second = run_om(group, "run", "--accept-unindexed")
        assert (second.code, "up() of a" in second.stderr) == (4, True), second.text
        first.send_signal(signal.SIGINT)
        assert first.wait(10) != 0
    assert station.lrange("done", 0, -1) == [b"a"]
    assert not station.sismember(record, "a")
    assert not station.exists(FILES_LEASE.lease)


def test_a_run_that_lost_its_lease_records_nothing(station: redis.Redis, lay: Lay) -> None:
    lost = f"await self.redis.delete('{FILES_LEASE.fence}')"
    lay("data-migrations", a=file("a", "migrate-data", up=lost))
    found = run_om("migrate-data", "run")
    assert found.code == 4
    assert "up() of the data migration a is complete, but the record was not changed." in found.stderr
    assert not station.sismember(DATA_RECORD, "a")


def test_what_a_file_prints_is_not_on_stdout(station: redis.Redis, lay: Lay) -> None:
    lay("data-migrations", a=file("a", "migrate-data", up="print('hello')"))
    found = run_om("migrate-data", "run", "--json")
    assert (found.json["applied_files"], "hello" in found.stderr) == (["a"], True)


def test_an_index_that_a_file_replaced_is_that_of_the_model_afterwards(
    station: redis.Redis, lay: Lay
) -> None:
    assert run_om("migrate-data", "run").code == 0
    assert run_om("migrate", "run", "--accept-unindexed").code == 0
    name = run_om("migrate", "status", "--json").json["indexes"][0]["index"]
    up = (
        f"await self.redis.execute_command('FT.DROPINDEX', '{name}'); "
        f"await self.redis.execute_command('FT.CREATE', '{name}', 'ON', 'HASH', 'SCHEMA', 'x', 'TAG')"
    )
    lay("schema-migrations", a=file("a", "migrate", up=up))
    assert run_om("migrate", "status", "--check").code == 3
    found = run_om("migrate", "run", "--accept-unindexed")
    assert found.code == 0, found.text
    assert run_om("migrate", "status", "--check").code == 0


@pytest.mark.parametrize("command", [("upgrade",), ("migrate", "run")])
def test_files_of_redis_om_run_before_those_of_redstart(
    station: redis.Redis, lay: Lay, command: tuple[str, ...]
) -> None:
    lay("schema-migrations", a=file("a", "migrate"))
    lay("data-migrations", b=file("b", "migrate-data"))
    own = Path("migrations") / "20261101_090000_initial.py"
    needed = ["b"] if command == ("upgrade",) else []
    own.write_text(
        f"from redstart.operations import Migration\n\nmigration = Migration(dependencies={needed})\n",
        encoding="utf-8",
    )
    found = run_om(*command)
    assert found.code == 0, found.text
    assert "1 migration file applied." in found.stdout
    assert station.lrange("done", 0, -1) == [b"a", b"b"][: 1 + len(needed)]
    assert run_om("migrate", "rollback", "a", "--json").json == {"status": "completed", "id": "a"}
    assert not station.sismember(SCHEMA_RECORD, "a")
    assert run_om("migrate", "history", "--json").json["migrations"][-1]["state"] == "applied"


def test_a_directory_of_redis_om_is_used_before_files_of_redstart(station: redis.Redis, lay: Lay) -> None:
    directory = lay("schema-migrations", root="other", a=file("a", "migrate"))
    own = Path("migrations") / "20261101_090000_initial.py"
    own.parent.mkdir()
    own.write_text("from redstart.operations import Migration\n\nmigration = Migration()\n", encoding="utf-8")
    found = run_om("migrate", "run", "--verbose", "--migrations-dir", str(directory))
    assert (found.code, "a: done in" in found.stderr) == (0, True), found.text
    assert station.lrange("done", 0, -1) == [b"a"]
    assert "1 migration file applied." in found.stdout


def test_a_directory_of_redis_om_is_named_for_a_rollback(station: redis.Redis, lay: Lay) -> None:
    directory = lay("schema-migrations", root="other", a=file("a", "migrate"))
    words = ("--migrations-dir", str(directory))
    assert run_om("migrate", "run", "--accept-unindexed", *words).code == 0
    assert run_om("migrate", "rollback", "a", *words, "--json").json["status"] == "completed"
    assert run_om("migrate", "run", "--accept-unindexed", *words).code == 0
    assert run_om("migrate", "downgrade", *words, "--json").json["rolled_back"] == ["a"]
    assert not station.exists("done")


def test_a_dry_run_of_a_rollback_is_for_one_file(station: redis.Redis, lay: Lay) -> None:
    lay("schema-migrations", a=file("a", "migrate"))
    found = run_om("migrate", "rollback", "--dry-run")
    assert (found.code, "Give its ID" in found.stderr) == (2, True)
