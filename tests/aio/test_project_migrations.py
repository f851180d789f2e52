"""`FileMigrations`: the results are those of `om`, and either continues or undoes a run of the other."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import redis

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


FUNCTION = """
from redstart.operations import *


def up(client):
    assert client.ping() is True
    client.set("shop:done", "é")
    assert client.get("shop:done") == "é"


def down(client):
    client.delete("shop:done")


migration = Migration(dependencies=["{0}"], operations=[RunPython(up, down)])
"""


def test_functions_get_a_client(shop: redis.Redis, flavour: Any) -> None:
    Path("migrations/20260104_000000_function.py").write_text(FUNCTION.format(CENTS))
    files = flavour.FileMigrations()
    assert result(files.upgrade()).stopped is None
    assert shop.get("shop:done") == "é".encode()
    assert all(one.is_complete for one in result(files.downgrade(CENTS)))
    assert shop.get("shop:done") is None
