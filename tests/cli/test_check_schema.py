"""`check-schema` on every way an index may take dates, and what it names next."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import redis

from redstart import DateMigration
from redstart.demo.models import Ringer, Sighting, Visit
from redstart.devserver.process import EmbeddedServer
from redstart.mapping.index_schema import index_of
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from redstart.next_steps import Command
from redstart.search.schema import create_arguments
from tests.migrations.indexes.conftest import drop_all, legacy
from tests.support.cli import run_om
from tests.support.snapshot import difference, snapshot

__all__ = ["legacy"]  # a fixture

MODELS = (Ringer, Sighting, Visit)
DATES = {
    "redstart.demo.models.Ringer": {"born_on", "licensed_at", "last_seen_at"},
    "redstart.demo.models.Sighting": {"ringed_at", "hatched_on"},
    "redstart.demo.models.Visit": {"arrived_at", "left_at", "permit_until"},
}
"""Those that are indexed, by model."""

INDEX, DATA, BACK = "om migrate run", "om migrate-data run", f"om migrate-data rollback {ID}"


def check() -> tuple[int, dict[str, Any]]:
    found = run_om("migrate-data", "check-schema", "--json")
    return found.code, found.json


def states(report: dict[str, Any]) -> dict[str, set[str]]:
    """The forms of a model's mismatches, by model."""
    found: dict[str, set[str]] = {}
    for one in report["mismatches"]:
        found.setdefault(one["model"].rpartition(".")[2], set()).add(one["state"])
    return found


@pytest.fixture
def no_index(configured: str, client: redis.Redis) -> redis.Redis:
    drop_all(client)
    return client


@pytest.fixture
def new_indexes(no_index: redis.Redis) -> redis.Redis:
    for model in MODELS:
        no_index.execute_command("FT.CREATE", *create_arguments(index_of(model)))
    return no_index


def test_the_old_indexes_take_text(legacy: redis.Redis, configured: str) -> None:
    before = snapshot(legacy)
    code, found = check()
    assert (code, found["recommendation"], found["total_affected_models"]) == (3, DATA, 3)
    assert states(found) == {"Ringer": {"text"}, "Sighting": {"text"}, "Visit": {"text"}}
    listed: dict[str, set[str]] = {name: set() for name in DATES}
    for one in found["mismatches"]:
        listed[one["model"]].add(one["field"])
        assert (one["current_type"], one["expected_type"]) == ("TAG", "NUMERIC")
    assert listed == DATES
    assert {one["index_name"] for one in found["mismatches"]} == {one._meta.index_name for one in MODELS}
    assert set(found["unconverted_models"]) == set(DATES)
    assert difference(before, snapshot(legacy)) == []


def test_each_step_names_the_next(legacy: redis.Redis, configured: str) -> None:
    def step(*words: str) -> None:
        assert run_om(*words).code == 0, words

    step("migrate", "run")
    code, found = check()
    assert (code, found["recommendation"]) == (3, DATA)
    assert states(found) == {"Ringer": {"dual-format"}, "Sighting": {"dual-format"}, "Visit": {"dual-format"}}

    step("migrate-data", "run")
    nothing = {
        "mismatches": [],
        "has_mismatches": False,
        "total_affected_models": 0,
        "unconverted_models": [],
        "recommendation": None,
    }
    assert check() == (0, nothing)

    step("migrate", "rollback")
    assert states(check()[1])["Sighting"] == {"dual-format"}
    step("migrate-data", "rollback", ID)
    assert set(check()[1]["unconverted_models"]) == set(DATES)


STEPS = {
    "": DATA,
    "migrate run": DATA,
    "migrate-data run --limit-documents 5": f"{DATA} --limit-documents 5",
    "migrate-data run": None,
    "migrate rollback": BACK,
    f"migrate-data rollback {ID}": DATA,
}
"""For each step, the next command."""


def test_every_command_names_the_same_next_command(legacy: redis.Redis, configured: str) -> None:
    """`check-schema`, both `status` commands, and the status for programs."""
    for step, following in STEPS.items():
        assert not step or run_om(*step.split()).code in (0, 5), step
        assert check()[1]["recommendation"] == following, step
        found = DateMigration(MODELS, url=configured).status()
        assert found.next_command == (None if following is None else Command(*command_parts(following))), step
        for words in ("migrate-data status", "migrate status"):
            named = named_next(run_om(*words.split()).stdout)
            assert named == ({following} - {None}), (step, words)


def command_parts(command: str) -> list[str]:
    _, group, name, *arguments = command.split()
    return [f"{group} {name}", *arguments]


def named_next(text: str) -> set[str]:
    """Return the commands in a status, without that which a complete migration offers and those that only read."""
    named = re.findall(r"om (?:migrate|migrate-data) [a-z]\S*(?: (?:--[a-z]|[0-9])\S*)*", text)
    return {one.rstrip(".") for one in named} - {"om migrate cleanup", "om migrate-data verify"}


def test_a_cut_over_that_was_refused_is_pending(legacy: redis.Redis, configured: str) -> None:
    key = next(iter(legacy.scan_iter("station:visit:*", count=1000, _type="hash")))
    legacy.hset(key, "arrived_at", "N/A")
    assert run_om("migrate-data", "run").code == 3
    code, found = check()
    assert (code, found["recommendation"], found["unconverted_models"]) == (3, INDEX, [])
    assert states(found) == {"Visit": {"dual-format"}}


def test_no_index_at_all(no_index: redis.Redis) -> None:
    code, found = check()
    assert (code, found["recommendation"]) == (3, INDEX)
    assert {one["state"] for one in found["mismatches"]} == {"missing"}
    assert {one["current_type"] for one in found["mismatches"]} == {None}


def test_a_date_that_one_index_lacks(new_indexes: redis.Redis) -> None:
    index = index_of(Visit)
    fields = create_arguments(index)
    at = fields.index("left_at")
    new_indexes.execute_command("FT.DROPINDEX", index.name)
    new_indexes.execute_command("FT.CREATE", *fields[:at], *fields[at + 2 :])
    code, found = check()
    assert (code, found["recommendation"], found["total_affected_models"]) == (3, DATA, 1)
    assert [(one["field"], one["state"]) for one in found["mismatches"]] == [("left_at", "missing")]


def test_a_date_that_another_tool_took_as_words(new_indexes: redis.Redis) -> None:
    index = index_of(Visit)
    fields = list(create_arguments(index))
    fields[fields.index("left_at") + 1] = "TEXT"
    new_indexes.execute_command("FT.DROPINDEX", index.name)
    new_indexes.execute_command("FT.CREATE", *fields)
    (one,) = check()[1]["mismatches"]
    assert (one["field"], one["current_type"], one["state"]) == ("left_at", "TEXT", "other")


def test_new_indexes_over_old_data_are_not_done(new_indexes: redis.Redis) -> None:
    """The trap of redis-om's own guide: documents with text are in no such index."""
    code, found = check()
    assert (code, found["has_mismatches"], found["recommendation"]) == (3, False, DATA)
    assert set(found["unconverted_models"]) == set(DATES)
    assert run_om("migrate-data", "run").code == 0
    assert check()[0] == 0


def test_whether_a_date_is_sortable_does_not_count(new_indexes: redis.Redis) -> None:
    index = index_of(Visit)
    fields = list(create_arguments(index))
    fields.insert(fields.index("left_at") + 2, "SORTABLE")
    new_indexes.execute_command("FT.DROPINDEX", index.name)
    new_indexes.execute_command("FT.CREATE", *fields)
    assert run_om("migrate", "status", "--check").code == 3
    assert check()[1]["mismatches"] == []


def test_people_see_every_date_and_the_next_command(legacy: redis.Redis, configured: str) -> None:
    found = run_om("migrate-data", "check-schema")
    assert found.code == 3
    rows = [text.split() for text in found.stdout.splitlines() if text.endswith("NUMERIC")]
    assert [row[2] for row in rows] == ["text"] * sum(map(len, DATES.values()))
    assert all(name in found.stdout.partition("Data not converted yet: ")[2] for name in DATES)
    assert found.stdout.endswith(f"Next: {DATA}\n")


def test_only_the_models_that_are_named(new_indexes: redis.Redis, write_module: Callable[[str], str]) -> None:
    module = write_module("""
        from redstart import Field, HashModel

        class Net(HashModel, index=True):
            length_metres: int = Field(index=True)
    """)
    found = run_om("migrate-data", "check-schema", "--models", module)
    assert (found.code, "No schema mismatches." in found.stdout) == (0, True)


def test_a_date_inside_an_embedded_document(
    no_index: redis.Redis, write_module: Callable[[str], str]
) -> None:
    module = write_module("""
        import datetime
        from redstart import EmbeddedJsonModel, Field, JsonModel

        class Capture(EmbeddedJsonModel):
            released_at: datetime.datetime = Field(index=True)

        class Bird(JsonModel, index=True):
            capture: Capture
            seen_by_place: dict[str, datetime.datetime] = {}
    """)
    found = run_om("migrate-data", "check-schema", "--json", "--models", module)
    assert found.code == 3
    assert [one["field"] for one in found.json["mismatches"]] == ["capture.released_at"]


def test_another_database_than_0_is_refused(configured: str, client: redis.Redis) -> None:
    separator = "&" if "?" in configured else "?"
    found = run_om("migrate-data", "check-schema", "--url", f"{configured}{separator}db=1")
    assert (found.code, "database 0" in found.stderr) == (1, True)


def test_a_server_without_search_is_refused(
    configured: str, own_server: Callable[..., EmbeddedServer]
) -> None:
    found = run_om("migrate-data", "check-schema", "--url", own_server(with_search=False).url)
    assert (found.code, "no FT.CREATE" in found.stderr) == (1, True)
