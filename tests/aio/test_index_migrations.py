"""`Migrator().run()`, as applications call it when they start."""

import asyncio
import inspect
import subprocess
import sys
import types
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from hashlib import sha1
from pathlib import Path
from typing import Any

import pytest
import redis

import redstart
import redstart.aio
from redstart import Coordinates, Field
from redstart.devserver.process import EmbeddedServer
from redstart.errors import MigrationError
from redstart.mapping import base_model
from redstart.mapping.model_info import declare, distinct
from redstart.search.schema import create_arguments
from tests.support.legacy_index import legacy_index_of
from tests.support.models import registry_of_its_own
from tests.support.soak import SOAK

PROGRAMS = 6 if SOAK else 4

PROGRAM = """
import asyncio, sys
from datetime import datetime
import redstart.aio
from redstart import Field, HashModel, JsonModel, Migrator


class Note(HashModel, index=True):
    text: str = Field(index=True)
    class Meta:
        global_key_prefix = "app"
        model_key_prefix = "note"

class Order(JsonModel, index=True):
    at: datetime = Field(index=True)
    class Meta:
        global_key_prefix = "app"
        model_key_prefix = "order"

Migrator().run() if sys.argv[1] == "0" else asyncio.run(redstart.aio.Migrator().run())
assert Note.find(Note.text == "a").count() == 50
assert Order.find().count() == 0
print("up")
"""


@pytest.fixture(autouse=True)
def own_registry(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No models but those that a test declares."""
    monkeypatch.setenv("REDIS_OM_URL", url)
    with registry_of_its_own():
        yield


async def awaited(result: Any) -> Any:
    """Return the result of a method of either package."""
    return await result if inspect.isawaitable(result) else result


def serving(client: redis.Redis, name: str) -> dict[str, Any]:
    """What a name leads to, by the attribute of each field: its type."""
    info = redis.Redis.execute_command(client, "FT.INFO", name)
    pairs = info if isinstance(info, dict) else dict(zip(info[::2], info[1::2], strict=True))
    fields = [
        one if isinstance(one, dict) else dict(zip(one[:-1:2], one[1::2], strict=False))
        for one in pairs[b"attributes"]
    ]
    return {field[b"attribute"].decode(): field[b"type"].decode() for field in fields}


def test_several_processes_at_once(client: redis.Redis) -> None:
    for number in range(50):
        client.hset(f"app:note:{number}", mapping={"pk": number, "text": "a"})
    programs = [
        subprocess.Popen([sys.executable, "-c", PROGRAM, str(number % 2)], stdout=subprocess.PIPE, text=True)
        for number in range(PROGRAMS)
    ]
    said = [program.communicate(timeout=100)[0] for program in programs]
    assert [(program.returncode, text) for program, text in zip(programs, said, strict=True)] == [
        (0, "up\n")
    ] * PROGRAMS
    # Two names, each of one index built once.
    assert len(client.execute_command("FT._LIST")) == 2
    assert serving(client, "app:order:index")["at"] == "NUMERIC"


def test_a_second_run_reads_only(client: redis.Redis) -> None:
    class Note(redstart.HashModel, index=True):
        text: str = Field(index=True)

    redstart.Migrator().run()
    before = writes(client)
    redstart.Migrator().run()
    asyncio.run(redstart.aio.Migrator().run())
    assert writes(client) == before
    assert Note.find().all() == []


def writes(client: redis.Redis) -> dict[str, Any]:
    """How often commands that change anything were sent."""
    reading = (
        "info",
        "ft.info",
        "ft._list",
        "command",
        "client",
        "get",
        "hget",
        "hgetall",
        "hello",
        "select",
        "ft.search",
    )
    return {
        name: counts["calls"]
        for name, counts in client.info("commandstats").items()
        if not name.removeprefix("cmdstat_").lower().startswith(reading)
    }


def test_pending_work_is_reported_as_in_redis_om(client: redis.Redis) -> None:
    class Note(redstart.HashModel, index=True):
        text: str = Field(index=True)

        class Meta:
            model_key_prefix = "note"

    def detected() -> list[tuple[str, str | None]]:
        migrator, again = redstart.Migrator(), redstart.aio.Migrator()
        migrator.detect_migrations()
        asyncio.run(again.detect_migrations())
        found = [
            (one.index_name, one.action.name, one.hash, one.previous_hash) for one in migrator.migrations
        ]
        assert found == [
            (one.index_name, one.action.name, one.hash, one.previous_hash) for one in again.migrations
        ]
        assert {(name, new) for name, _, new, _ in found} <= {
            (":note:index", sha1(model.redisearch_schema().encode()).hexdigest())
            for model in base_model.model_registry.values()
        }
        return [(action, previous) for _, action, _, previous in found]

    before = writes(client)
    assert detected() == [("CREATE", None)]
    assert writes(client) == before
    redstart.Migrator().run()
    assert detected() == []
    first = client.get(":note:index:hash")
    assert first is not None

    class Changed(redstart.HashModel, index=True):
        text: str = Field(index=True)
        rank: int = Field(default=0, sortable=True)

        class Meta:
            model_key_prefix = "note"

    base_model.model_registry.clear()
    base_model.register(Changed)
    assert detected() == [("DROP", first.decode()), ("CREATE", first.decode())]
    client.delete(":note:index:hash")
    assert detected() == [("DROP", None), ("CREATE", None)]


def test_the_models_of_a_package(
    client: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = tmp_path / "shop_of_the_test" / "inside"
    inside.mkdir(parents=True)
    (tmp_path / "shop_of_the_test" / "__init__.py").touch()
    (tmp_path / "shop_of_the_test" / "__main__.py").write_text("raise SystemExit('a program')")
    (inside / "__init__.py").touch()
    (inside / "models.py").write_text(
        "from redstart import Field, HashModel\n"
        "class Deep(HashModel, index=True):\n"
        "    text: str = Field(index=True)\n"
        "    class Meta:\n"
        "        model_key_prefix = 'deep'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match="nowhere"):
        redstart.Migrator("shop_of_the_test.nowhere").run()
    redstart.Migrator("shop_of_the_test").run()
    assert set(serving(client, ":deep:index")) == {"pk", "text"}


def test_a_changed_model_and_the_client_that_is_given(client: redis.Redis, url: str) -> None:
    class Note(redstart.HashModel, index=True):
        text: str = Field(index=True)

        class Meta:
            model_key_prefix = "note"

    redstart.SchemaDetector(None, redis.Redis.from_url(url)).run()
    assert set(serving(client, ":note:index")) == {"pk", "text"}

    class Changed(redstart.HashModel, index=True):
        text: str = Field(index=True)
        rank: int = Field(default=0, sortable=True)

        class Meta:
            model_key_prefix = "note"

    base_model.model_registry.clear()
    base_model.register(Changed)
    redstart.Migrator().run()
    assert set(serving(client, ":note:index")) == {"pk", "text", "rank"}
    assert Changed.find().sort_by("rank").all() == []


class Visit(redstart.JsonModel, index=True):
    at: datetime = Field(index=True)
    site: str = Field(index=True)

    class Meta:
        model_key_prefix = "visit"


def test_an_index_serves_while_the_data_is_in_the_old_form(client: redis.Redis) -> None:
    """As `om migrate run`: nothing is dropped that serves, and both forms are found."""
    base_model.register(Visit)
    legacy = legacy_index_of(Visit)
    client.execute_command("FT.CREATE", *create_arguments(legacy))
    for number in range(20):
        client.execute_command(
            "JSON.SET", f":visit:{number}", "$", f'{{"pk":"{number}","at":"2020-01-01T00:00:00","site":"x"}}'
        )
    for _ in range(2):
        redstart.Migrator().run()
        assert Visit.find(Visit.site == "x").count() == 20
        Visit(pk="new", at=datetime(2021, 1, 1), site="x").save()
        assert len(Visit.find(Visit.site == "x").all()) == 21
        Visit.delete("new")


def test_a_refused_replacement_is_an_error(client: redis.Redis) -> None:
    class Note(redstart.HashModel, index=True):
        place: str = Field(index=True)

        class Meta:
            model_key_prefix = "note"

    redstart.Migrator().run()
    Note(place="home").save()

    class Changed(redstart.HashModel, index=True):
        place: Coordinates = Field(index=True)

        class Meta:
            model_key_prefix = "note"

    base_model.model_registry.clear()
    base_model.register(Changed)
    with pytest.raises(MigrationError, match="Indexes were not replaced: :note:index"):
        redstart.Migrator().run()
    assert Note.find().count() == 1


def test_without_models_nothing_is_written(client: redis.Redis) -> None:
    redstart.Migrator().run()
    assert client.execute_command("FT._LIST") == []
    assert client.dbsize() == 0


@pytest.mark.sample(23)
@pytest.mark.parametrize("package", [redstart, redstart.aio])
@pytest.mark.parametrize("base", ["HashModel", "JsonModel"])
@pytest.mark.parametrize("key", [None, str, int, uuid.UUID])
@pytest.mark.parametrize("index", [False, True])
def test_every_model_answers_find_although_no_field_is_indexed(
    client: redis.Redis, package: Any, base: str, key: type | None, index: bool
) -> None:
    body: dict[str, Any] = {"__module__": __name__, "__annotations__": {"text": str}}
    if key is not None:
        body |= {"id": Field(primary_key=True), "__annotations__": {"id": key, "text": str}}
    model: Any = types.new_class(
        "Plain", (getattr(package, base),), {"index": index}, lambda it: it.update(body)
    )
    keys = {} if key is None else {"id": uuid.UUID(int=7) if key is uuid.UUID else key(7)}
    document = model(text="a", **keys)

    async def save_and_find() -> None:
        await awaited(document.save())
        await awaited(package.Migrator().run())
        assert await awaited(model.find().all()) == [document]
        assert await awaited(model.find(model.pk == document.pk).count()) == 1

    asyncio.run(save_and_find())


def test_a_client_that_is_assigned_is_used(
    client: redis.Redis, own_server: Callable[..., EmbeddedServer]
) -> None:
    class Note(redstart.HashModel):
        text: str

    with redis.Redis.from_url(own_server().url) as other:
        migrator = redstart.Migrator()
        assert migrator.conn is None
        migrator.conn = other
        migrator.run()
        assert other.execute_command("FT._LIST") != []
    assert client.execute_command("FT._LIST") == []


def test_of_classes_with_one_index_the_last_has_it(client: redis.Redis) -> None:
    """As functions of tests declare them, one after the other: each run must leave the index of the last."""

    class Note(redstart.HashModel, index=True):
        value: str = Field(index=True)

        class Meta:
            model_key_prefix = "note"

    redstart.Migrator().run()

    class Counted(redstart.HashModel, index=True):
        value: int = Field(index=True)

        class Meta:
            model_key_prefix = "note"

    redstart.Migrator().run()
    assert serving(client, ":note:index")["value"] == "NUMERIC"
    before = writes(client)
    redstart.Migrator().run()
    assert writes(client) == before


def test_a_model_of_both_colours_is_one_model(client: redis.Redis) -> None:
    class Note(redstart.HashModel, index=True):
        text: str = Field(index=True)

        class Meta:
            model_key_prefix = "note"

    class AsyncNote(redstart.aio.HashModel, index=True):
        text: str = Field(index=True)

        class Meta(Note.Meta):
            pass

    class OtherNote(redstart.aio.HashModel, index=True):
        text: int = Field(index=True)

        class Meta(Note.Meta):
            pass

    assert [one.model for one in distinct(map(declare, (Note, AsyncNote)))] == [Note]
    assert [one.model for one in distinct(map(declare, (Note, OtherNote)))] == [Note, OtherNote]
