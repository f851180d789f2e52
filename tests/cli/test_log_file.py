"""`--log-file`: every line is one whole object, whatever ends the command."""

import json
import re
import resource
import signal
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from redstart.cli.migrate_data import event_log
from redstart.devserver.process import EmbeddedServer
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from tests.support.cli import Ended, ended, om_on_terminal, run_om, started_om
from tests.support.migration import has_begun_to_write
from tests.support.processes import wait_until
from tests.support.snapshot import difference, snapshot

PAGE = (Path(__file__).parents[2] / "docs" / "data-migration.md").read_text(encoding="utf-8")
COMMON = ["time", "event", "command", "migration", "where", "pid"]
FURTHER = {
    event: re.findall(r"`(\w+)`", keys)
    for event, keys in re.findall(r"^\| `(\w+)` \| ([^|]*)\| [^|]+ \|$", PAGE, re.MULTILINE)
}
"""What the page says of each event's keys."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "migration.jsonl"


@pytest.fixture
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log, "PROGRESS_EVERY_SECONDS", 0.0)


def om(file: Path, *words: str) -> Ended:
    return run_om("migrate-data", *words, "--log-file", str(file), "--json")


def lines(file: Path) -> list[dict[str, Any]]:
    """Every line, each checked for what all have."""
    text = file.read_text(encoding="ascii")
    assert text.endswith("\n")
    found = [json.loads(line) for line in text.splitlines()]
    for one in found:
        assert list(one) == COMMON + FURTHER[one["event"]]
        assert one["time"].endswith("Z")
        assert datetime.fromisoformat(one["time"]).utcoffset() == timedelta(0)
        assert one["migration"] == ID
    return found


def events(file: Path) -> list[str]:
    """The events, one after the other, each as often as it comes in a row."""
    return [one["event"] for one in lines(file)]


def test_a_run_from_its_start_to_its_result(station: redis.Redis, configured: str, file: Path) -> None:
    ran = om(file, "run")
    found = lines(file)
    assert (found[0]["event"], found[0]["command"]) == ("started", "run")
    assert (found[-1]["event"], found[-1]["result"]) == ("completed", ran.json)
    assert {one["where"] for one in found} == {configured.partition("?")[0]}
    assert set(events(file)) == {"started", "progress", "failure", "completed"}

    said = [{name: one[name] for name in ("key", "path", "value", "reason")} for one in _of(found, "failure")]
    listed = run_om("migrate-data", "errors", "--json").json["errors"]
    assert sorted(said, key=str) == sorted(listed, key=str)
    assert len(listed) == ran.json["failed"] > 0


def _of(found: list[dict[str, Any]], event: str) -> list[dict[str, Any]]:
    return [one for one in found if one["event"] == event]


def test_the_page_shows_such_lines() -> None:
    shown = [json.loads(line) for line in re.findall(r'^\{"time": .*$', PAGE, re.MULTILINE)]
    assert [one["event"] for one in shown] == ["started", "saved", "progress"]
    for one in shown:
        assert list(one) == COMMON + FURTHER[one["event"]]


def test_progress_is_said_once_a_second_at_most(
    station: redis.Redis, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "PROGRESS_EVERY_SECONDS", 3_600.0)
    om(file, "run", "--batch-size", "5")
    assert events(file).count("progress") == 1


def test_progress_says_stage_and_how_far(station: redis.Redis, file: Path, every_step: None) -> None:
    om(file, "run", "--batch-size", "5")
    steps = [one for one in _of(lines(file), "progress") if one["stage"] == "converting" and one["pass"] == 1]
    assert len(steps) > 3
    assert [one["done"] for one in steps] == sorted(one["done"] for one in steps)
    assert {one["total"] for one in steps} == {60}
    assert steps[-1]["failed"] == len(_of(lines(file), "failure"))


def test_what_verify_found_is_said(station: redis.Redis, file: Path) -> None:
    assert om(file, "verify").code == 3
    assert {name: lines(file)[-1][name] for name in ("event", "exit_code")} == {
        "event": "completed",
        "exit_code": 3,
    }


def test_later_commands_append(station: redis.Redis, file: Path) -> None:
    ran = [
        om(file, *words)
        for words in (
            ("run", "--dry-run"),
            ("run", "--limit", "0"),
            ("run", "--max-errors", "1"),
            ("run",),
            ("verify", "--check-data"),
            ("rollback", ID, "--dry-run"),
            ("rollback", ID),
        )
    ]
    found = lines(file)
    ends = [one for one in found if "result" in one]
    assert [one["result"] for one in ends] == [one.json for one in ran]
    assert [one["exit_code"] for one in ends] == [one.code for one in ran]
    assert [one["event"] for one in ends] == ["completed", "completed", "stopped", *["completed"] * 4]
    assert [one["command"] for one in _of(found, "started")] == [
        *["run"] * 4,
        "verify",
        *["rollback"] * 2,
    ]


def test_a_backup_is_said(
    configured: str, own_server: Callable[..., EmbeddedServer], file: Path, every_step: None
) -> None:
    server = own_server()
    assert om(file, "run", "--backup", "--url", server.url).code == 0
    found = lines(file)
    (saved,) = _of(found, "saved")
    with redis.Redis.from_url(server.url) as client:
        assert saved["saved_ms"] == client.lastsave().timestamp() * 1_000
    before = found[: found.index(saved)]
    assert {one["stage"] for one in _of(before, "progress")} == {"backup"}


def test_what_refuses_or_fails_is_said(station: redis.Redis, file: Path) -> None:
    station.config_set("maxmemory-policy", "allkeys-lru")
    try:
        refused = om(file, "run")
    finally:
        station.config_set("maxmemory-policy", "noeviction")
    last = lines(file)[-1]
    assert refused.code == 1
    assert last["event"] == "failed"
    assert {name: last[name] for name in ("error", "hint", "exit_code")} == {
        name: refused.json[name] for name in ("error", "hint", "exit_code")
    }


def test_no_password_is_written(
    configured: str, own_server: Callable[..., EmbeddedServer], file: Path
) -> None:
    server = own_server(password="a-long-password")
    assert om(file, "run", "--url", server.url).code == 0
    wrong = server.url.replace("a-long", "another-long")
    assert om(file, "run", "--url", wrong).code == 1
    assert events(file)[-1] == "failed"
    assert "long-password" not in file.read_text()


def test_an_answer_with_no_is_said(station: redis.Redis, file: Path) -> None:
    assert om_on_terminal("migrate-data", "run", "--log-file", str(file), answer="n").code == 1
    assert events(file) == ["started", "failed"]
    assert "not confirmed" in lines(file)[-1]["error"]


@pytest.mark.sample(1)
@pytest.mark.parametrize(
    ("how", "last"), [(signal.SIGKILL, {"progress", "failure", "started"}), (signal.SIGTERM, {"stopped"})]
)
def test_whatever_ends_it_leaves_whole_lines(
    big_station: redis.Redis, file: Path, how: signal.Signals, last: set[str]
) -> None:
    with started_om("migrate-data", "run", "--batch-size", "2", "--log-file", str(file)) as process:
        wait_until(lambda: has_begun_to_write(big_station), "the run to write")
        process.send_signal(how)
        assert ended(process).code in {-signal.SIGKILL, 5}
    assert events(file)[-1] in last
    assert om(file, "run").code == 0
    assert lines(file)[-1]["result"]["resumed"] is True
    assert len({one["pid"] for one in lines(file)}) == 2


def test_half_a_line_is_not_made_longer(station: redis.Redis, file: Path) -> None:
    file.write_text('{"time": "2026-')
    assert om(file, "verify").code == 3
    half, *whole = file.read_text().splitlines()
    assert half == '{"time": "2026-'
    assert [json.loads(line)["event"] for line in whole][:: len(whole) - 1] == ["started", "completed"]


@pytest.mark.parametrize("path", ["missing/migration.jsonl", ".", "", "/dev/full"])
@pytest.mark.parametrize("words", [("run",), ("rollback", ID), ("verify",)])
def test_a_file_that_cannot_be_written_is_refused_before_any_write(
    station: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, words: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    before = snapshot(station)
    found = run_om("migrate-data", *words, "--log-file", path)
    assert found.code == 2
    assert "--log-file" in found.stderr
    assert "Name a file in a writable directory" in found.stderr
    assert difference(before, snapshot(station)) == []


def test_a_disk_that_fills_up_does_not_end_the_run(station: redis.Redis, file: Path) -> None:
    def allow_500_bytes() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))

    with started_om("migrate-data", "run", "--log-file", str(file), preexec_fn=allow_500_bytes) as process:
        done = ended(process)
    assert (done.code, "Conversion complete." in done.stdout) == (0, True)
    assert done.stderr.count("Logging has stopped; the command continues.") == 1
    assert run_om("migrate-data", "verify").code == 0


def test_without_it_there_is_no_file(station: redis.Redis, file: Path) -> None:
    assert run_om("migrate-data", "run").code == 0
    assert list(file.parent.iterdir()) == []


@pytest.mark.parametrize("words", ["run", "verify", f"rollback {ID}"])
def test_a_hyphen_is_stderr(
    station: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    found = run_om("migrate-data", *words.split(), "--log-file", "-", "--json")
    events = [json.loads(line) for line in found.stderr.splitlines() if line.startswith("{")]
    assert [event["event"] for event in events][:: len(events) - 1] == ["started", "completed"]
    assert "status" in found.json or "ok" in found.json
    assert list(tmp_path.iterdir()) == []
