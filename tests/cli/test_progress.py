"""`om migrate-data progress`, by whose lease it finds."""

import re
import time
from dataclasses import replace

import pytest
import redis

from redstart.cli.migrate_data.reports import progress_report
from redstart.migrations.context import Context
from redstart.migrations.data.checkpoint import Checkpoint, RunStage
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION, DatetimeConversion
from redstart.migrations.data.plan import Plan
from redstart.migrations.data.status import status
from redstart.migrations.lease_state import Holder, this_process
from redstart.migrations.state_keys import StateKeys
from redstart.server.clients import open_sync
from tests.support.cli import run_om

KEYS = StateKeys(DATETIME_MIGRATION)
HERE = this_process()


def report_while_held_by(holder: Holder, url: str) -> dict[str, object]:
    """The report while `holder` has the lease, a run being half-way."""
    context = Context(DatetimeConversion.of_zone("UTC"), holder, "token", time.monotonic)
    with open_sync(url) as driver:
        lease = driver.run(context.acquire())
        saved = Checkpoint(RunStage.CONVERT, "plan", 1, done=5, total=10).command(KEYS)
        driver.run(lease.commit([saved, ["HSET", KEYS.record, "generation", 1]]))
        return progress_report(driver.run(status(KEYS, Plan(()))))


@pytest.mark.parametrize("holder", [HERE, replace(HERE, boot_id="another machine", pid=999_999_999)])
def test_a_holder_that_may_be_alive_is_running(holder: Holder, url: str) -> None:
    report = report_while_held_by(holder, url)
    assert (report["state"], report["lease_holder"]) == ("running", str(holder))


@pytest.mark.skipif(not HERE.boot_id, reason="this system does not tell whether a process is gone")
def test_a_holder_that_was_killed_leaves_an_interrupted_run_at_once(url: str) -> None:
    report = report_while_held_by(replace(HERE, pid=999_999_999), url)
    assert (report["state"], report["done"], report["lease_holder"]) == ("interrupted", 5, None)


@pytest.mark.parametrize(
    ("checkpoint", "said"),
    [
        (
            Checkpoint(RunStage.CENSUS, "plan", 1),
            ("initial scan; no document is changed yet", r"documents +not counted"),
        ),
        (
            Checkpoint(RunStage.REPLAY, "plan", 1, done=1_200, total=3_000),
            ("rollback: restoring the originals", r"undo log entries +1,200 of 3,000"),
        ),
        (
            Checkpoint(RunStage.SWEEP, "plan", 1, number=2, done=7),
            ("rollback: rewriting newer values as text, pass 2", r"documents +7"),
        ),
    ],
)
def test_the_progress_of_each_stage_is_printed(
    checkpoint: Checkpoint, said: tuple[str, str], configured: str, client: redis.Redis
) -> None:
    client.set(KEYS.checkpoint, str(checkpoint.command(KEYS)[-1]))
    client.hset(KEYS.record, "generation", checkpoint.generation)
    found = run_om("migrate-data", "progress")
    assert found.code == 0
    stage, documents = said
    assert stage in found.stdout
    assert re.search(rf"^{documents}$", found.stdout, re.MULTILINE)
    go_on = (
        f"om migrate-data rollback {DATETIME_MIGRATION}" if checkpoint.stage.undoes else "om migrate-data run"
    )
    assert found.stdout.endswith(f"Resume with: {go_on}\n")


@pytest.mark.parametrize("pages", [10, 1_000])
def test_a_limit_within_a_page_is_seen(station: redis.Redis, pages: int) -> None:
    """The page is looked at again, but what was met in it was met."""
    for met in (25, 50):
        stopped = run_om(
            *("migrate-data", "run", "--limit-documents", "25", "--batch-size", str(pages), "--json")
        )
        assert (stopped.code, stopped.json["reason"]) == (5, "--limit-documents 25 reached")
        shown = run_om("migrate-data", "progress", "--json").json
        assert (shown["done"], shown["total"]) == (stopped.json["documents"], 60)
        assert met <= shown["done"] <= 60
        assert re.search(rf"documents +{shown['done']} of 60\n", run_om("migrate-data", "progress").stdout)
    assert run_om("migrate-data", "run", "--json").json["documents"] == 60
