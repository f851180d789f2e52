"""The objects of `--json`: their keys are frozen here, and docs/json.md explains each."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import redis

from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from tests.cli.test_docs import COMMANDS
from tests.support.cli import run_om

PAGE = (Path(__file__).parents[2] / "docs" / "json.md").read_text(encoding="utf-8")

VALUES = "values.convertible values.numeric values.null values.rounded values.unconvertible values"
FIELDS = " ".join(f"models[].fields[].{name}" for name in f"path kind {VALUES}".split())
MODELS = (
    f"models models[].name models[].key_prefix models[].storage models[].documents models[].fields {FIELDS}"
)


def listed(name: str) -> str:
    return f"{name} {name}[].key {name}[].path {name}[].value {name}[].reason"


INDEXES = "indexes " + " ".join(
    f"indexes[].{name}"
    for name in ["model", "index", "state", "repaired", "documents", "missing", "missing_from_both"]
)
INDEX_ESTIMATES = "index_estimates " + " ".join(
    f"index_estimates[].{name}"
    for name in ["model", "index", "documents", "filled_percent", "to_build", "megabytes", "seconds"]
)
FILES = (
    "files files.where files.applied files.pending files.applied_unreadable files.applied_unreadable[].path "
    "files.applied_unreadable[].line files.applied_unreadable[].reason files.without_file files.problems "
    "files.problems[].path files.problems[].line files.problems[].reason"
)
UNMANAGED = "unmanaged unmanaged[].key_prefix unmanaged[].index unmanaged[].documents"
UNDECLARED = "undeclared_changes " + " ".join(
    f"undeclared_changes[].{name}" for name in ["kind", "model", "key_prefix", "text", "hint"]
)
OVERLAPS = "overlapping_prefixes " + " ".join(
    f"overlapping_prefixes[].{name}" for name in ["model", "key_prefix", "holds_model", "holds_key_prefix"]
)
RUN = (
    "status reason resumed documents converted already_numeric null empty_removed rounded failed conflicts_retried "
    "passes seconds documents_per_second unmatched_prefixes missing_documents "
    f"{INDEXES} absent_indexes {listed('blocking')} "
    "applied_files pending_files"
)


ROW = [
    "id",
    "kind",
    "state",
    "description",
    "path",
    "started",
    "dependencies",
    "applied_ms",
    "applied_by",
    "duration_ms",
]
OPERATIONS = "operations operations[].text operations[].reversible"
ESTIMATE = (
    "estimate estimate.documents estimate.exact estimate.values estimate.failed estimate.estimated_seconds "
    "estimate.indexes estimate.indexes[].model estimate.indexes[].index estimate.indexes[].command "
    "estimate.indexes[].changes estimate.indexes[].documents estimate.indexes[].megabytes estimate.kept_until_cleanup "
    "estimate.changed_in_place estimate.lost_attributes estimate.lost_at_start "
    "estimate.moves estimate.moves[].model estimate.moves[].source "
    "estimate.moves[].target estimate.moves[].documents estimate.removed estimate.removed[].model "
    "estimate.removed[].documents "
    "estimate.storage estimate.storage[].model estimate.storage[].before estimate.storage[].after "
    "estimate.storage[].documents estimate.storage[].failed"
)


def of_each(keys: str) -> str:
    """The keys of each item of `migrations`."""
    return "migrations " + " ".join(f"migrations[].{name}" for name in keys.split())


PLANNED = of_each(f"id description path {OPERATIONS} {ESTIMATE}")
APPLIED = of_each(f"id status reason documents converted changed_by_last_pass failed seconds {INDEXES}")
ROLLED_BACK = of_each(
    "id status reason restored_exactly moved_back restored_documents stored_back "
    f"{listed('not_stored_back')} changed_back not_reversible "
    f"{listed('not_reversible_values')} unrestored {listed('unrestored_values')} {INDEXES}"
)


BLOCKED = "blocked_documents blocked_documents[].index blocked_documents[].documents"
FROZEN = {
    "`om migrate-data stats`": (
        f"documents exact sampled_documents {VALUES} estimated_seconds estimated_seconds.low "
        f"estimated_seconds.expected estimated_seconds.high {MODELS} foreign_keys server server.version "
        "server.last_save_seconds server.append_only server.replicas server.used_bytes server.free_bytes "
        "server.maxmemory_policy unplanned unplanned[].model unplanned[].path unplanned[].reason"
    ),
    "`om migrate-data status`": (
        "applied pending phase models models[].name models[].key_prefix models[].applied "
        "models[].named models[].documents "
        "models[].applied_ms unmatched_prefixes absent_indexes rewritten_prefixes failed undoable unrestored_documents "
        f"recorded_elsewhere {FILES} {UNMANAGED}"
    ),
    "`om migrate-data check-schema`": (
        "mismatches mismatches[].model mismatches[].field mismatches[].current_type mismatches[].expected_type "
        "mismatches[].index_name mismatches[].state has_mismatches total_affected_models unconverted_models "
        "recommendation"
    ),
    "`om migrate-data run`": RUN,
    "`om migrate-data run --dry-run`": (
        f"{RUN} {MODELS} models[].fields[].samples models[].fields[].samples[].key "
        f"models[].fields[].samples[].before models[].fields[].samples[].after {listed('failures')} {INDEX_ESTIMATES} "
        f"refusal {BLOCKED}"
    ),
    "`om migrate-data progress`": (
        "state done total stage activity pass generation started_ms saved_ms lease_holder lease_seconds failed "
        "migration"
    ),
    "`om migrate-data verify`": (
        f"ok documents {VALUES} {listed('problems')} problem_count recorded_failures undo_log undo_log.unchanged "
        "undo_log.changed_since undo_log.documents undo_log.deleted documents_read unreadable "
        "undeclared_fields undeclared_fields[].model undeclared_fields[].field undeclared_fields[].documents "
        "unnamed unnamed[].name unnamed[].key_prefix indexes indexes[].index indexes[].is_active indexes[].documents "
        "indexes[].missing indexes[].accepted indexes[].has_filter "
        f"{FILES}"
    ),
    "`om migrate-data errors`": f"{listed('errors')} count",
    "`om migrate-data rollback ID`": (
        f"status reason documents restored_exactly rewritten_as_text not_reversible {listed('not_reversible_values')} "
        f"unrestored {listed('unrestored_values')} stay_converted "
        f"preexisting_numbers {listed('preexisting_values')} seconds "
        "indexes indexes[].index indexes[].done indexes[].missing indexes[].missing_before"
    ),
    "`om migrate-data clear-progress`": "status",
    "`om migrate-data drop-undo-log ID`": "status",
    "`om migrate-data force-unlock`": "status lease_holder",
    "`om migrate status`": (
        "indexes indexes[].model indexes[].index indexes[].state indexes[].active_index indexes[].documents "
        f"indexes[].filled_percent indexes[].superseded indexes[].changes pending {FILES} {UNMANAGED} {OVERLAPS} "
        "migration_files migration_files.where migration_files.applied migration_files.pending migration_files.started "
        "migration_files.cleanup_pending migration_files.differences migration_files.differences[].kind "
        "migration_files.differences[].id migration_files.differences[].text migration_files.differences[].hint "
        "migration_files.state migration_files.rolling_back migration_files.lease_holder "
        f"{UNDECLARED}"
    ),
    "`om migrate run`": f"{INDEXES} {listed('blocking')} phase applied_files pending_files {UNMANAGED} {OVERLAPS}",
    "`om migrate run --dry-run`": (
        f"{INDEX_ESTIMATES} pending_files refusal {BLOCKED} {listed('blocking')} {UNMANAGED} {OVERLAPS}"
    ),
    "`om migrate rollback`": "swapped refused indexes "
    + " ".join(f"indexes[].{name}" for name in ["index", "done", "documents", "missing", "examples"]),
    "`om migrate downgrade`": "status rolled_back skipped",
    "`om migrate reset`": "status removed",
    "`om migrate cleanup`": "dropped would_drop contracted would_contract",
    "`om migrate sync`": f"{INDEXES} {listed('blocking')}",
    "`om migrate sync --dry-run`": f"{INDEX_ESTIMATES} refusal",
    "`om index create`": f"{INDEXES} {listed('blocking')} not_changed",
    "`om index rebuild`": f"{INDEXES} {listed('blocking')}",
    "`om index drop`": "dropped absent",
    "`om migrate plan`": f"where deployment refusal {PLANNED} {UNDECLARED}",
    "`om upgrade`": f"status pending {APPLIED} {UNDECLARED}",
    "`om upgrade --dry-run`": f"status refusal {BLOCKED} {listed('blocking')} {PLANNED} {UNDECLARED}",
    "`om downgrade ID`": f"status {ROLLED_BACK}",
    "`om migrate check`": (
        "cleanup_pending differences differences[].kind differences[].id differences[].text differences[].hint"
    ),
    "`om migrate history`": "where heads problems problems[].path problems[].line problems[].reason migrations "
    + " ".join(f"migrations[].{name}" for name in ROW),
    "`om migrate current`": "current heads pending",
    "`om migrate show ID`": (
        f"{' '.join(ROW)} required_by {OPERATIONS} checksum applied_checksum problem problem.path problem.line "
        f"problem.reason failed {listed('failures')}"
    ),
    "`om migrate stamp ID`": "recorded removed",
    "`om migrate create NAME`": f"path id dependencies {OPERATIONS}",
    "`om migrate merge`": "path id dependencies",
    "`om migrate-data create NAME`": "path id dependencies",
    "An error": "status error hint exit_code",
}
"""By heading in docs/json.md. Scripts rely on these: none may go away or change its meaning."""


def keys_of(data: dict[str, Any], prefix: str = "") -> set[str]:
    """Every key, as `a`, `a.b` and `a[].b`."""
    found = set()
    for name, value in data.items():
        found.add(prefix + name)
        if isinstance(value, dict):
            found |= keys_of(value, f"{prefix}{name}.")
        for item in value if isinstance(value, list) else ():
            if isinstance(item, dict):
                found |= keys_of(item, f"{prefix}{name}[].")
    return found


def section(heading: str) -> str:
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, heading
    return found[1]


def optional(keys: set[str]) -> set[str]:
    """Those below a list or an object that may be empty or null."""
    return {key for key in keys if "[]." in key or key.startswith(("undo_log.", "problem."))}


def outputs(client: redis.Redis) -> dict[str, dict[str, Any]]:
    """Every command's object, with something in each of its lists where that is possible."""

    def om(*words: str) -> dict[str, Any]:
        return run_om("migrate-data", *words, "--json").json

    found = {
        "`om migrate-data stats`": om("stats"),
        "`om migrate-data check-schema`": om("check-schema"),
        "`om migrate-data run --dry-run`": om("run", "--dry-run"),
        "`om migrate-data run`": om("run", "--max-errors", "1"),
        "`om migrate-data progress`": om("progress"),
        "`om migrate-data clear-progress`": om("clear-progress"),
        "`om migrate-data status`": om("status"),
        "`om migrate-data errors`": om("errors"),
        "`om migrate-data verify`": om("verify", "--check-data"),
        "`om migrate-data rollback ID`": om("rollback", ID),
        "`om migrate-data drop-undo-log ID`": om("drop-undo-log", ID, "--yes"),
        "`om migrate-data force-unlock`": om("force-unlock", "--yes"),
        "`om migrate status`": run_om("migrate", "status", "--json").json,
        "`om migrate run`": run_om("migrate", "run", "--json").json,
        "`om migrate run --dry-run`": run_om("migrate", "run", "--dry-run", "--json").json,
        "`om migrate cleanup`": run_om("migrate", "cleanup", "--json").json,
        "`om migrate rollback`": run_om("migrate", "rollback", "--json").json,
        "`om migrate downgrade`": run_om("migrate", "downgrade", "--json").json,
        "`om migrate reset`": run_om("migrate", "reset", "--json").json,
        "An error": om("rollback", "other"),
    }
    found |= outputs_of_indexes()
    client.flushall()
    found |= {
        "`om migrate sync --dry-run`": run_om("migrate", "sync", "--dry-run", "--json").json,
        "`om migrate sync`": run_om("migrate", "sync", "--json").json,
    }
    found |= outputs_of_files()
    assert found.keys() == FROZEN.keys()
    return found


def outputs_of_indexes() -> dict[str, dict[str, Any]]:
    """The objects of `om index`; no index is left."""

    def om(*words: str) -> dict[str, Any]:
        return run_om("index", *words, "--json").json

    return {
        "`om index create`": om("create"),
        "`om index rebuild`": om("rebuild"),
        "`om index drop`": om("drop", "--yes"),
    }


def outputs_of_files() -> dict[str, dict[str, Any]]:
    """The objects of the commands on migration files, in a directory without files."""

    def om(*words: str) -> dict[str, Any]:
        return run_om("migrate", *words, "--json").json

    created = om("create", "initial")
    checked, planned = om("check"), om("plan")
    dry = run_om("upgrade", "--dry-run", "--json").json
    upgraded = run_om("upgrade", "--json").json
    downgraded = run_om("downgrade", "base", "--json").json
    stamped = om("stamp", created["id"])
    template = run_om("migrate-data", "create", "prices", "--json").json
    broken = Path("migrations/20990101_000000_broken.py")
    broken.write_text("migration = 1 / 0", encoding="utf-8")
    listed = om("history"), om("show", broken.stem)
    broken.unlink()
    return {
        "`om migrate create NAME`": created,
        "`om upgrade --dry-run`": dry,
        "`om upgrade`": upgraded,
        "`om downgrade ID`": downgraded,
        "`om migrate check`": checked,
        "`om migrate plan`": planned,
        "`om migrate stamp ID`": stamped,
        "`om migrate-data create NAME`": template,
        "`om migrate history`": listed[0],
        "`om migrate show ID`": listed[1],
        "`om migrate current`": om("current"),
        "`om migrate merge`": om("merge"),
    }


def test_the_keys_are_the_frozen_ones(
    station: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for heading, data in outputs(station).items():
        frozen, found = set(FROZEN[heading].split()), keys_of(data)
        assert found <= frozen, f"{heading}: add {found - frozen} to FROZEN and to docs/json.md"
        assert frozen - found <= optional(frozen), f"{heading}: {frozen - found} must not be removed"


@pytest.mark.parametrize(
    ("heading", "words"),
    [
        ("`om migrate-data run`", ("run",)),
        ("`om migrate-data run`", ("run", "--limit", "0")),
        ("`om migrate-data verify`", ("verify",)),
        ("`om migrate-data progress`", ("progress",)),
        ("`om migrate-data rollback ID`", ("rollback", ID)),
        ("`om migrate-data rollback ID`", ("rollback", ID, "--dry-run")),
        ("An error", ("run", "--batch-size", "0")),
        ("An error", ("run", "--models", "nowhere")),
    ],
)
def test_they_do_not_depend_on_what_was_found(
    station: redis.Redis, heading: str, words: tuple[str, ...]
) -> None:
    frozen = set(FROZEN[heading].split())
    found = keys_of(run_om("migrate-data", *words, "--json").json)
    assert found <= frozen
    assert frozen - found <= optional(frozen)


WITHOUT_SECTION = {"om upgrade", "om downgrade"}


@pytest.mark.parametrize("path", [path for path in COMMANDS if path not in WITHOUT_SECTION])
def test_every_command_with_json_has_a_section(path: str) -> None:
    takes_json = any("--json" in parameter.opts for parameter in COMMANDS[path].params)
    headings = {" ".join(re.findall(r"[a-z-]+", heading)) for heading in FROZEN}
    missing = "add a section to docs/json.md, and its keys to FROZEN"
    assert not takes_json or any(heading.startswith(path) for heading in headings), missing


def test_every_section_is_about_something_that_exists() -> None:
    headings = re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    assert headings == list(FROZEN), "FROZEN has the sections of docs/json.md, in their order"


@pytest.mark.parametrize("heading", FROZEN)
def test_every_key_is_documented_and_in_the_example(heading: str) -> None:
    text = section(heading)
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \|$", text, re.MULTILINE)
    assert [key for key, type_, meaning in rows if not type_.strip() or not meaning.strip()] == []
    here = {key for key, _, _ in rows}
    if heading == "`om migrate-data run --dry-run`":
        here |= set(RUN.split())  # "The keys of `run`"
    assert here == set(FROZEN[heading].split())

    examples = re.findall(r"^```json\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(examples) == 1
    found = keys_of(json.loads(examples[0]))
    assert found <= here
    assert here - found <= optional(here)


def test_text_of_any_kind_is_ascii_on_one_line(configured: str, client: redis.Redis) -> None:
    client.hset("station:visit:Ω\n\u2028", "arrived_at", "ñ\r\nA")
    assert run_om("migrate-data", "run").code == 0
    found = run_om("migrate-data", "errors", "--json")
    assert found.stdout.isascii()
    assert found.stdout.count("\n") == 1
    assert found.json["errors"][0]["key"] == "station:visit:Ω\\n\\u2028"


@pytest.mark.parametrize(
    "words",
    ["stats", "status", "progress", "run -v", "verify -v", "errors", f"rollback {ID} -v", "clear-progress"],
)
def test_progress_and_log_are_on_stderr(station: redis.Redis, words: str) -> None:
    found = run_om("migrate-data", *words.split(), "--json")
    assert found.code in {0, 3, 6}
    assert isinstance(found.json, dict)
    if words.endswith("-v") and not words.startswith("rollback"):
        assert re.search(r"^\w+: \d", found.stderr, re.MULTILINE)
