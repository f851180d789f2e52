"""`FileMigrations`: the results are those of `om`, and either continues or undoes a run of the other."""

import asyncio
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import redis

import redstart.aio
from redstart.errors import ConfigurationError, MigrationFileError
from redstart.migrations.context import Progress
from redstart.migrations.import_guard import no_migrations
from redstart.migrations.outcomes import Outcome
from tests.aio.conftest import result
from tests.cli.test_upgrade import (
    CENTS,
    INITIAL,
    TEXTS,
    TITLE,
    add_orders,
    applied,
    documents,
    edit,
    lay,
    order,
)
from tests.support.cli import run_om


@pytest.fixture(params=["redstart", "redstart.aio"])
def flavour(request: pytest.FixtureRequest) -> Any:
    return import_module(request.param)


@pytest.fixture
def shop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models_url: str, client: redis.Redis
) -> redis.Redis:
    """A client of a server with 20 orders; the current directory has three files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REDSTART_MODELS", raising=False)
    lay(*TEXTS)
    add_orders(client, 20)
    return client


@pytest.mark.sample(1)
def test_files_are_applied_cleaned_up_and_rolled_back(shop: redis.Redis, url: str, flavour: Any) -> None:
    before = documents(shop)
    seen: list[Progress] = []
    files = flavour.FileMigrations(on_progress=seen.append)
    assert result(files.pending()) == [INITIAL, TITLE, CENTS]
    found = result(files.upgrade(TITLE[:8]))
    assert [(one.migration_id, one.result.outcome) for one in found.files] == [
        (INITIAL, Outcome.DONE),
        (TITLE, Outcome.DONE),
    ]
    assert (found.stopped, found.pending, applied(url)) == (None, (CENTS,), [INITIAL, TITLE])
    assert any(one.done == 20 for one in seen)
    ((name, removed),) = result(files.cleanup())
    assert (name, removed.data.converted) == (TITLE, 20)
    assert b"name" not in order(shop)
    assert result(files.upgrade()).pending == ()
    assert [item.state.value for item in result(files.status()).items] == ["applied"] * 3
    assert [one.migration_id for one in result(files.downgrade(INITIAL))] == [CENTS, TITLE]
    assert documents(shop) == before
    assert [one.outcome for one in result(files.downgrade())] == [Outcome.DONE]
    assert (applied(url), result(files.downgrade())) == ([], [])


def test_a_refused_cutover_is_continued_by_om(shop: redis.Redis, url: str, flavour: Any) -> None:
    shop.hset("shop:order:3", "price", "free")
    files = flavour.FileMigrations(Path("migrations"), url=url)
    found = result(files.upgrade())
    assert (found.stopped.migration_id, found.stopped.result.outcome) == (CENTS, Outcome.CUTOVER_REFUSED)
    assert found.stopped.result.failures.count == 1
    assert result(files.status()).started == [CENTS]
    assert run_om("upgrade", "--accept-unindexed").code == 0
    assert result(files.pending()) == []


def test_a_value_that_cannot_be_changed_stops_it(shop: redis.Redis, url: str, flavour: Any) -> None:
    shop.hset("shop:order:3", "price", "free")
    found = result(flavour.FileMigrations().upgrade(failure_mode="fail"))
    assert found.stopped.result.outcome is Outcome.STOPPED
    shop.hset("shop:order:3", "price", "3")
    assert run_om("upgrade").code == 0
    assert applied(url) == [INITIAL, TITLE, CENTS]


def test_what_is_wrong_is_an_error_before_the_first_write(shop: redis.Redis, url: str, flavour: Any) -> None:
    files = flavour.FileMigrations()
    with pytest.raises(MigrationFileError, match="is not applied"):
        result(files.downgrade(TITLE))
    with pytest.raises(ConfigurationError, match="A client and a URL"):
        flavour.FileMigrations(client=flavour.get_redis_connection(), url=url)
    result(files.upgrade(TITLE))
    edit(TITLE)
    for call in (files.upgrade, files.downgrade, files.cleanup):
        with pytest.raises(MigrationFileError, match="was edited after it was applied"):
            result(call())


def test_nothing_is_done_while_om_imports_the_module(shop: redis.Redis, url: str, flavour: Any) -> None:
    files = flavour.FileMigrations()
    calls: list[str] = []
    with no_migrations(lambda _, call: calls.append(call)):
        assert result(files.upgrade()).files == ()
        assert result(files.downgrade()) == result(files.cleanup()) == []
    assert calls == [f"FileMigrations().{name}()" for name in ("upgrade", "downgrade", "cleanup")]
    assert applied(url) == []


CALL = """
import time

from redstart.operations import *


def up(client, step):
    if client.get("shop:failing") == step:
        raise ValueError(f"not yet: {step}")
    client.rpush("shop:calls", f"up {step} {client.hget('shop:order:7', 'name')}")
    time.sleep(float(client.get("shop:seconds") or 0))


def down(client, step):
    client.rpush("shop:calls", f"down {step}")


migration = Migration(
    dependencies=["%s"], operations=[RunPython(up, down, steps=["one", "two"])]
)
"""
CALLING = "20260105_000000_call"


@pytest.fixture
def calling(shop: redis.Redis) -> redis.Redis:
    (Path("migrations") / f"{CALLING}.py").write_text(CALL % CENTS)
    return shop


def test_functions_are_called_resumed_and_undone(calling: redis.Redis, url: str, flavour: Any) -> None:
    files = flavour.FileMigrations()
    calling.set("shop:failing", "two")
    found = result(files.upgrade())
    assert found.stopped.result.stopped == "up('two') raised ValueError: 'not yet: two'"
    calling.delete("shop:failing")
    assert result(files.upgrade()).stopped is None
    assert calling.lrange("shop:calls", 0, -1) == [b"up one n7", b"up two n7"]
    assert applied(url) == [INITIAL, TITLE, CENTS, CALLING]
    assert [one.outcome for one in result(files.downgrade(CENTS))] == [Outcome.DONE]
    assert calling.lrange("shop:calls", 2, -1) == [b"down two", b"down one"]
    assert run_om("upgrade", "--yes").code == 0
    assert [one.migration_id for one in result(files.downgrade(CENTS))] == [CALLING]


def test_a_function_does_not_block_the_event_loop_and_is_recorded_if_cancelled(calling: redis.Redis) -> None:
    calling.set("shop:seconds", "0.3")
    longest = 0.0

    async def main() -> None:
        nonlocal longest
        files = redstart.aio.FileMigrations()
        upgrade = asyncio.create_task(files.upgrade())
        last = time.monotonic()
        while not (calling.exists("shop:calls") or upgrade.done()):
            await asyncio.sleep(0.01)
            last = time.monotonic()
        upgrade.cancel()
        while not upgrade.done():
            await asyncio.sleep(0.01)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await upgrade

    asyncio.run(main())
    assert longest < 0.25
    calling.delete("shop:seconds")
    assert calling.lrange("shop:calls", 0, -1) == [b"up one n7"]
    assert run_om("upgrade", "--yes").code == 0  # waits for the lease that nobody released
    assert calling.lrange("shop:calls", 0, -1) == [b"up one n7", b"up two n7"]
