"""`om migrate` on the command line."""

import re
from collections.abc import Callable

import pytest
import redis

from redstart.devserver.process import EmbeddedServer
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from tests.migrations.indexes.conftest import drop_all, legacy, serving, total
from tests.support.cli import run_om
from tests.support.snapshot import STATE_PREFIXES, difference, every_byte, snapshot

__all__ = ["legacy"]  # a fixture

VISITS, SIGHTINGS = "station:visit:index", "station:sighting:index"


def first_visit(client: redis.Redis) -> str:
    return next(iter(client.scan_iter("station:visit:*", count=1000, _type="hash"))).decode()


def phase() -> str:
    return str(run_om("migrate-data", "status", "--json").json["phase"])


def test_migration_and_rollback(legacy: redis.Redis, configured: str) -> None:
    before = total(legacy, SIGHTINGS)

    found = run_om("migrate", "status", "--check")
    assert (found.code, found.stdout.splitlines()[0], phase()) == (
        3,
        "3 of 3 indexes have pending changes.",
        "pending",
    )
    ready = run_om("migrate", "run")
    assert (ready.code, ready.stdout.count(": the new index is ready; the cutover follows")) == (0, 3)
    assert ("may run side by side" in ready.stdout, phase()) == (True, "expanded")
    assert run_om("migrate", "status", "--check").code == 3
    done = run_om("migrate-data", "run")
    assert (done.code, done.stdout.count(": cut over; the alias points to the new index")) == (0, 3)
    assert ("may filter and sort by date" in done.stdout, phase()) == (True, "cut over")
    found = run_om("migrate", "status", "--check")
    assert (found.code, "No pending schema changes detected" in found.stdout) == (0, True)
    assert total(legacy, VISITS, "@arrived_at:[0 +inf]") > 0
    assert total(legacy, SIGHTINGS) == before
    assert (run_om("migrate", "cleanup").code, phase()) == (0, "contracted")

    back = run_om("migrate-data", "rollback", ID)
    assert (back.code, back.stdout.count("original index active again")) == (0, 3)
    assert (total(legacy, SIGHTINGS), phase()) == (before, "pending")
    assert "no index was migrated" in run_om("migrate", "rollback").stdout


def test_the_data_run_alone_makes_indexes_ready_and_cuts_over(legacy: redis.Redis, configured: str) -> None:
    done = run_om("migrate-data", "run")
    assert (done.code, done.stdout.count(": cut over; the alias points to the new index")) == (0, 3)
    assert "3 documents" not in done.stderr
    assert done.stderr.count(" to build (about ") == 3
    again = run_om("migrate-data", "run", "--json")
    assert [one["state"] for one in again.json["indexes"]] == ["up to date"] * 3


def test_no_expand_refuses_where_indexes_are_not_ready(legacy: redis.Redis, configured: str) -> None:
    start = snapshot(legacy)
    refused = run_om("migrate-data", "run", "--no-expand")
    assert " to build (" not in refused.text
    assert (refused.code, "om migrate run" in refused.stderr) == (1, True)
    assert difference(start, snapshot(legacy, exclude_prefixes=STATE_PREFIXES)) == []
    run_om("migrate", "run")
    assert run_om("migrate-data", "run", "--no-expand").code == 0


def test_a_dry_run_reports_the_builds_and_builds_nothing(legacy: redis.Redis, configured: str) -> None:
    for words in (("migrate", "run"), ("migrate-data", "run")):
        found = run_om(*words, "--dry-run", "--json").json["index_estimates"]
        by_name = {one["index"]: one["to_build"] for one in found}
        assert (by_name[VISITS], by_name[SIGHTINGS]) == (1, 2)
        kept = run_om(*words, "--dry-run", "--keep-old-index", "--json").json["index_estimates"]
        assert {one["index"]: one["to_build"] for one in kept}[VISITS] == 2
        assert all(one["megabytes"] > 0 for one in found)
        assert " to build (" in run_om(*words, "--dry-run").stdout
    assert len(legacy.execute_command("FT._LIST")) == 3


def test_keep_old_keeps_a_copy_that_cleanup_drops(legacy: redis.Redis, configured: str) -> None:
    names = set(legacy.execute_command("FT._LIST"))
    run_om("migrate-data", "run", "--keep-old-index")
    kept = {name for name in legacy.execute_command("FT._LIST") if name not in names}
    run_om("migrate", "cleanup")
    assert len(kept) - len(legacy.execute_command("FT._LIST")) == 4, "three copies and the dual-format index"
    assert run_om("migrate-data", "rollback", ID).code == 0


@pytest.mark.sample(1)
@pytest.mark.parametrize("bad", ["N/A", ""])
@pytest.mark.parametrize("way", ["default", "quarantine", "accept", "correct"])
def test_a_refused_cutover_names_the_blocking_values_and_the_options(
    legacy: redis.Redis, configured: str, bad: str, way: str
) -> None:
    field = "arrived_at" if bad else "left_at"
    key = first_visit(legacy)
    legacy.hset(key, field, bad)
    start, before = snapshot(legacy), total(legacy, VISITS)

    refused = run_om("migrate-data", "run")

    assert refused.code == 3
    assert f"blocking: {key} {field}: " in refused.stdout
    assert "--accept-unindexed" in refused.stdout
    assert (serving(legacy, VISITS), phase()) == (VISITS, "converted")
    assert run_om("migrate-data", "status", "--check").code == 3
    again = run_om("migrate-data", "run", "--json")
    assert (again.code, [one["key"] for one in again.json["blocking"]]) == (3, [key])
    by_hand = run_om("migrate", "run")
    assert (by_hand.code, key in by_hand.stdout, "stop the old version" in by_hand.stdout) == (
        3,
        True,
        True,
    )
    assert by_hand.stdout.startswith("Cutover refused for 1 of 3 indexes.\n")
    corrected = r"once you have corrected them \(in text or numeric format\) and cuts over"
    assert re.search(f"^  om migrate-data run\n.*{corrected}$", by_hand.stdout, re.M), by_hand.stdout
    required = by_hand.stdout.find(
        "models then cannot read documents in which one of these required fields has failed: Visit."
    )
    assert (required >= 0) is (field == "arrived_at")
    assert by_hand.stdout.find("mode quarantine") < by_hand.stdout.find("mode default")
    assert "queries then find these documents with the date 1970-01-01" in by_hand.stdout
    values = "1 failed value; the" if bad else "The"
    for words in (("migrate", "status"), ("migrate-data", "status"), ("migrate-data", "check-schema")):
        looked = run_om(*words).stdout
        assert f"{values} cutover is refused for 1 index (1 document).\n" in looked, looked
        assert "  om migrate run --accept-unindexed\n" in looked
        assert "om migrate run\n" not in looked
    assert f"  blocking: {key} {field}: " in run_om("migrate-data", "status", "-v").stdout

    if way == "correct":
        legacy.hset(key, field, "2023-01-01T00:00:00")
    words = ["--accept-unindexed"] if way == "accept" else [] if way == "correct" else ["--failure-mode", way]
    done = run_om("migrate-data", "run", *words)
    assert (done.code, "not returned by queries" in done.stdout) == (0, way == "accept")
    assert serving(legacy, VISITS) != VISITS
    assert total(legacy, VISITS) == before - (way == "accept")
    assert run_om("migrate-data", "status", "--check").code == 0
    assert run_om("migrate-data", "verify").code == 0
    assert run_om("migrate-data", "rollback", ID).code == 0
    assert total(legacy, VISITS) == before
    if way != "correct":
        assert difference(start, snapshot(legacy)) == []


def test_verify_looks_up_every_document_in_its_index(legacy: redis.Redis, configured: str) -> None:
    run_om("migrate-data", "run")
    assert run_om("migrate-data", "verify").code == 0
    key = first_visit(legacy)
    legacy.hset(key, "nets", "many")  # an old writer's text where the index takes numbers
    found = run_om("migrate-data", "verify")
    assert (found.code, f"{key}: not in the index {VISITS}" in found.stdout) == (6, True)
    legacy.hset(key, "nets", "3")
    assert run_om("migrate-data", "verify").code == 0
    legacy.execute_command("FT.DROPINDEX", serving(legacy, VISITS))
    assert (found := run_om("migrate-data", "verify")).code == 6
    assert f"{VISITS}: there is no index of this name" in found.stdout


def test_a_value_without_a_text_equivalent_keeps_the_dual_format_index(
    legacy: redis.Redis, configured: str
) -> None:
    run_om("migrate-data", "run")
    before = total(legacy, SIGHTINGS)
    key = next(iter(legacy.scan_iter("station:sighting:*", count=1000, _type="ReJSON-RL"))).decode()
    legacy.json().set(key, "$.ringed_at", 1e300)
    found = run_om("migrate-data", "rollback", ID)
    assert (found.code, key in found.stdout) == (3, True)
    assert total(legacy, SIGHTINGS) == before
    assert serving(legacy, SIGHTINGS).startswith(f"{SIGHTINGS}@")
    legacy.json().set(key, "$.ringed_at", "2023-01-01T00:00:00")
    assert "as before the migration" in run_om("migrate", "rollback").stdout
    assert (total(legacy, SIGHTINGS), phase()) == (before, "pending")


def test_after_forget_nothing_of_the_indexes_is_undone(legacy: redis.Redis, configured: str) -> None:
    before = total(legacy, SIGHTINGS)
    assert run_om("migrate-data", "run").code == 0
    assert run_om("migrate-data", "drop-undo-log", ID, "--yes").code == 0

    assert run_om("migrate-data", "rollback", ID).code == 1
    assert serving(legacy, SIGHTINGS).startswith(f"{SIGHTINGS}@")
    rolled_back = run_om("migrate", "rollback").stdout
    assert "rolled back to the dual-format definition" in rolled_back
    assert "Roll back the data" not in rolled_back

    assert total(legacy, SIGHTINGS) == before


def test_cleanup_lists_the_dropped_indexes(legacy: redis.Redis, configured: str) -> None:
    assert "Nothing to drop" in run_om("migrate", "cleanup").stdout
    run_om("migrate-data", "run")
    assert run_om("migrate", "cleanup").stdout.startswith(f"Dropped 1 index.\n  {SIGHTINGS}@")
    drop_all(legacy)


@pytest.mark.parametrize("command", ["status", "run", "rollback", "cleanup"])
def test_another_database_than_0_is_refused(configured: str, client: redis.Redis, command: str) -> None:
    separator = "&" if "?" in configured else "?"
    found = run_om("migrate", command, "--url", f"{configured}{separator}db=1")
    assert (found.code, "database 0" in found.stderr) == (1, True)


@pytest.mark.parametrize("command", ["status", "run", "rollback", "cleanup"])
def test_a_server_without_search_is_refused(
    configured: str, own_server: Callable[..., EmbeddedServer], command: str
) -> None:
    found = run_om("migrate", command, "--url", own_server(with_search=False).url)
    assert (found.code, "no FT.CREATE" in found.stderr) == (1, True)


def test_too_little_memory_is_refused_before_anything_is_built(legacy: redis.Redis, configured: str) -> None:
    used = int(legacy.info("memory")["used_memory"])
    legacy.config_set("maxmemory", used + 1_000)
    try:
        found = run_om("migrate", "run")
    finally:
        legacy.config_set("maxmemory", 0)
    assert (found.code, "maxmemory leaves" in found.stderr) == (1, True)
    assert len(legacy.execute_command("FT._LIST")) == 3


@pytest.mark.parametrize("as_json", [False, True])
def test_a_dry_run_of_cleanup_names_what_a_cleanup_drops(station: redis.Redis, as_json: bool) -> None:
    assert run_om("migrate", "run").code == 0
    assert run_om("migrate-data", "run", "--accept-unindexed").code == 0
    words = ("migrate", "cleanup", *(("--json",) if as_json else ()))
    before = (
        sorted(station.execute_command("FT._LIST")),
        every_byte(station),
    )
    planned = run_om(*words, "--dry-run")
    after = (
        sorted(station.execute_command("FT._LIST")),
        every_byte(station),
    )
    assert after == before
    done = run_om(*words)
    assert planned.code == done.code == 0
    if as_json:
        nothing_of_files = {"contracted": [], "would_contract": []}
        assert planned.json == {"dropped": [], "would_drop": done.json["dropped"]} | nothing_of_files
        assert done.json["would_drop"] == []
    else:
        assert planned.stdout.startswith("Dry run: ")
        assert planned.stdout.splitlines()[1:] == done.stdout.splitlines()[1:] != []
    assert run_om("migrate", "cleanup", "--dry-run", "--json").json["would_drop"] == []


def test_a_new_index_that_lacks_documents_is_reported(legacy: redis.Redis, configured: str) -> None:
    key = first_visit(legacy)
    legacy.hset(key, "arrived_at", "N/A")
    for name in legacy.execute_command("FT._LIST"):
        legacy.execute_command("FT.DROPINDEX", name)
    assert run_om("migrate-data", "run").code == 0
    created = run_om("migrate", "run")
    assert (created.code, f"{key} arrived_at: " in created.stdout) == (3, True)
    assert "not returned by queries" in created.stdout
    assert "  om migrate-data run\n" in created.stdout
    assert created.stdout.endswith("\nOr leave these documents unindexed; nothing else is needed.\n")
    assert "--accept-unindexed" not in created.stdout


def test_a_cutover_refused_for_text_names_the_conversion_and_the_list_of_all(
    legacy: redis.Redis, configured: str
) -> None:
    """The old version was not stopped: more documents are blocking than a list of examples has."""
    keys = [key.decode() for key in legacy.scan_iter("station:visit:*", count=1000, _type="hash")][:12]
    legacy.hset(keys[0], "arrived_at", "N/A")
    assert run_om("migrate-data", "run").code == 3
    for key in keys:
        legacy.hset(key, "arrived_at", "2023-01-01T00:00:00")
    refused = run_om("migrate", "run")
    assert (refused.code, " arrived_at: still text" in refused.stdout) == (3, True)
    assert "Some values are still in text format. Convert them with: om migrate-data run\n" in refused.stdout
    assert "--failure-mode" not in refused.stdout
    assert "; list all with: om migrate-data status --verbose\n" in refused.stdout
    listed = run_om("migrate-data", "status", "--verbose").stdout
    assert all(f"blocking: {key} " in listed for key in keys)
    assert run_om("migrate-data", "run").code == 0


@pytest.mark.sample(1)
@pytest.mark.parametrize("command", ["migrate", "migrate-data"])
def test_a_dry_run_reminds_of_aliases_that_cannot_be_listed(
    legacy: redis.Redis, configured: str, command: str
) -> None:
    legacy.execute_command("FT.ALIASADD", "mine", VISITS)
    assert run_om(command, "run", "--dry-run").stdout.count("name each with --alias") == 1
    assert "name each with --alias" not in run_om(command, "run", "--dry-run", "--alias", "mine").text
    assert "--alias" not in run_om("migrate-data", "run", "--alias", "mine").text
    assert serving(legacy, "mine") == serving(legacy, VISITS)
    # Nothing is replaced any more.
    assert "--alias" not in run_om(command, "run", "--dry-run").text


def test_an_index_that_redstart_created_first_is_kept_or_dropped(station: redis.Redis) -> None:
    drop_all(station)
    assert run_om("migrate", "run").code == 0
    assert run_om("migrate-data", "run", "--failure-mode", "default").code == 0
    assert run_om("migrate-data", "rollback", ID).code == 0
    kept = run_om("migrate", "rollback")
    assert (kept.code, kept.stdout.startswith("3 indexes kept.\n")) == (0, True), kept.text
    dropped = run_om("migrate", "rollback", "--drop-created")
    assert (dropped.code, dropped.stdout.startswith("3 indexes dropped.\n")) == (0, True), dropped.text
    assert station.execute_command("FT._LIST") == []


def test_an_absent_index_is_named_until_it_is_created(legacy: redis.Redis, configured: str) -> None:
    legacy.execute_command("FT.DROPINDEX", VISITS)
    done = run_om("migrate-data", "run")
    named = f"{VISITS}: absent; queries raise IndexNotFoundError\nCreate it with: om migrate run\n"
    assert (done.code, done.stdout.startswith("Conversion complete; 1 index is absent.\n")) == (0, True)
    assert named in done.stdout
    status = run_om("migrate-data", "status", "--check")
    assert (status.code, named in status.stdout) == (3, True)
    assert status.stdout.startswith("Phase: cut over (all documents are converted; 1 index is absent)\n")
    assert run_om("migrate-data", "status", "--json").json["absent_indexes"] == [VISITS]
    verified = run_om("migrate-data", "verify")
    assert (verified.code, f"{VISITS}: there is no index of this name" in verified.stdout) == (6, True)
    assert run_om("migrate", "run").code == 0
    assert run_om("migrate-data", "run", "--json").json["absent_indexes"] == []
    assert run_om("migrate-data", "status", "--check").code == 0
    assert run_om("migrate-data", "verify").code == 0


def test_no_index_at_all_is_not_absent(station: redis.Redis) -> None:
    assert run_om("migrate-data", "run", "--json").json["absent_indexes"] == []
    assert run_om("migrate-data", "status", "--check").code == 0


def test_text_written_after_the_cutover_is_named_with_its_effect(
    legacy: redis.Redis, configured: str
) -> None:
    assert run_om("migrate-data", "run", "--failure-mode", "default").code == 0
    legacy.hset(first_visit(legacy), "arrived_at", "2023-01-01T00:00:00")
    shown = run_om("migrate-data", "status").stdout
    assert shown.startswith(
        "Phase: cut over, but dates in text format were written since, under station:visit:\n"
    )
    assert (
        "Queries do not return these documents. Stop the old version, then convert with: om migrate-data run\n"
        in shown
    )
    assert phase() == "pending"


def test_without_an_index_queries_lose_no_document(station: redis.Redis) -> None:
    assert run_om("migrate-data", "run", "--failure-mode", "default").code == 0
    station.hset(first_visit(station), "arrived_at", "2023-01-01T00:00:00")
    shown = run_om("migrate-data", "status").stdout
    assert shown.startswith("Phase: converted, but dates in text format were written since, under ")
    assert "Queries do not return" not in shown
    assert run_om("migrate-data", "run").code == 0
    assert "Phase: converted (" in run_om("migrate-data", "status").stdout


@pytest.mark.sample(1)
@pytest.mark.parametrize("mode", ["default", "quarantine"])
def test_the_rows_of_a_run_that_removes_empty_strings_add_up(
    legacy: redis.Redis, configured: str, mode: str
) -> None:
    found = run_om("migrate-data", "stats", "--exact", "--json").json["values"]
    legacy.hset(first_visit(legacy), "left_at", "")
    expected = sum(run_om("migrate-data", "stats", "--exact", "--json").json["values"].values())
    shown = run_om("migrate-data", "run", "--failure-mode", mode).stdout
    assert re.search(r"^empty strings removed +1$", shown, re.M), shown
    names = "values converted|rounded|already numeric|null|empty strings removed|quarantined|replaced by 0.0|failed"
    rows = re.findall(rf"^(?:{names}) +([\d,]+)$", shown.partition("\n\n")[0], re.M)
    assert sum(int(row.replace(",", "")) for row in rows) == expected, (found, shown)
