"""`Field(renamed_from=)`: programs that know the former name and programs that know the new one, side by side."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

import pytest
import redis
from pydantic import BaseModel, RootModel, computed_field
from pydantic.dataclasses import dataclass as pydantic_dataclass
from typing_extensions import TypedDict

import redstart
import redstart.aio
from redstart import EmbeddedJsonModel, Field, HashModel, JsonModel, RedisModelError, VectorFieldOptions
from redstart.values.types import Storage
from tests.documents.flavours import done
from tests.support.models import create_indexes
from tests.support.registry import models_of_before

__all__ = ["models_of_before"]

FLAVOURS = [
    pytest.param(package, storage, id=f"{package.__name__}-{storage.value}")
    for package in (redstart, redstart.aio)
    for storage in Storage
]


@dataclass
class Versions:
    """The model in the version before the rename, and in the one after it."""

    old: Any
    new: Any
    client: redis.Redis

    def store(self, pk: str, fields: dict[str, Any]) -> None:
        """Store a document as some program left it."""
        document = {"pk": pk, "rank": 1, **fields}
        key = self.new.make_primary_key(pk)
        if self.new._storage is Storage.HASH:
            self.client.hset(key, mapping={name: str(value) for name, value in document.items()})
        else:
            self.client.execute_command("JSON.SET", key, "$", json.dumps(document))

    def stored(self, pk: str) -> dict[str, Any]:
        """Return the stored fields of a document."""
        key = self.new.make_primary_key(pk)
        if self.new._storage is Storage.HASH:
            return {name.decode(): value.decode() for name, value in self.client.hgetall(key).items()}
        return json.loads(self.client.execute_command("JSON.GET", key))


def both_versions(package: Any, storage: Storage, client: redis.Redis) -> Versions:
    base = package.HashModel if storage is Storage.HASH else package.JsonModel

    def before() -> Any:
        class Note(base, index=True):
            name: str | None = Field(default="none", index=True)
            rank: int = Field(default=0, index=True, sortable=True)

            class Meta:
                model_key_prefix = "note"
                index_name = "note:old"

        return Note

    def after() -> Any:
        class Note(base, index=True):
            title: str | None = Field(default="none", index=True, renamed_from="name")
            rank: int = Field(default=0, index=True, sortable=True)

            class Meta:
                model_key_prefix = "note"
                index_name = "note:new"

        return Note

    old, new = before(), after()
    create_indexes(client, old, new)
    return Versions(old, new, client)


@pytest.fixture
def versions(package: Any, storage: Storage, client: redis.Redis, models_url: str) -> Versions:
    return both_versions(package, storage, client)


STORED = {
    "only the former name": ({"name": "a"}, "a"),
    "only the new name": ({"title": "b"}, "b"),
    "both": ({"name": "c", "title": "c"}, "c"),
    "the old version wrote last": ({"name": "d", "title": "c"}, "d"),
    "the old version wrote last, in the other order": ({"title": "c", "name": "d"}, "d"),
    "neither": ({}, "none"),
}


def title_in(found: Any) -> Any:
    return found["title"] if isinstance(found, dict) else found.title


READS = {
    "get": lambda model, pk: [model.get(pk)],
    "get_many": lambda model, pk: model.get_many([pk]),
    "find": lambda model, _: model.find(),
    "all": lambda model, _: model.find(model.rank == 1).all(),
    "first": lambda model, _: [model.find(model.rank == 1).first()],
    "page": lambda model, _: model.find().sort_by("-rank").page(0, 5),
    "values": lambda model, _: model.find().values("title").all(),
    "values of two": lambda model, _: model.find().values("rank", "title").all(),
    "values of all": lambda model, _: model.find().values().all(),
    "only": lambda model, _: model.find().only("title").all(),
}


@pytest.mark.parametrize(("package", "storage"), FLAVOURS)
@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("state", STORED)
def test_each_way_to_read_gives_the_last_write(versions: Versions, read: str, state: str) -> None:
    fields, expected = STORED[state]
    versions.store("n1", fields)
    step = READS[read](versions.new, "n1")
    found = [done(one) for one in step] if isinstance(step, list) else done(step)
    assert list(map(title_in, found)) == [expected]
    assert not any(hasattr(one, "name") for one in found)


@pytest.mark.parametrize(("package", "storage"), FLAVOURS)
def test_a_reply_of_the_server_is_read_alike(versions: Versions) -> None:
    for number, (fields, _) in enumerate(STORED.values()):
        versions.store(f"n{number}", fields)
    for query in (versions.new.find(), versions.new.find().values("title")):
        arguments = query.get_query() if hasattr(query, "get_query") else ()
        assert "RETURN" not in list(map(str, arguments))
    reply = versions.client.execute_command("FT.SEARCH", "note:new", "*", "SORTBY", "pk", "LIMIT", 0, 10)
    found = versions.new.from_redis(reply) if hasattr(versions.new, "from_redis") else []
    assert [one.title for one in found] in ([], [expected for _, expected in STORED.values()])


def piped(model: Any, document: Any) -> None:
    pipeline = model.db().pipeline()
    done(document.save(pipeline=pipeline))
    done(pipeline.execute())


def changed(model: Any, title: Any) -> Any:
    document = done(model.get("n1"))
    document.title = title
    return document


WRITES = {
    "save": lambda model, title: done(changed(model, title).save()),
    "save of a new object": lambda model, title: done(model(pk="n1", title=title, rank=1).save()),
    "save on a pipeline": lambda model, title: piped(model, changed(model, title)),
    "add": lambda model, title: done(model.add([model(pk="n1", title=title, rank=1)])),
    "update": lambda model, title: done(done(model.get("n1")).update(title=title)),
    "find().update()": lambda model, title: done(model.find(model.rank == 1).update(title=title)),
    "find().update() in a transaction": lambda model, title: done(
        model.find(model.rank == 1).update(title=title, use_transaction=True)
    ),
}


@pytest.mark.parametrize(("package", "storage"), FLAVOURS)
@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("value", ["new", None])
@pytest.mark.parametrize("state", [*STORED, "no document"])
def test_each_way_to_write_is_read_by_both_versions(
    versions: Versions, write: str, value: str | None, state: str
) -> None:
    if state != "no document":
        versions.store("n1", STORED[state][0])
    elif write not in ("save of a new object", "add"):
        pytest.skip("it needs a document")
    WRITES[write](versions.new, value)
    stored = versions.stored("n1")
    assert stored.get("name") == stored.get("title") == value
    assert ("name" in stored) == ("title" in stored)
    if versions.new._storage is Storage.HASH and value is None:
        assert "name" not in stored
        value = "none"  # a hash stores None by leaving the field out
    expected = (value, value)
    assert (done(versions.old.get("n1")).name, done(versions.new.get("n1")).title) == expected
    done(done(versions.old.get("n1")).update(name="old"))
    assert (done(versions.old.get("n1")).name, done(versions.new.get("n1")).title) == ("old", "old")


@pytest.mark.parametrize(("package", "storage"), FLAVOURS)
def test_an_update_of_another_field_leaves_both_names_as_they_are(versions: Versions) -> None:
    versions.store("n1", {"name": "d", "title": "c"})
    done(done(versions.new.get("n1")).update(rank=5))
    stored = versions.stored("n1")
    assert (stored["name"], stored["title"], int(stored["rank"])) == ("d", "c", 5)


@pytest.mark.parametrize(("package", "storage"), FLAVOURS)
def test_queries_find_documents_by_the_new_name_only(versions: Versions) -> None:
    versions.store("n1", {"name": "a"})
    done(versions.new(pk="n2", title="a").save())
    model = versions.new
    assert [one.pk for one in done(model.find(model.title == "a").all())] == ["n2"]
    assert "name" not in model.redisearch_schema()
    assert "title" in model.redisearch_schema()
    assert "renamed_from" not in json.dumps(model.model_json_schema())
    assert "name" not in model.model_json_schema()["properties"]
