"""Two indexes over the same key prefix, of which a model declares one: neither migration touches the other index.

Redstart never drops an index with its documents, checks the coverage of the model's index alone, and moves the alias of
the model alone. What remains is a format of dates that the other index does not accept; then a run is refused.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import redis

from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from tests.cli.conftest import write_module
from tests.migrations.indexes.conftest import Reader, drop_all, serving, total, wait_until_built
from tests.support.cli import Ended, run_om
from tests.support.snapshot import STATE_PREFIXES, difference, every_byte, snapshot

__all__ = ["write_module"]

DOCUMENTS = 20
PREFIX = "app:log:"
OURS, OTHER, ALIAS = "app:ours", "app:other", "app:alias"
MODEL = """
    import datetime
    from redstart import Field, {kind}

    class {name}({kind}, index=True):
        at: datetime.datetime = Field(index=True)
        note: str = Field(index=True)

        class Meta:
            global_key_prefix = "app"
            model_key_prefix = "log"
            index_name = "{index}"
"""


@dataclass(frozen=True)
class Logs:
    """A server with documents in text format, and the index of a model before 1.0.

    Attributes:
        models: writes a module with a model that declares an index of this name; returns the name of the module.
    """

    client: redis.Redis
    url: str
    is_json: bool
    models: Callable[[str, str], str]

    def create(self, index: str, **fields: str) -> None:
        schema = [
            word
            for name, kind in fields.items()
            for word in ((f"$.{name}", "AS", name, kind) if self.is_json else (name, kind))
        ]
        on = "JSON" if self.is_json else "HASH"
        self.client.execute_command("FT.CREATE", index, "ON", on, "PREFIX", 1, PREFIX, "SCHEMA", *schema)
        wait_until_built(self.client, [index])

    def definition(self, index: str) -> tuple[object, ...]:
        info = self.client.execute_command("FT.INFO", index)
        fields = info if isinstance(info, dict) else dict(zip(info[::2], info[1::2], strict=True))
        return tuple(fields[name] for name in (b"index_name", b"index_definition", b"attributes"))


@pytest.fixture(params=["hashes", "JSON"])
def logs(
    request: pytest.FixtureRequest,
    url: str,
    client: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
    write_module: Callable[[str], str],
) -> Iterator[Logs]:
    drop_all(client)
    monkeypatch.setenv("REDIS_OM_URL", url)
    is_json = request.param == "JSON"
    kind = "JsonModel" if is_json else "HashModel"
    for number in range(DOCUMENTS):
        document = {"pk": str(number), "at": f"2021-01-{number + 1:02}T00:00:00", "note": "a"}
        if is_json:
            client.execute_command("JSON.SET", f"{PREFIX}{number}", "$", json.dumps(document))
        else:
            client.hset(f"{PREFIX}{number}", mapping=document)
    logs = Logs(
        client,
        url,
        is_json,
        lambda name, index: write_module(MODEL.format(kind=kind, name=name, index=index)),
    )
    logs.create(OURS, at="TAG", note="TAG")
    yield logs
    drop_all(client)


def om(group: str, command: str, *options: str) -> Ended:
    ended = run_om(group, *command.split(), *options)
    assert ended.code == 0, ended.text
    return ended


def refused_for_the_other_index(*models: str) -> str:
    """Run, which is refused; return the command to which the module of the other model is to be added."""
    ended = run_om("migrate-data", "run", "--yes", *models)
    assert (ended.code, f"Error: Index {OTHER} " in ended.stderr) == (1, True), ended.text
    (command,) = re.findall(r"prepare both indexes: .* to: om (migrate run .*)", ended.stderr)
    return str(command)


def documents(client: redis.Redis) -> int:
    return sum(1 for _ in client.scan_iter(f"{PREFIX}*", 1_000))


DEFINITIONS = {
    "without the date": {"note": "TAG"},
    "as the model before 1.0": {"at": "TAG", "note": "TAG"},
    "as the model": {"pk": "TAG", "at": "NUMERIC", "note": "TAG"},
}


@pytest.mark.sample(3)
@pytest.mark.parametrize("definition", DEFINITIONS)
def test_the_other_index_stays_as_it_is(logs: Logs, definition: str) -> None:
    client = logs.client
    logs.create(OTHER, **DEFINITIONS[definition])
    client.execute_command("FT.ALIASADD", ALIAS, OTHER)
    found, start = total(client, OTHER), snapshot(client)
    original = logs.definition(OTHER)
    models = ("--models", logs.models("Ours", OURS))
    reader = Reader(logs.url, ALIAS, "*")
    reader.start()
    if definition == "as the model before 1.0" and logs.is_json:
        before = every_byte(client)
        _ = refused_for_the_other_index(*models)
        assert (every_byte(client), total(client, OURS)) == (before, DOCUMENTS)
        reader.end()
        return

    for command in ("migrate-data run --yes", "migrate cleanup --yes", f"migrate-data rollback {ID} --yes"):
        group, rest = command.split(" ", 1)
        _ = om(group, rest, *models)
        assert logs.definition(OTHER) == original
        assert serving(client, ALIAS) == OTHER
        assert (documents(client), total(client, OURS)) == (DOCUMENTS, DOCUMENTS)
        assert total(client, OTHER) >= found

    reader.end()
    assert (reader.errors, reader.lowest >= found) == ([], True)
    assert difference(start, snapshot(client, exclude_prefixes=STATE_PREFIXES)) == []


def test_an_index_that_redstart_created_is_dropped_without_the_documents(logs: Logs) -> None:
    """Its documents are those of the other index, too."""
    client = logs.client
    client.execute_command("FT.DROPINDEX", OURS)
    logs.create(OTHER, note="TAG")
    models = ("--models", logs.models("Ours", OURS))
    _ = om("migrate", "run", *models)
    assert total(client, OURS) == DOCUMENTS
    _ = om("migrate", "rollback --drop-created", *models)
    assert client.execute_command("FT._LIST") == [OTHER.encode()]
    assert (documents(client), total(client, OTHER)) == (DOCUMENTS, DOCUMENTS)


@pytest.mark.sample(1)
def test_indexes_of_two_models_are_migrated_together(logs: Logs) -> None:
    """The hint of the refusal leads on: no query misses a document at any step, and back."""
    client = logs.client
    logs.create(OTHER, at="TAG", note="TAG")
    start = snapshot(client)
    fields = [logs.definition(index)[2] for index in (OURS, OTHER)]
    ours, other = logs.models("Ours", OURS), logs.models("Other", OTHER)
    both = ("--models", ours, "--models", other)
    watched = [Reader(logs.url, index, "*") for index in (OURS, OTHER)]
    for reader in watched:
        reader.start()
    if logs.is_json:
        command = refused_for_the_other_index("--models", ours)
        assert run_om(*command.split(), "--models", other).code == 0, command
    _ = om("migrate-data", "run --yes", "--models", ours)
    _ = om("migrate", "run", *both)
    assert "No pending schema changes" in om("migrate", "status", *both).stdout
    assert [total(client, index, "@at:[-inf +inf]") for index in (OURS, OTHER)] == [DOCUMENTS, DOCUMENTS]
    _ = om("migrate", "cleanup --yes", *both)
    _ = om("migrate-data", f"rollback {ID} --yes")
    for reader in watched:
        reader.end()
        assert (reader.errors, reader.lowest) == ([], DOCUMENTS)
    assert difference(start, snapshot(client, exclude_prefixes=STATE_PREFIXES)) == []
    assert [logs.definition(index)[2] for index in (OURS, OTHER)] == fields
