"""`Field(renamed_from=)`: programs that know the former name and programs that know the new one, side by side."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

import pytest
import redis
from pydantic import BaseModel, ConfigDict, RootModel, computed_field
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


@pytest.mark.sample(37)
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
        assert "RETURN" not in list(map(str, done(query.get_query())))
    reply = versions.client.execute_command("FT.SEARCH", "note:new", "*", "SORTBY", "pk", "LIMIT", 0, 10)
    assert [one.title for one in versions.new.from_redis(reply)] == [value for _, value in STORED.values()]


def test_a_reply_with_hashes_that_lack_the_primary_key_is_whole_with_one_of_the_names(
    client: redis.Redis, models_url: str
) -> None:
    versions = both_versions(redstart, Storage.HASH, client)
    client.hset(versions.new.make_primary_key("n1"), mapping={"name": "a", "rank": 1})
    reply = client.execute_command("FT.SEARCH", "note:new", "*")
    assert [one.title for one in versions.new.from_redis(reply)] == ["a"]


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


CREATING = ("save of a new object", "add")
"""Writes that need no document."""


@pytest.mark.sample(25)
@pytest.mark.parametrize(("package", "storage"), FLAVOURS)
@pytest.mark.parametrize("value", ["new", None])
@pytest.mark.parametrize(
    ("write", "state"),
    [*((write, state) for write in WRITES for state in STORED), *((one, "no document") for one in CREATING)],
)
def test_each_way_to_write_is_read_by_both_versions(
    versions: Versions, write: str, value: str | None, state: str
) -> None:
    if state != "no document":
        versions.store("n1", STORED[state][0])
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


class OldCode(HashModel):
    user: str = Field(primary_key=True)
    number: str | None = Field(default=None, expire=300)

    class Meta:
        model_key_prefix = "code"


class NewCode(HashModel):
    login: str = Field(primary_key=True, renamed_from="user")
    digits: str | None = Field(default=None, expire=300, renamed_from="number")

    class Meta:
        model_key_prefix = "code"


def test_both_names_expire_together(client: redis.Redis, models_url: str) -> None:
    def expiries(key: str) -> list[int]:
        return client.httl(key, "number", "digits")

    code = NewCode(login="ann", digits="1").save()
    key = code.key()
    assert expiries(key) == [300, 300]
    code.save(field_expirations={"digits": 60})
    assert expiries(key) == [60, 60]
    code.update(digits="2")
    assert expiries(key) == [60, 60]
    assert code.persist_field("digits") == 1
    assert expiries(key) == [-1, -1]
    assert code.expire_field("digits", timedelta(seconds=20)) == 1
    assert expiries(key) == [20, 20]
    assert code.field_ttl("digits") == 20
    assert OldCode.get("ann").field_ttl("number") == 20
    # One that only the old version has written.
    OldCode(user="bob", number="7").save()
    bob = NewCode.get("bob")
    assert (bob.login, bob.digits, bob.field_ttl("digits")) == ("bob", "7", 300)
    assert bob.expire_field("digits", 30) == 1
    assert OldCode.get("bob").field_ttl("number") == 30
    assert bob.persist_field("digits") == 1
    assert NewCode(login="eve").field_ttl("digits") == -2


def test_the_primary_key_field_can_be_renamed(client: redis.Redis, models_url: str) -> None:
    OldCode(user="ann", number="1").save()
    assert NewCode.get("ann").pk == "ann"
    NewCode(login="bob").save()
    assert client.hgetall(NewCode.make_primary_key("bob")) == {b"user": b"bob", b"login": b"bob"}
    assert OldCode.get("bob").pk == "bob"


class Values(JsonModel):
    at: datetime = Field(renamed_from="at_old")
    day: date = Field(renamed_from="day_old")
    price: Decimal = Field(renamed_from="price_old")
    data: bytes = Field(renamed_from="data_old")
    span: timedelta = Field(renamed_from="span_old")
    number: float = Field(renamed_from="number_old")
    vector: list[float] = Field(
        renamed_from="vector_old",
        vector_options=VectorFieldOptions.flat(
            VectorFieldOptions.TYPE.FLOAT32, 2, VectorFieldOptions.DISTANCE_METRIC.L2
        ),
    )


class HashValues(HashModel):
    at: datetime = Field(renamed_from="at_old")
    day: date = Field(renamed_from="day_old")
    price: Decimal = Field(renamed_from="price_old")
    data: bytes = Field(renamed_from="data_old")
    span: timedelta = Field(renamed_from="span_old")
    number: float = Field(renamed_from="number_old")
    vector: list[float] = Field(
        renamed_from="vector_old",
        vector_options=VectorFieldOptions.flat(
            VectorFieldOptions.TYPE.FLOAT32, 2, VectorFieldOptions.DISTANCE_METRIC.L2
        ),
    )

    class Meta:
        encoding = "utf-16"


@pytest.mark.parametrize("model", [Values, HashValues])
def test_the_former_name_has_the_same_stored_bytes(model: Any, client: redis.Redis, models_url: str) -> None:
    names = [name for name in model.model_fields if name != "pk"]
    given = {
        "at": datetime(2024, 5, 1, 12, tzinfo=UTC),
        "day": date(2024, 5, 1),
        "price": Decimal("1.50"),
        "data": b"\x00\xff",
        "span": timedelta(seconds=1.5),
        "number": 1e300,
        "vector": [1.0, 2.5],
    }
    document = model(**given).save()
    encoding = model._meta.encoding
    for name in names:
        if model is HashValues:
            stored = [client.hget(document.key(), one.encode(encoding)) for one in (name, f"{name}_old")]
            client.hdel(document.key(), name.encode(encoding))
        else:
            stored = [
                client.execute_command("JSON.GET", document.key(), f"$.{one}")
                for one in (name, f"{name}_old")
            ]
            client.execute_command("JSON.DEL", document.key(), f"$.{name}")
        assert stored[0] == stored[1] != None  # noqa: E711 - both, and not missing
    assert model.get(document.pk) == document


class OldPart(EmbeddedJsonModel):
    town: str = ""
    other: int = 0


class Town(EmbeddedJsonModel):
    city: str = Field(default="", renamed_from="town")
    other: int = 0


class Node(EmbeddedJsonModel):
    label: str = Field(default="", renamed_from="text")
    children: list["Node"] = Field(default_factory=list)


class Towns(RootModel[list[Town]]):
    pass


@pydantic_dataclass
class Box:
    size: int = Field(default=0, renamed_from="width")


class Tag(TypedDict):
    word: Annotated[str, Field(renamed_from="text")]


class Plain(BaseModel):
    city: str = Field(default="", renamed_from="town")


class Trip(JsonModel):
    start: Town = Field(default=Town(), renamed_from="origin")
    stops: list[Town] = Field(default_factory=list)
    by_day: dict[str, Town] = Field(default_factory=dict)
    pair: tuple[Town, int] | None = None
    root: Towns = Towns([])
    tree: Node = Node()
    box: Box = Box()
    tags: list[Tag] = Field(default_factory=list)
    plain: Plain | None = None
    either: Town | int | None = None


NEW_TRIP: dict[str, Any] = {
    "pk": "t",
    "start": {"city": "a", "other": 0},
    "stops": [{"city": "b", "other": 0}, {"city": "c", "other": 1}],
    "by_day": {"town": {"city": "d", "other": 0}},
    "pair": [{"city": "e", "other": 0}, 3],
    "root": [{"city": "f", "other": 0}],
    "tree": {"label": "g", "children": [{"label": "h", "children": []}]},
    "box": {"size": 5},
    "tags": [{"word": "i"}],
    "plain": {"city": "j"},
    "either": {"city": "k", "other": 0},
}
FORMER = {"city": "town", "label": "text", "size": "width", "word": "text", "start": "origin"}
"""Former names; none of them is a key of a map above, whose keys are no names of fields, except `town`."""


def renamed_to(value: Any, *, both: bool) -> Any:
    if isinstance(value, list):
        return [renamed_to(one, both=both) for one in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for name, one in value.items():
        inner = renamed_to(one, both=both)
        if name not in FORMER or both:
            found[name] = inner
        if name in FORMER:
            found[FORMER[name]] = inner
    return found


def test_fields_of_embedded_models_are_read_and_written_under_both_names(
    client: redis.Redis, models_url: str
) -> None:
    key = Trip.make_primary_key("t")
    expected = Trip.model_validate(NEW_TRIP)
    client.execute_command("JSON.SET", key, "$", json.dumps(renamed_to(NEW_TRIP, both=False)))
    assert Trip.get("t") == expected
    expected.save()
    assert json.loads(client.execute_command("JSON.GET", key)) == renamed_to(NEW_TRIP, both=True)
    assert Trip.get("t") == expected
    found = Trip.get("t")
    found.update(start__city="z", tree__label="y")
    stored = json.loads(client.execute_command("JSON.GET", key))
    assert [stored[one] for one in ("start", "origin")] == [{"city": "z", "town": "z", "other": 0}] * 2
    assert (stored["tree"]["label"], stored["tree"]["text"]) == ("y", "y")
    assert Trip.get("t") == found


def test_an_update_inside_a_renamed_embedded_model_reaches_both_places(
    client: redis.Redis, models_url: str
) -> None:
    key = Trip.make_primary_key("t")
    old = {"pk": "t", "origin": {"town": "a", "other": 4}}
    client.execute_command("JSON.SET", key, "$", json.dumps(old))
    Trip.get("t").update(start__city="b")
    stored = json.loads(client.execute_command("JSON.GET", key))
    assert stored["origin"] == stored["start"] == {"town": "b", "city": "b", "other": 4}
    assert Trip.get("t").start == Town(city="b", other=4)


def test_values_of_the_user_stay_as_they_are(models_url: str, client: redis.Redis) -> None:
    trip = Trip.model_validate(NEW_TRIP)
    before = trip.model_copy(deep=True)
    trip.save()
    assert trip == before
    assert trip.tags == [{"word": "i"}]


def test_undeclared_fields_of_a_model_that_keeps_them(client: redis.Redis, models_url: str) -> None:
    class Kept(HashModel):
        title: str | None = Field(default=None, renamed_from="name")

        class Meta:
            model_key_prefix = "kept"

        model_config = ConfigDict(extra="allow")

    client.hset(Kept.make_primary_key("k"), mapping={"pk": "k", "name": "a", "more": "m"})
    kept = Kept.get("k")
    assert (kept.title, kept.model_extra) == ("a", {"more": "m"})
    Kept(pk="k", title="b", name=None).save()
    assert client.hmget(kept.key(), "title", "name", "more") == [b"b", b"b", b"m"]


def refused(declare: Any) -> str:
    with pytest.raises(RedisModelError) as raised:
        declare()
    assert "renamed_from" in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("base", [HashModel, JsonModel, EmbeddedJsonModel])
def test_former_names_that_are_not_possible(base: Any) -> None:
    def another_field() -> None:
        class Wrong(base):
            title: str = Field(renamed_from="note")
            note: str = ""

    def itself() -> None:
        class Wrong(base):
            title: str = Field(renamed_from="title")

    def an_alias() -> None:
        class Wrong(base):
            title: str = Field(renamed_from="n")
            note: str = Field(default="", alias="n")

    def default_key() -> None:
        class Wrong(base):
            title: str = Field(renamed_from="pk")

    def own_key() -> None:
        class Wrong(base):
            number: int = Field(primary_key=True)
            title: str = Field(renamed_from="number")

    def shared() -> None:
        class Wrong(base):
            title: str = Field(renamed_from="name")
            label: str = Field(renamed_from="name")

    def computed() -> None:
        class Wrong(base):
            title: str = Field(renamed_from="name")

            @computed_field
            @property
            def name(self) -> str:
                return self.title

    def inherited() -> None:
        class Base(base):
            name: str = ""

        class Wrong(Base):
            title: str = Field(renamed_from="name")

    def empty() -> None:
        class Wrong(base):
            title: str = Field(renamed_from="")

    def no_text() -> None:
        class Wrong(base):
            title: str = Field(renamed_from=3)

    assert "it is the name of a field" in refused(another_field)
    assert "it is the name of a field" in refused(itself)
    assert "it is an alias of note" in refused(an_alias)
    assert "it is the primary key" in refused(default_key)
    assert "it is the primary key" in refused(own_key)
    assert "has it, too" in refused(shared)
    assert "it is the name of a computed field" in refused(computed)
    assert "it is the name of a field" in refused(inherited)
    assert "it is not the name of a field" in refused(empty)
    assert "it is not the name of a field" in refused(no_text)


def test_former_names_inside_are_checked_with_the_model() -> None:
    def in_a_plain_model() -> None:
        class Inner(BaseModel):
            title: str = Field(renamed_from="note")
            note: str = ""

        class Wrong(JsonModel):
            inner: list[Inner]

    def ambiguous() -> None:
        class Wrong(JsonModel):
            inner: Town | OldPart

    assert "it is the name of a field" in refused(in_a_plain_model)
    assert "OldPart, which may be stored in the same place, has a field 'town'" in refused(ambiguous)


def test_its_own_alias_may_be_the_former_name(client: redis.Redis, models_url: str) -> None:
    class Aliased(JsonModel):
        title: str = Field(alias="name", renamed_from="name")

    key = Aliased.make_primary_key("a")
    client.execute_command("JSON.SET", key, "$", '{"pk":"a","name":"x","title":"y"}')
    assert Aliased.get("a").title == "x"
    Aliased(pk="a", name="z").save()
    assert json.loads(client.execute_command("JSON.GET", key)) == {"pk": "a", "title": "z", "name": "z"}
