"""Unmanaged indexes over converted documents: a rollback loses nothing that they contained before the run."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import redis

from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from redstart.migrations.state_keys import StateKeys
from tests.cli.conftest import write_module
from tests.migrations.indexes.conftest import drop_all, wait_until_built
from tests.support.cli import Ended, refused, run_om
from tests.support.snapshot import every_byte

__all__ = ["write_module"]

NAME = "by-date"
PREFIX = "app:log:"
TEXT, NUMBER, NEWER = "2021-05-04T03:02:01Z", 1577880000.5, 1622505600.5
MODEL = """
    import datetime
    from redstart import {kind}

    class Log({kind}):
        at: datetime.datetime | None = None
        note: str = ""

        class Meta:
            global_key_prefix = "app"
            model_key_prefix = "log"
"""
MANY = 20_000
"""So many that the server is still filling the index when the run starts."""
RUN = ("migrate-data", "run", "--yes")
ROLLBACK = ("migrate-data", "rollback", ID, "--yes")
ACCEPT = "--accept-unindexed"

BEFORE: dict[str, dict[str, object]] = {
    "text only": {"text": TEXT, "failed": "N/A"},
    "mixed": {"text": TEXT, "null": None, "number": NUMBER},
}
WRITTEN: dict[str, dict[str, object]] = {
    "nothing": {},
    "a new document": {"new": NEWER},
    "other values": {"null": NEWER, "number": NEWER, "text": NEWER},
}


@dataclass(frozen=True)
class Definition:
    """How an unmanaged index uses the date: the type of its attribute, or None, and its FILTER, if any."""

    kind: str | None
    expression: str | None = None


DEFINITIONS = [
    Definition("NUMERIC"),
    Definition("NUMERIC", "@at>1000 || @at<=1000"),
    Definition("TAG", "startswith(@at, '2021')"),
    Definition("TAG", "@at>1000"),
    Definition(None, "startswith(@at, '2021')"),
    Definition(None, "@at>1000"),
]


@dataclass(frozen=True)
class Logs:
    """A server with documents of one model."""

    client: redis.Redis
    is_json: bool

    def write(self, documents: dict[str, object]) -> None:
        for name, value in documents.items():
            key = f"{PREFIX}{name}"
            if self.is_json:
                self.client.execute_command("JSON.SET", key, "$", json.dumps({"at": value, "note": "a"}))
            else:
                self.client.hset(key, mapping={"note": "a"} | ({} if value is None else {"at": str(value)}))

    def index(self, definition: Definition, *more: str, is_filled: bool = True) -> None:
        """Create the index; an index of this name is dropped first."""
        if NAME.encode() in self.client.execute_command("FT._LIST"):
            self.client.execute_command("FT.DROPINDEX", NAME)
        fields = {"note": "TAG"} | ({} if definition.kind is None else {"at": definition.kind})
        schema = [
            word
            for name, kind in (*fields.items(), *((one, "TAG") for one in more))
            for word in ((f"$.{name}", "AS", name, kind) if self.is_json else (name, kind))
        ]
        condition = () if definition.expression is None else ("FILTER", definition.expression)
        on = "JSON" if self.is_json else "HASH"
        try:
            self.client.execute_command(
                "FT.CREATE", NAME, "ON", on, "PREFIX", 1, PREFIX, *condition, "SCHEMA", *schema
            )
        except redis.ResponseError as exc:
            pytest.skip(f"the server rejects the definition: {exc}")
        if is_filled:
            wait_until_built(self.client, [NAME])

    def found(self) -> set[str]:
        """Return the keys that the index contains."""
        reply = self.client.execute_command("FT.SEARCH", NAME, "*", "NOCONTENT", "LIMIT", 0, 100)
        keys = [one[b"id"] for one in reply[b"results"]] if isinstance(reply, dict) else reply[1:]
        return {key.decode() for key in keys}


@pytest.fixture(params=["hashes", "JSON"])
def logs(
    request: pytest.FixtureRequest,
    url: str,
    client: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
    write_module: Callable[[str], str],
) -> Logs:
    drop_all(client)
    request.addfinalizer(lambda: drop_all(client))
    is_json = request.param == "JSON"
    monkeypatch.setenv("REDIS_OM_URL", url)
    module = write_module(MODEL.format(kind="JsonModel" if is_json else "HashModel"))
    monkeypatch.setenv("REDSTART_MODELS", module)
    return Logs(client, is_json)


def roll_back(logs: Logs, *options: str) -> Ended:
    """Run the rollback, after its dry run: if one is refused, so is the other, and nothing is changed."""
    before = every_byte(logs.client)
    dry = run_om(*ROLLBACK[:-1], "--dry-run", *options)
    assert every_byte(logs.client) == before
    ended = run_om(*ROLLBACK, *options)
    assert (dry.code == 1) == (ended.code == 1), dry.text + ended.text
    if ended.code == 1:
        refused(ended, 1, NAME, f"om migrate-data rollback {ID} {ACCEPT}")
        assert every_byte(logs.client) == before
    return ended


@pytest.mark.sample(8)
@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("definition", DEFINITIONS, ids=str)
def test_a_rollback_loses_nothing_that_the_index_contained_before(
    logs: Logs, definition: Definition, before: str, written: str
) -> None:
    logs.write(BEFORE[before])
    logs.index(definition)
    held = logs.found()
    assert run_om(*RUN, ACCEPT).code in (0, 3)
    logs.write(WRITTEN[written])

    ended = roll_back(logs)

    if written == "nothing" or not held:
        assert ended.code != 1, ended.text
    if ended.code == 1:
        assert run_om(*ROLLBACK, ACCEPT).code in (0, 6)
    else:
        assert held <= logs.found()
    assert not logs.client.exists(StateKeys(ID).record)


@pytest.mark.sample(10)
@pytest.mark.parametrize("moment", ["created after the run", "changed after the run", "not recorded"])
@pytest.mark.parametrize("definition", DEFINITIONS, ids=str)
def test_a_rollback_is_refused_if_nothing_is_known_of_the_index(
    logs: Logs, definition: Definition, moment: str
) -> None:
    logs.write(BEFORE["text only"])
    if moment != "created after the run":
        logs.index(definition)
    assert run_om(*RUN, ACCEPT).code in (0, 3)
    if moment == "created after the run":
        logs.index(definition)
    elif moment == "changed after the run":
        logs.index(definition, "more")
    else:  # as an earlier version of Redstart left it
        logs.client.hdel(StateKeys(ID).record, "unmanaged_indexes")
    held = logs.found()

    ended = roll_back(logs)

    lost = held - logs.found() if ended.code != 1 else set()
    assert not lost, ended.text
    if held and definition.kind == "NUMERIC":
        assert ended.code == 1, ended.text


def test_an_index_that_is_created_between_two_runs_is_not_taken_for_an_earlier_one(logs: Logs) -> None:
    logs.write(BEFORE["text only"])
    assert run_om(*RUN).code in (0, 3)
    logs.index(Definition("NUMERIC"))
    logs.write({"later": TEXT})
    assert run_om(*RUN).code in (0, 3)
    assert roll_back(logs).code == 1


def test_the_record_is_kept_by_later_runs(logs: Logs) -> None:
    logs.write(BEFORE["text only"])
    logs.index(Definition("NUMERIC"))
    assert run_om(*RUN).code in (0, 3)
    logs.write({"later": TEXT})
    assert run_om(*RUN).code in (0, 3)
    assert len(logs.found()) >= 2
    assert roll_back(logs).code in (0, 6)


def test_the_record_is_kept_by_runs_of_other_models(
    logs: Logs, write_module: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logs.write(BEFORE["text only"])
    logs.index(Definition("NUMERIC"))
    assert run_om(*RUN).code in (0, 3)
    kind = "JsonModel" if logs.is_json else "HashModel"
    other = write_module(MODEL.format(kind=kind).replace('"log"', '"other"').replace("Log", "Other"))
    monkeypatch.setenv("REDSTART_MODELS", other)
    assert run_om(*RUN).code in (0, 3)
    assert roll_back(logs).code in (0, 6)


@pytest.mark.sample(1)
def test_an_index_that_is_still_being_filled_is_counted_at_the_end(logs: Logs) -> None:
    with logs.client.pipeline(transaction=False) as pipeline:
        for number in range(MANY):
            if logs.is_json:
                pipeline.execute_command("JSON.SET", f"{PREFIX}{number}", "$", '{"note":"a"}')
            else:
                pipeline.hset(f"{PREFIX}{number}", "note", "a")
        pipeline.execute()
    logs.index(Definition("NUMERIC"), is_filled=False)
    assert run_om(*RUN).code in (0, 3)
    recorded = json.loads(logs.client.hget(StateKeys(ID).record, "unmanaged_indexes") or "{}")
    assert recorded[NAME][1] == MANY


def test_nothing_is_known_of_an_index_once_the_undo_log_was_dropped(logs: Logs) -> None:
    """What the first run converted stays numeric, and the index contains it before the second run."""
    logs.write(BEFORE["text only"])
    logs.index(Definition("NUMERIC"))
    assert run_om(*RUN).code in (0, 3)
    assert run_om("migrate-data", "drop-undo-log", ID, "--yes").code == 0
    logs.write({"later": TEXT})
    assert run_om(*RUN).code in (0, 3)
    logs.write({"text": NEWER})
    assert roll_back(logs).code == 1


def test_reformatted_numbers_are_a_reason(logs: Logs) -> None:
    logs.write(BEFORE["mixed"])
    logs.index(Definition("NUMERIC"))
    assert f"{PREFIX}number" in logs.found()
    assert run_om(*RUN).code in (0, 3)
    assert roll_back(logs, "--reformat-preexisting").code == 1
    assert roll_back(logs).code == 0
    assert f"{PREFIX}number" in logs.found()


def test_a_damaged_record_of_the_indexes_is_named(logs: Logs) -> None:
    logs.write(BEFORE["text only"])
    logs.index(Definition("NUMERIC"))
    assert run_om(*RUN).code in (0, 3)
    logs.client.hset(StateKeys(ID).record, "unmanaged_indexes", "{")
    refused(run_om(*ROLLBACK), 1, StateKeys(ID).record, "backup")
