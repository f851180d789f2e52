"""Whole runs and rollbacks, with other clients that write, and their documents."""

import json
from collections.abc import Callable
from typing import Any

import redis

from redstart.demo.sample import RINGER_PREFIX, SIGHTING_PREFIX, VISIT_PREFIX
from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.data.failures import FailureLog
from redstart.migrations.data.plan import Plan
from redstart.migrations.data.results import DataRollbackResult, RunResult
from redstart.migrations.data.rollback import rollback
from redstart.migrations.data.run import run
from redstart.server.clients import open_like
from tests.support.crash_driver import CrashDriver
from tests.support.migration import KEYS, new_context, options, station_plan
from tests.support.replies import Command, replies, send

NUMBER = b"1620097321.123456"
"""The number of TEXT."""
NEWER_TEXT, NEWER_NUMBER = "2022-02-02T02:02:02", b"1643767322.0"
RINGER, VISIT, SIGHTING = RINGER_PREFIX + "1", VISIT_PREFIX + "1", SIGHTING_PREFIX + "1"

APPLY = ("EVAL apply journaled", "EVALSHA apply journaled")
UNDO = ("EVAL apply undo", "EVALSHA apply undo")
MODES = [mode for mode in FailureMode if mode is not FailureMode.FAIL]
"""Modes in which a run ends, whatever the values."""


def migrate(
    url: str,
    mode: FailureMode = FailureMode.LOG_AND_SKIP,
    *,
    plan: Plan | None = None,
    before: Callable[[str], None] | None = None,
    **more: Any,
) -> RunResult:
    with CrashDriver(url, before=before) as driver:
        return driver.run(run(new_context(), plan or station_plan(), options(mode, **more)))


def undo(url: str, *, before: Callable[[str], None] | None = None) -> DataRollbackResult:
    with CrashDriver(url, before=before) as driver:
        result = driver.run(rollback(new_context(), batch_documents=40))
    assert result.stopped is None
    return result


def migrate_all(url: str, mode: FailureMode = FailureMode.LOG_AND_SKIP) -> RunResult:
    """A run that reaches its end."""
    result = migrate(url, mode)
    assert result.stopped is None
    return result


def undo_all(url: str) -> DataRollbackResult:
    """Roll back, and leave nothing in numeric format."""
    result = undo(url)
    assert result.kept == 0
    return result


def once_before(names: tuple[str, ...], client: redis.Redis, *commands: Command) -> Callable[[str], None]:
    """Another client's commands, sent before the first request of one of these names."""
    waiting = [list(commands)]

    def hook(name: str) -> None:
        if name in names and waiting:
            send(client, waiting.pop())

    return hook


def failures(client: redis.Redis) -> dict[tuple[str, str], str]:
    """Recorded failures: (key, path) to reason."""
    with open_like(client) as driver:
        recorded = driver.run(FailureLog(KEYS).all())
    return {(one.key, one.path): one.reason for one in recorded}


def json_text(client: redis.Redis, key: str = SIGHTING) -> str:
    return str(replies(client, [("JSON.GET", key)])[0].decode())


def json_of(client: redis.Redis, key: str = SIGHTING) -> Any:
    return json.loads(json_text(client, key))


def set_json(key: str, content: dict[str, Any]) -> Command:
    return ("JSON.SET", key, "$", json.dumps(content))
