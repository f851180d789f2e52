"""`om migrate-data progress`, by whose lease it finds."""

import json
import re
import time
from dataclasses import fields, replace
from typing import Any

import pytest
import redis

from redstart import DateMigration
from redstart.cli.migrate_data.reports import progress_report
from redstart.cli.migrate_data.rollback import rollback
from redstart.cli.migrate_data.run import run
from redstart.demo.models import Ringer, Sighting, Visit
from redstart.migrations.context import Context
from redstart.migrations.data.checkpoint import Checkpoint, RunStage
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION, DatetimeConversion
from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.data.plan import Plan
from redstart.migrations.data.status import status
from redstart.migrations.lease_state import Holder, this_process
from redstart.migrations.options import MigrationOptions, RollbackOptions
from redstart.migrations.outcomes import Outcome
from redstart.migrations.state_keys import StateKeys
from redstart.next_steps import Command
from redstart.server.clients import open_sync
from tests.support.cli import run_om, started_om
from tests.support.processes import wait_until

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


RUN = "migrate-data run --failure-mode {} --batch-size 2 --accept-unindexed"
ROLLBACK = f"migrate-data rollback {DATETIME_MIGRATION} --reformat-preexisting --batch-size 2"


def killed(command: str, client: redis.Redis) -> None:
    """Start a command, and kill it when it has saved a checkpoint of its own."""
    with started_om(*command.split(), "--yes") as process:
        wait_until(lambda: saved_command(client) == command, "the checkpoint")
        process.kill()


def saved_command(client: redis.Redis) -> str | None:
    saved = client.get(KEYS.checkpoint)
    return None if saved is None else " ".join(json.loads(saved)["resumed_by"])


def test_after_a_kill_every_command_shows_the_options_that_were_typed(big_station: redis.Redis) -> None:
    """Those of the last command: a resumed run replaces them, and a rollback."""
    for command in (RUN.format("quarantine"), RUN.format("skip"), ROLLBACK):
        killed(command, big_station)
        for reading in ("migrate-data progress", "migrate-data status", "migrate status"):
            assert f"esume with: om {command}\n" in run_om(*reading.split()).stdout, reading
        assert run_om("migrate-data", "check-schema", "--json").json["recommendation"] == f"om {command}"
        if command != ROLLBACK:
            assert f"Resume with: om {command}\n" in run_om("migrate-data", "verify").stdout


def test_a_program_records_its_options_as_those_of_the_command(station: redis.Redis, configured: str) -> None:
    dates = DateMigration((Ringer, Sighting, Visit), url=configured)
    stopped = dates.run(failure_mode="quarantine", limit_documents=5)
    assert stopped.outcome is Outcome.STOPPED
    expected = "om migrate-data run --failure-mode quarantine --limit-documents 5"
    assert str(dates.status().next_command) == expected
    assert run_om("migrate-data", "progress").stdout.endswith(f"Resume with: {expected}\n")


GIVEN = {
    "failure_mode": FailureMode.QUARANTINE,
    "batch_size": 7,
    "max_errors": 3,
    "limit_documents": 5,
    "accept_unindexed": True,
    "keep_old_index": True,
    "aliases": ("a", "b"),
    "include_prefixes": ("p:", "q:"),
    "expand": False,
    "reformat_preexisting": True,
}
"""For each option of a run or rollback, a value that is not the default."""


def parsed(command: Command) -> dict[str, object]:
    """Return the parameters of a command line, as click parses it."""
    _, name = command.name.split()
    subcommand = {"run": run, "rollback": rollback}[name]
    with subcommand.make_context(name, list(command.arguments)) as context:
        found = dict(context.params)
    return found | {"expand": not found.pop("no_expand", False)}


@pytest.mark.parametrize("options", [MigrationOptions, RollbackOptions])
def test_every_option_is_in_the_command_and_no_default_is(
    options: type[MigrationOptions | RollbackOptions],
) -> None:
    def command(**values: Any) -> Command:
        made = options(**values)
        return made.command() if isinstance(made, MigrationOptions) else made.command(DATETIME_MIGRATION)

    assert str(command()) in ("om migrate-data run", f"om migrate-data rollback {DATETIME_MIGRATION}")
    given = {one.name: GIVEN[one.name] for one in fields(options) if one.name != "resume"}
    found = parsed(command(**given))
    assert {name: found[name] for name in given} == given
