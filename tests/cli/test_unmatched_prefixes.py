"""A run that meets no document: on another server, in another database, or under other prefixes."""

import json
import textwrap
from collections.abc import Callable

import pytest
import redis

from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from redstart.migrations.state_keys import APPLIED_MIGRATIONS
from tests.support.cli import Ended, run_om

TEXT = "2021-01-01T00:00:00"
MODELS = """
    import datetime
    from redstart import Field, HashModel, JsonModel

    class Log(HashModel, index=True):
        at: datetime.datetime = Field(index=True)

        class Meta:
            global_key_prefix = "{prefix}"
            model_key_prefix = "log"

    class Note(JsonModel, index=True):
        at: datetime.datetime = Field(index=True)

        class Meta:
            global_key_prefix = "{prefix}"
            model_key_prefix = "note"
"""

Write = Callable[[str], str]


def om(url: str, models: str, *words: str) -> Ended:
    return run_om("migrate-data", *words, "--url", url, "--models", models)


def store(client: redis.Redis, prefix: str, at: str | float = TEXT) -> None:
    for number in range(3):
        client.hset(f"{prefix}:log:{number}", mapping={"pk": str(number), "at": str(at)})
        content = json.dumps({"pk": str(number), "at": at})
        client.execute_command("JSON.SET", f"{prefix}:note:{number}", "$", content)


def models_of(write_module: Write, prefix: str) -> str:
    return write_module(textwrap.dedent(MODELS).format(prefix=prefix))


def in_database(url: str, number: int) -> str:
    return f"{url}?db={number}" if url.startswith("unix") else f"{url}/{number}"


@pytest.mark.sample(3)
@pytest.mark.parametrize("wrong", ["nothing", "database", "prefix"])
@pytest.mark.parametrize("indexed", [False, True], ids=["", "indexes"])
def test_it_is_said_and_hides_no_document(
    client: redis.Redis, url: str, write_module: Write, wrong: str, indexed: bool
) -> None:
    right = models_of(write_module, "app")
    there = in_database(url, 1) if wrong == "database" else url
    models = models_of(write_module, "shop") if wrong == "prefix" else right
    prefix = "shop" if wrong == "prefix" else "app"
    if wrong != "nothing":
        store(client, "app")
    if indexed and wrong != "database":
        assert run_om("migrate", "run", "--url", there, "--models", models).code == 0
    ended = om(there, models, "run")
    assert ended.code == 0
    told = f"0 documents matched the prefixes {prefix}:log:, {prefix}:note:."
    assert ended.stdout.splitlines()[0] == (
        f"No documents found under {prefix}:log:, {prefix}:note:. Nothing was converted; the models of this database "
        "are applied."
    )
    assert om(there, models, "run", "--json").json["unmatched_prefixes"] == [
        f"{prefix}:log:",
        f"{prefix}:note:",
    ]
    # A deployment on an empty server is up to date, and says on what that stands.
    status = om(there, models, "status", "--check")
    assert (status.code, told in status.stdout) == (0, True), status.text
    assert om(there, models, "status", "--json").json["unmatched_prefixes"] != []
    with redis.Redis.from_url(there) as other:
        # redis-om, which looks there, is not kept from the right documents.
        assert not other.sismember(APPLIED_MIGRATIONS, ID)
        store(other, prefix, 1609459200.5)
        assert om(there, models, "status", "--check").code == 0
        store(other, prefix)
    if wrong == "nothing":
        assert om(url, right, "verify").code == 6
    found = om(there, models, "status", "--check", "--json")
    assert (found.code, found.json["phase"]) in ((3, "pending"), (3, "expanded"))
    assert found.json["rewritten_prefixes"] == [f"{prefix}:log:", f"{prefix}:note:"]
    assert "dates in text format were written since, under " in om(there, models, "status").stdout
    assert om(there, models, "verify").code == 6
    for place, named in dict.fromkeys([(there, models), (url, right)]):
        ended = om(place, named, "run", "--json")
        assert (ended.code, ended.json["unmatched_prefixes"]) == (0, [])
        assert ended.json["converted"] == 6
        assert om(place, named, "verify").code == 0
        assert om(place, named, "status", "--check").code == 0
    assert client.sismember(APPLIED_MIGRATIONS, ID)


def test_one_model_without_documents_beside_others(
    client: redis.Redis, url: str, write_module: Write
) -> None:
    models = models_of(write_module, "app")
    client.hset("app:log:1", mapping={"pk": "1", "at": TEXT})
    assert om(url, models, "run", "--dry-run", "--json").json["unmatched_prefixes"] == ["app:note:"]
    ended = om(url, models, "run")
    assert ended.stdout.splitlines()[0] == "Conversion complete."
    assert "Warning: 0 documents matched the prefix app:note:." in ended.stderr
    assert om(url, models, "status", "--check").code == 0
    store(client, "app")
    assert om(url, models, "status", "--json").json["rewritten_prefixes"] == ["app:log:", "app:note:"]
    assert om(url, models, "status", "--check").code == 3
