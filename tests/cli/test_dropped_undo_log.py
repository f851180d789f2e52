"""After drop-undo-log, the values converted before stay known, whatever is run and rolled back since."""

import json
from collections.abc import Callable

import pytest
import redis

from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from tests.migrations.indexes.conftest import drop_all
from tests.support.cli import run_om

TEXT = "2021-05-04T03:02:01Z"
MODEL = """
    import datetime
    from redstart import {base}, Field

    class Log({base}, index=True):
        at: datetime.datetime = Field(index=True)

        class Meta:
            global_key_prefix = "app"
            model_key_prefix = "log"
"""
BASES = ["HashModel", "JsonModel"]


def write(client: redis.Redis, base: str, key: str) -> None:
    if base == "HashModel":
        client.hset(key, mapping={"at": TEXT})
    else:
        client.execute_command("JSON.SET", key, "$", json.dumps({"at": TEXT}))


@pytest.fixture(params=BASES)
def base(
    url: str,
    client: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
    write_module: Callable[[str], str],
    request: pytest.FixtureRequest,
) -> str:
    """Convert three documents, and drop the undo log."""
    drop_all(client)
    base = str(request.param)
    monkeypatch.setenv("REDIS_OM_URL", url)
    monkeypatch.setenv("REDSTART_MODELS", write_module(MODEL.format(base=base)))
    for number in range(3):
        write(client, base, f"app:log:{number}")
    assert run_om("migrate-data", "run", "--yes").code == 0
    assert run_om("migrate-data", "drop-undo-log", ID, "--yes").code == 0
    return base


@pytest.mark.sample(2)
@pytest.mark.parametrize("cycles", [1, 2])
@pytest.mark.parametrize("with_new_document", [False, True])
@pytest.mark.parametrize("index", [False, True])
def test_a_rollback_of_later_runs_reports_the_values_that_stay_converted(
    client: redis.Redis, base: str, with_new_document: bool, index: bool, cycles: int
) -> None:
    if index:
        assert run_om("migrate", "run", "--yes").code == 0
    assert run_om("migrate-data", "rollback", ID, "--yes").code == 1
    for _ in range(cycles):
        if with_new_document:
            write(client, base, "app:log:new")
        assert run_om("migrate-data", "run", "--yes").code == 0
        preview = run_om("migrate-data", "rollback", ID, "--dry-run", "--json").json
        rolled = run_om("migrate-data", "rollback", ID, "--yes", "--json")
        assert rolled.code == 6, rolled.text
        assert (rolled.json["stay_converted"], preview["stay_converted"]) == (3, 3)
        assert rolled.json["restored_exactly"] == int(with_new_document)
        status = run_om("migrate-data", "status")
        assert "3 converted values cannot be rolled back" in status.text
        assert "Phase: pending" not in status.text
        refused = run_om("migrate-data", "rollback", ID, "--yes")
        assert (refused.code, "3 values stay converted" in refused.text) == (1, True)
    assert run_om("migrate-data", "run", "--yes").code == 0
    assert run_om("migrate-data", "drop-undo-log", ID, "--yes").code == 0
    refused = run_om("migrate-data", "rollback", ID, "--yes")
    assert (refused.code, f"{3 + with_new_document} values stay converted" in refused.text) == (1, True)
    drop_all(client)


def test_the_undo_log_can_be_dropped_again_after_such_a_rollback(base: str) -> None:
    assert run_om("migrate-data", "run", "--yes").code == 0
    assert run_om("migrate-data", "rollback", ID, "--yes").code == 6
    dropped = run_om("migrate-data", "drop-undo-log", ID, "--yes")
    assert dropped.code == 0, dropped.text
    assert "3 converted values cannot be rolled back" in run_om("migrate-data", "status").text
