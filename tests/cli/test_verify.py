"""verify and errors."""

import re

import pytest
import redis

from redstart.cli.migrate_data.verify import looked_up
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from redstart.migrations.indexes.coverage import IndexCheck
from tests.support.cli import run_om

UNREADABLE_VISIT = {
    "visit_code": "V-1",
    "site": "Quarry",
    "nets": "many",
    "arrived_at": "1600000000.5",
    "permit_until": "86400.0",
}
"""All its dates are good: a document with a bad one is not asked for more."""


@pytest.fixture
def converted(station: redis.Redis) -> redis.Redis:
    assert run_om("migrate-data", "run").code == 0
    return station


def test_recorded_failures_are_not_problems(converted: redis.Redis) -> None:
    found = run_om("migrate-data", "verify")
    assert found.code == 0
    assert found.stdout.startswith("Verification passed: ")
    data = run_om("migrate-data", "verify", "--json").json
    assert (data["ok"], data["problems"], data["undo_log"], data["documents_read"]) == (True, [], None, None)
    assert data["recorded_failures"] > 0


def test_an_old_value_is_a_problem_named_by_key_and_field(converted: redis.Redis) -> None:
    converted.hset("station:visit:V-0000001", "arrived_at", "2020-01-01")
    found = run_om("migrate-data", "verify")
    assert found.code == 6
    assert re.search("^problem: station:visit:V-0000001 arrived_at: .*: 2020-01-01$", found.stdout, re.M)
    assert "om migrate-data run" in found.stdout
    problem = run_om("migrate-data", "verify", "--json").json["problems"][0]
    assert (problem["key"], problem["path"]) == ("station:visit:V-0000001", "arrived_at")


def test_a_new_bad_value_is_a_problem_until_a_run_has_recorded_it(converted: redis.Redis) -> None:
    converted.hset("station:visit:V-0000001", "arrived_at", "tomorrow")
    assert run_om("migrate-data", "verify").code == 6
    assert run_om("migrate-data", "run").code == 0
    assert run_om("migrate-data", "verify").code == 0


def test_check_data_sees_what_the_plain_look_does_not(converted: redis.Redis) -> None:
    converted.hset("station:visit:unreadable", mapping=UNREADABLE_VISIT)
    assert run_om("migrate-data", "verify").code == 0
    found = run_om("migrate-data", "verify", "--check-data")
    assert found.code == 6
    assert "station:visit:unreadable nets: not readable by its model" in found.stdout


@pytest.mark.parametrize("left", [0, 1])
def test_documents_of_the_undo_log_that_are_gone_are_counted_and_not_passed_over(
    converted: redis.Redis, left: int
) -> None:
    """Applications delete documents; that all of a model's are gone is reported as a problem."""
    visits = sorted(converted.scan_iter("station:visit:*", 1_000, _type="hash"))
    before = run_om("migrate-data", "verify", "--check-data", "--json").json["undo_log"]
    assert before["deleted"] == 0
    converted.delete(*visits[left:])
    found = run_om("migrate-data", "verify", "--check-data")
    data = run_om("migrate-data", "verify", "--check-data", "--json").json
    deleted = data["undo_log"]["deleted"]
    assert (data["undo_log"]["documents"], deleted) == (
        before["documents"],
        pytest.approx(len(visits), abs=20),
    )
    assert re.search(rf"documents deleted since the run +{deleted:,}$", found.stdout, re.M)
    is_reported = "station:visit:*: all converted documents have been deleted" in found.stdout
    assert (found.code, is_reported) == ((0, False) if left else (6, True))


def test_a_problem_is_one_short_printable_line_whatever_the_key(converted: redis.Redis) -> None:
    converted.hset("station:visit:\x1b[31m" + "k" * 400, mapping=UNREADABLE_VISIT)
    assert "\x1b" not in run_om("migrate-data", "verify", "--check-data").stdout
    problems = run_om("migrate-data", "verify", "--check-data", "--json").json["problems"]
    (problem,) = [one for one in problems if one["path"] == "nets"]
    assert problem["key"] == r"station:visit:\x1b[31m" + "k" * 400  # to a program the whole key


def test_a_recorded_failure_does_not_hide_another_problem(converted: redis.Redis) -> None:
    key = next(key for key in converted.scan_iter("station:visit:*") if converted.type(key) == b"hash")
    converted.hset(key, mapping={"arrived_at": "N/A", "nets": "many"})
    assert run_om("migrate-data", "run").code == 0
    found = run_om("migrate-data", "verify", "--check-data")
    assert found.code == 6
    assert f"{key.decode()} nets: not readable by its model" in found.stdout


def test_a_document_that_its_model_cannot_read_is_named_although_its_value_was_moved(
    configured: str, client: redis.Redis
) -> None:
    sighting = {"species": "tit", "wing_millimetres": 63.5, "ringed_at": "never", "capture": {"net": "3"}}
    client.hset("station:visit:moved", mapping=UNREADABLE_VISIT | {"nets": "2", "arrived_at": "never"})
    client.json().set("station:sighting:moved", "$", sighting)
    assert run_om("migrate-data", "run", "--failure-mode", "quarantine").code == 0
    assert run_om("migrate-data", "verify").code == 0
    found = run_om("migrate-data", "verify", "--check-data")
    assert found.code == 6
    assert "Verification passed" not in found.stdout
    assert "problem: station:visit:moved arrived_at: is null (quarantined), but required\n" in found.stdout
    report = run_om("migrate-data", "verify", "--check-data", "--json").json
    assert (report["ok"], report["documents_read"], report["unreadable"]) == (False, 0, 2)


def test_a_replaced_value_that_is_lost_later_is_a_problem(configured: str, client: redis.Redis) -> None:
    client.hset("station:visit:zero", mapping=UNREADABLE_VISIT | {"nets": "2", "arrived_at": "never"})
    assert run_om("migrate-data", "run", "--failure-mode", "default").code == 0
    assert run_om("migrate-data", "verify", "--check-data").code == 0
    client.hdel("station:visit:zero", "arrived_at")
    assert run_om("migrate-data", "verify", "--check-data").code == 6


def test_verbose_shows_every_problem(converted: redis.Redis) -> None:
    for number in range(30):
        converted.hset(f"station:visit:old-{number}", "arrived_at", "2020-01-01")
    assert run_om("migrate-data", "verify").stdout.count("problem: ") == 20
    assert run_om("migrate-data", "verify", "--verbose").stdout.count("problem: ") == 30


def test_errors_lists_key_path_value_and_reason(configured: str, client: redis.Redis) -> None:
    assert "No failed values are recorded." in run_om("migrate-data", "errors").stdout
    client.hset("station:visit:a", "arrived_at", "N/A")
    client.hset("station:visit:b\x1b[31m", "arrived_at", "2023-02-30")
    assert run_om("migrate-data", "run").code == 0
    found = run_om("migrate-data", "errors")
    first, title, header, *rows = found.stdout.splitlines()
    assert (first, title, header.split()) == (
        "2 failed values in 2 documents.",
        "Values by reason",
        ["reason", "count"],
    )
    assert "station:visit:a arrived_at: not a date: N/A" in rows
    assert "\x1b" not in found.stdout
    data = run_om("migrate-data", "errors", "--json").json
    assert (data["count"], len(data["errors"])) == (2, 2)
    assert data["errors"][0] == {
        "key": "station:visit:a",
        "path": "arrived_at",
        "value": "N/A",
        "reason": "not a date",
    }


@pytest.mark.parametrize(("mode", "fate"), [("default", "; replaced by 0.0"), ("quarantine", "; moved to ")])
def test_what_was_replaced_stays_listed_until_the_rollback(
    configured: str, client: redis.Redis, mode: str, fate: str
) -> None:
    client.hset("station:visit:a", mapping={"arrived_at": "2020-01-01", "left_at": "N/A"})
    client.hset("station:visit:b", mapping={"arrived_at": "2020-01-01", "permit_until": "soon"})
    client.execute_command("JSON.SET", "station:sighting:c", "$", '{"ringed_at":"?"}')
    run = ("migrate-data", "run", "--failure-mode")
    assert run_om(*run, mode).code == 0
    listed = run_om("migrate-data", "errors", "--json").json["errors"]
    assert [(one["path"], one["value"], fate in one["reason"]) for one in listed] == [
        ("ringed_at", '"?"', True),
        ("left_at", "N/A", True),
        ("permit_until", "soon", True),
    ]
    assert run_om(*run, "skip", "--json").json["failed"] == 0
    assert run_om("migrate-data", "errors", "--json").json == {"errors": listed, "count": 3}

    client.hset("station:visit:b", "arrived_at", "later")
    assert run_om(*run, "skip", "--json").json["failed"] == 1
    text = run_om("migrate-data", "errors").stdout
    assert re.findall(r"^station:\S+ (\S+)", text, re.M) == [
        "ringed_at:",
        "left_at:",
        "arrived_at:",
        "permit_until:",
    ]
    assert run_om("migrate-data", "verify").code == 0

    client.hset("station:visit:b", "arrived_at", "2020-01-01")
    assert run_om("migrate-data", "rollback", ID).code == 0
    assert client.hget("station:visit:a", "left_at") == b"N/A"
    assert "No failed values are recorded." in run_om("migrate-data", "errors").stdout


def test_a_replaced_value_is_not_listed_without_an_undo_log(configured: str, client: redis.Redis) -> None:
    client.hset("station:visit:a", mapping={"left_at": "N/A"})
    for mode in ("default", "skip"):
        assert run_om("migrate-data", "run", "--failure-mode", mode).code == 0
    assert run_om("migrate-data", "errors", "--json").json["count"] == 1
    assert run_om("migrate-data", "drop-undo-log", ID, "--yes").code == 0
    assert run_om("migrate-data", "errors", "--json").json["count"] == 0


def test_a_server_without_documents_is_asked_about(configured: str, client: redis.Redis) -> None:
    """Nothing is wrong where nothing is; but mostly it is the wrong server."""
    found = run_om("migrate-data", "verify")
    assert found.code == 0, found.text
    assert "check the server and the database number (--url)" in found.stdout


@pytest.mark.parametrize(
    ("missing", "accepted", "shown"),
    [
        (0, 0, "1,000 documents checked, none is missing from the index"),
        (0, 5, "1,000 documents checked, none is missing from the index"),
        (
            5,
            5,
            "5 of 1,000 documents missing from the index, as accepted at the cutover (--accept-unindexed): "
            "queries do not return them",
        ),
        (
            7,
            5,
            "7 of 1,000 documents missing from the index, 5 of them accepted at the cutover (--accept-unindexed): "
            "queries do not return them",
        ),
        (7, 0, "7 of 1,000 documents missing from the index: queries do not return them"),
    ],
)
def test_missing_documents_are_reported_with_those_that_the_cutover_accepted(
    missing: int, accepted: int, shown: str
) -> None:
    check = IndexCheck("i", serves=True, documents=1_000, missing=missing, accepted=accepted)
    assert looked_up(check) == shown


@pytest.mark.parametrize("storage", ["hash", "json"])
def test_a_required_field_whose_value_was_quarantined_is_named_as_such(
    configured: str, client: redis.Redis, storage: str
) -> None:
    if storage == "hash":
        key, field = "station:visit:V-1", "arrived_at"
        client.hset(key, mapping={**UNREADABLE_VISIT, "nets": 1, field: "N/A"})
    else:
        key, field = "station:sighting:S-1", "ringed_at"
        content = {"species": "tit", "wing_millimetres": 63.5, field: "N/A", "capture": {"net": "3"}}
        client.json().set(key, "$", content)
    assert run_om("migrate-data", "run", "--failure-mode", "quarantine").code == 0
    found = run_om("migrate-data", "verify", "--check-data")
    assert found.code == 6
    assert f"problem: {key} {field}: is null (quarantined), but required" in found.stdout
    assert found.stdout.count("List quarantined values with: om migrate-data errors") == 1


def test_before_a_complete_run_the_data_is_not_converted_and_there_are_no_problems(
    station: redis.Redis,
) -> None:
    before = run_om("migrate-data", "verify", "--check-data")
    assert before.code == 3
    found = re.match(
        r"The data is not converted yet \(([\d,]+) values\)\.\nConvert with: om migrate-data run\n",
        before.stdout,
    )
    assert found is not None, before.stdout
    assert "problem" not in before.stdout

    assert run_om("migrate-data", "run", "--limit-documents", "5").code == 5
    during = run_om("migrate-data", "verify")
    assert (during.code, "\nResume with: om migrate-data run" in during.stdout) == (3, True), during.stdout

    assert run_om("migrate-data", "run").code == 0
    assert run_om("migrate-data", "verify").code == 0
    # What an old version writes after the run is a problem.
    station.hset("station:visit:late", "arrived_at", "2020-01-01")
    assert run_om("migrate-data", "verify").code == 6
