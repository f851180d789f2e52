"""run and rollback: each option shows another result with than without it."""

import re
import shlex
from collections.abc import Callable
from typing import Any

import pytest
import redis

from tests.support.cli import run_om
from tests.support.snapshot import STATE_PREFIXES, difference, snapshot

ID = "001_datetime_fields_to_timestamps"
BAD_KEY = "station:visit:bad"


def run(*words: str) -> dict[str, Any]:
    return run_om("migrate-data", "run", *words, "--json").json


@pytest.fixture
def one_bad_value(configured: str, client: redis.Redis) -> redis.Redis:
    client.hset("station:visit:good", mapping={"visit_code": "good", "arrived_at": "2020-01-01T00:00:00"})
    client.hset(BAD_KEY, mapping={"visit_code": "bad", "arrived_at": "N/A"})
    return client


def bad_value(client: redis.Redis) -> dict[bytes, bytes]:
    return {name: value for name, value in client.hgetall(BAD_KEY).items() if name != b"visit_code"}


@pytest.mark.parametrize(
    ("mode", "code", "left", "says_so"),
    [
        ("skip", 0, {b"arrived_at": b"N/A"}, False),
        ("log_and_skip", 0, {b"arrived_at": b"N/A"}, True),
        ("fail", 5, {b"arrived_at": b"N/A"}, True),
        ("default", 0, {b"arrived_at": b"0.0"}, True),
        ("quarantine", 0, {b"arrived_at__invalid": b"N/A"}, True),
    ],
)
def test_failure_modes(
    one_bad_value: redis.Redis, mode: str, code: int, left: dict[bytes, bytes], says_so: bool
) -> None:
    found = run_om("migrate-data", "run", "--failure-mode", mode)
    assert found.code == code
    assert bad_value(one_bad_value) == left
    assert ("N/A" in found.text) is says_so


@pytest.mark.parametrize(
    ("mode", "became"),
    [
        ("skip", ""),
        ("log_and_skip", ""),
        ("fail", ""),
        ("default", "; replaced by 0.0"),
        ("quarantine", "; moved to arrived_at__invalid"),
    ],
)
def test_errors_shows_the_original_and_its_treatment(
    one_bad_value: redis.Redis, mode: str, became: str
) -> None:
    run("--failure-mode", mode)
    found = run_om("migrate-data", "errors")
    assert found.stdout == f"1 failed value in 1 document.\n{BAD_KEY} arrived_at: not a date{became}: N/A\n"


@pytest.mark.parametrize("mode", ["log_and_skip", "fail"])
def test_a_value_that_a_later_mode_replaced_is_not_said_to_stand(
    one_bad_value: redis.Redis, mode: str
) -> None:
    run("--failure-mode", mode)
    run("--failure-mode", "default")
    assert "not a date; replaced by 0.0: N/A" in run_om("migrate-data", "errors").stdout


def test_a_value_at_which_fail_stopped_and_that_was_corrected_is_off_the_record(
    one_bad_value: redis.Redis,
) -> None:
    assert run("--failure-mode", "fail")["failed"] == 1
    one_bad_value.hset(BAD_KEY, "arrived_at", "2020-01-01")
    resumed = run("--failure-mode", "fail")
    assert (resumed["status"], resumed["resumed"], resumed["failed"]) == ("completed", True, 0)
    assert "No failed values are recorded." in run_om("migrate-data", "errors").stdout


def test_the_default_failure_mode_is_log_and_skip(one_bad_value: redis.Redis) -> None:
    found = run_om("migrate-data", "run")
    assert found.code == 0
    assert f"1  not a date\n     {BAD_KEY} arrived_at: N/A\n" in found.stdout
    assert bad_value(one_bad_value) == {b"arrived_at": b"N/A"}


def test_fail_can_be_resumed_in_another_mode(one_bad_value: redis.Redis) -> None:
    stopped = run("--failure-mode", "fail")
    assert (stopped["status"], "N/A" in stopped["reason"]) == ("stopped", True)
    assert run("--failure-mode", "default")["resumed"] is True
    assert bad_value(one_bad_value) == {b"arrived_at": b"0.0"}


def test_max_errors_stops_at_the_nth(configured: str, client: redis.Redis) -> None:
    for number in range(30):
        client.hset(f"station:visit:{number}", "arrived_at", "N/A")
    stopped = run_om("migrate-data", "run", "--max-errors", "10", "--json")
    assert stopped.code == 5
    assert (stopped.json["reason"], stopped.json["failed"]) == ("--max-errors 10 reached", 10)
    assert stopped.json["documents"] == 10
    assert run_om("migrate-data", "errors", "--json").json["count"] == 10
    assert run_om("migrate-data", "run").code == 0
    assert run_om("migrate-data", "errors", "--json").json["count"] == 30


def test_limit_documents_stops_after_n_were_changed(configured: str, client: redis.Redis) -> None:
    for number in range(30):
        client.hset(f"station:visit:{number}", "arrived_at", "2020-01-01")
    stopped = run_om("migrate-data", "run", "--limit-documents", "7", "--json")
    assert (stopped.code, stopped.json["converted"], stopped.json["documents"]) == (5, 7, 7)
    texts = [client.hget(f"station:visit:{number}", "arrived_at") for number in range(30)]
    assert texts.count(b"2020-01-01") == 23


@pytest.mark.parametrize("batch_size", ["3", "1000"])
def test_a_stopped_run_counts_the_documents_up_to_the_one_that_stopped_it(
    configured: str, client: redis.Redis, batch_size: str
) -> None:
    for number in range(30):
        client.hset(f"station:visit:{number}", "arrived_at", "2020-01-01")
    client.hset(BAD_KEY, "arrived_at", "N/A")
    stopped = run("--failure-mode", "fail", "--batch-size", batch_size)
    assert stopped["documents"] == stopped["converted"] + 1
    shown = run_om("migrate-data", "run", "--failure-mode", "fail", "--batch-size", batch_size).stdout
    assert re.search(r"^documents scanned +\d+$", shown, re.MULTILINE)
    assert "already numeric" not in shown, "the initial scan counts those among all documents"
    assert run()["documents"] == 31


KEPT = ("--batch-size", "3", "--keep-old-index")


@pytest.mark.parametrize(
    ("stopping", "reason"),
    [
        (("--limit-documents", "5"), "--limit-documents 5 reached"),
        (("--max-errors", "1"), "--max-errors 1 reached"),
        (
            ("--failure-mode", "fail"),
            f"failed value (--failure-mode fail): {BAD_KEY} arrived_at: not a date: N/A",
        ),
    ],
)
def test_a_reason_to_stop_names_its_option_and_the_hint_keeps_all_options(
    configured: str, client: redis.Redis, stopping: tuple[str, str], reason: str
) -> None:
    for number in range(30):
        client.hset(f"station:visit:{number}", "arrived_at", "2020-01-01")
    client.hset(BAD_KEY, "arrived_at", "N/A")
    found = run_om("migrate-data", "run", *stopping, *KEPT, "--yes")
    assert found.code == 5
    assert found.stdout.startswith(f"Conversion stopped: {reason}.\n")
    hints = [text for text in found.stdout.splitlines() if "esume with: om migrate-data run" in text]
    assert " ".join(stopping) in hints[0]
    assert all(" ".join(KEPT[:2]) in hint and KEPT[2] in hint for hint in hints)
    assert [" --failure-mode" in hint for hint in hints] == ([True, False] if "fail" in stopping else [False])


def test_limit_of_migrations(station: redis.Redis) -> None:
    before = snapshot(station)
    none = run_om("migrate-data", "run", "--limit", "0", "--json")
    assert (none.code, none.json["status"]) == (0, "not_run")
    assert "--limit is 0" in run_om("migrate-data", "run", "--limit", "0").stdout
    assert difference(before, snapshot(station)) == []
    assert run("--limit", "1")["status"] == "completed"


def test_batch_size_is_the_step_of_a_pass(station: redis.Redis) -> None:
    def steps(*words: str) -> int:
        found = run_om("migrate-data", "run", "--dry-run", "--verbose", *words)
        return sum(line.startswith("reading: ") for line in found.stderr.splitlines())

    assert steps() <= 5  # it begins with one document, since they may be large
    assert steps("--batch-size", "5") > 10


def test_verbose_says_every_step_and_every_failure(configured: str, client: redis.Redis) -> None:
    for number in range(30):
        client.hset(f"station:visit:{number}", "arrived_at", "N/A")
    plain = run_om("migrate-data", "run")
    verbose = run_om("migrate-data", "run", "--verbose")
    assert plain.stderr.count("\nfailed: ") == 0
    assert verbose.stderr.count("failed: station:") == 30
    for ran in (plain, verbose):
        assert "Failed values, left unchanged: 30\n  30  not a date\n" in ran.stdout
        assert ran.stdout.count("arrived_at: N/A") == 3
        assert "List each failed value with: om migrate-data errors" in ran.stdout
    assert "converting: " not in plain.stderr
    assert re.search(r"^converting: .*30 of 30", verbose.stderr, re.MULTILINE)


def test_a_dry_run_says_what_a_run_then_does(station: redis.Redis) -> None:
    before = snapshot(station)
    shown = run_om("migrate-data", "run", "--dry-run")
    dry = run("--dry-run")
    assert difference(before, snapshot(station)) == []
    assert (shown.code, dry["status"]) == (0, "dry_run")
    sample = dry["models"][0]["fields"][0]["samples"][0]
    assert f"{sample['before']} -> {sample['after']}" in shown.stdout

    done = run()
    for name in ("documents", "converted", "already_numeric", "null", "rounded", "failed"):
        assert done[name] == dry[name], name
    field = dry["models"][0]["fields"][0]["path"]
    assert station.hget(sample["key"], field) == sample["after"].encode()


ROWS = ("values converted", "rounded", "already numeric", "null", "quarantined", "replaced by 0.0", "failed")
"""Rows that count values."""


def rows(shown: str) -> dict[str, int]:
    """The rows of a result that count values; each has a value other than 0, or is `values converted`."""
    found = {
        name: int(count.replace(",", ""))
        for name, count in re.findall(r"^([a-z][a-z0-9. ]*?)  +([\d,]+)$", shown, re.MULTILINE)
    }
    found["values converted"] = found.pop("values to convert", found.get("values converted", 0))
    counted = {name: count for name, count in found.items() if name in ROWS}
    assert all(counted[name] for name in counted.keys() - {"values converted"}), shown
    return counted


@pytest.mark.sample(1)
@pytest.mark.parametrize("mode", ["skip", "log_and_skip", "default", "quarantine"])
def test_the_rows_of_a_result_count_each_value_once_and_are_those_of_the_dry_run(
    big_station: redis.Redis, mode: str
) -> None:
    values = run_om("migrate-data", "stats", "--exact", "--json").json["values"]
    dry = run_om("migrate-data", "run", "--dry-run", "--failure-mode", mode).stdout
    shown = run_om("migrate-data", "run", "--failure-mode", mode).stdout
    assert sum(rows(shown).values()) == sum(values.values())
    assert rows(shown) == rows(dry)
    for text in [dry] if mode == "skip" else [dry, shown]:
        listed = re.findall(r"^Failed values, .*: ([\d,]+)$", text, re.MULTILINE)
        by_reason = re.findall(r"^  +([\d,]+)  \S", text, re.MULTILINE)
        assert sum(map(int, listed)) == sum(map(int, by_reason)) == values["unconvertible"]
    again = rows(run_om("migrate-data", "run", "--failure-mode", mode).stdout)
    assert again["values converted"] == 0


OPTIONS = {
    "--failure-mode": "quarantine",
    "--batch-size": "50",
    "--max-errors": "7",
    "--limit-documents": "3",
    "--exclude-prefix": "station:visit:'x y",
    "--include-prefix": "station:visit:x",
    "--keep-old-index": "",
    "--accept-unindexed": "",
}


@pytest.mark.sample(6)
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("preview", [["--dry-run"], []], ids=["dry run", "stopped run"])
def test_the_next_command_has_the_options_that_were_typed(
    station: redis.Redis, preview: list[str], option: str
) -> None:
    typed = [option, *filter(None, [OPTIONS[option]])]
    limit = [] if preview or option == "--limit-documents" else ["--limit-documents", "3"]
    shown = run_om("migrate-data", "run", *preview, *typed, *limit).stdout
    command = re.findall(r"(?:Convert|Resume) with: om (.*)$", shown, re.MULTILINE)[-1]
    words = shlex.split(command)
    assert words[:2] == ["migrate-data", "run"]
    assert " ".join(typed) in " ".join(words)
    assert "--dry-run" not in words
    assert run_om(*words).code in (0, 5)


def test_running_again_writes_nothing(station: redis.Redis) -> None:
    assert run()["converted"] > 0
    between = snapshot(station, exclude_prefixes=STATE_PREFIXES)
    assert run()["converted"] == 0
    assert difference(between, snapshot(station, exclude_prefixes=STATE_PREFIXES)) == []


def test_rollback_is_exact_and_its_dry_run_says_so(station: redis.Redis) -> None:
    before = snapshot(station)
    assert run()["status"] == "completed"
    between = snapshot(station, exclude_prefixes=STATE_PREFIXES)
    dry = run_om("migrate-data", "rollback", ID, "--dry-run", "--json")
    assert (dry.code, dry.json["status"]) == (0, "dry_run")
    said = run_om("migrate-data", "rollback", ID, "--dry-run").stdout
    assert "A rollback would do this" in said
    assert "Embedded documents that the new version saved have no pk." in said
    assert difference(between, snapshot(station, exclude_prefixes=STATE_PREFIXES)) == []

    done = run_om("migrate-data", "rollback", ID, "--json")
    assert done.code == 0
    for name in ("documents", "restored_exactly", "rewritten_as_text", "not_reversible"):
        assert done.json[name] == dry.json[name], name
    assert difference(before, snapshot(station)) == []


@pytest.fixture
def values_that_stay(
    configured: str,
    client: redis.Redis,
    write_module: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> redis.Redis:
    """A run, and then 12 numbers in lists under a key with both kinds of quotes: no path can write there."""
    module = write_module("""
        import datetime
        from redstart import JsonModel

        class Tide(JsonModel, index=True):
            by_place: dict[str, list[datetime.datetime]]

            class Meta:
                global_key_prefix = "station"
                model_key_prefix = "tide"
    """)
    monkeypatch.setenv("REDSTART_MODELS", module)
    client.json().set("station:tide:0", "$", {"by_place": {"pier": ["2020-01-01T00:00:00"]}})
    assert run()["converted"] == 1
    for number in range(12):
        client.json().set(f"station:tide:born-{number}", "$", {"by_place": {"'\"": [1.5]}})
    return client


def test_what_cannot_be_undone_is_kept_and_said(values_that_stay: redis.Redis) -> None:
    found = run_om("migrate-data", "rollback", ID)
    assert found.code == 6
    assert found.stdout.count("not reversible: station:tide:born-") == 3
    assert "... and 9 more; --verbose lists them\n" in found.stdout
    assert values_that_stay.json().get("station:tide:0") == {"by_place": {"pier": ["2020-01-01T00:00:00"]}}
    assert values_that_stay.json().get("station:tide:born-0") == {"by_place": {"'\"": [1.5]}}


def test_rollback_verbose_says_all_that_is_kept_and_every_step(values_that_stay: redis.Redis) -> None:
    found = run_om("migrate-data", "rollback", ID, "--verbose")
    assert (found.code, found.stdout.count("not reversible: station:tide:born-")) == (6, 12)
    assert "replaying the undo log: " in found.stderr
    assert " failed" not in found.stderr, "these values are explained in the result"


def test_nothing_to_undo(station: redis.Redis) -> None:
    assert "There is nothing to roll back" in run_om("migrate-data", "rollback", ID).stdout
    found = run_om("migrate-data", "rollback", ID, "--json")
    assert (found.code, found.json["status"]) == (0, "nothing_to_do")


def test_rollback_needs_no_models(
    station: redis.Redis, configured: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = snapshot(station)
    assert run()["status"] == "completed"
    monkeypatch.setenv("REDSTART_MODELS", "models_that_are_gone")
    assert run_om("--url", configured, "migrate-data", "rollback", ID).code == 0
    assert difference(before, snapshot(station)) == []
