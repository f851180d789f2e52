"""What a save writes under conditions, on pipelines and for many at once; and what it does not."""

import asyncio
import json
from typing import Any

import pydantic
import pytest
import redis
import redis.asyncio
from pydantic import ConfigDict

import redstart.aio
from redstart import HashModel
from redstart.documents.save import save_document
from redstart.documents.write_requests import Saving
from redstart.effects import Call
from redstart.errors import CommandError, QuerySyntaxError, UnsupportedServerError, WrongKeyTypeError
from redstart.values.timezones import NaiveTimezone
from tests.documents.visits import Box, Visit

UTC_ZONE = NaiveTimezone.parse("UTC")
MINUTE = 60_000


class AsyncVisit(redstart.aio.RedisModel, Visit):
    """As its base in the other colour."""


class AsyncBox(redstart.aio.RedisModel, Box):
    """As its base in the other colour."""


pytestmark = pytest.mark.usefixtures("models_url")


def lifetimes(client: redis.Redis, document: HashModel, *fields: str) -> list[int]:
    found = client.execute_command("HPTTL", document.key(), "FIELDS", len(fields), *fields)
    return [int(milliseconds) for milliseconds in found]


@pytest.mark.parametrize("document", [Visit(visitor="a", note="new"), Box(number=1, note="new")])
def test_conditions(client: redis.Redis, document: Visit | Box) -> None:
    model = type(document)
    assert document.save(xx=True) is None
    assert client.dbsize() == 0
    assert document.save(nx=True) is document
    document.note = "newer"
    assert document.save(nx=True) is None
    assert model.get(document.pk).note == "new"
    assert document.save(xx=True) is document
    assert model.get(document.pk).note == "newer"
    with pytest.raises(ValueError, match="nx or xx, not both"):
        document.save(nx=True, xx=True)


def test_a_condition_is_checked_in_the_step_that_writes(client: redis.Redis) -> None:
    """One of many wins, and only one."""

    async def work() -> int:
        tries = [
            AsyncBox.model_construct(number=number % 5, note=str(number)).save(nx=True)
            for number in range(100)
        ]
        tries += [
            AsyncVisit.model_construct(visitor=str(number % 5), note=str(number)).save(nx=True)
            for number in range(100)
        ]
        return sum(document is not None for document in await asyncio.gather(*tries))

    assert asyncio.run(work()) == 10


def test_a_conditional_save_is_not_sent_again(models_url: str) -> None:
    """Its answer would be that the document is there already: by itself."""
    for document in (Visit(visitor="a"), Box(number=1)):
        for name, repeatable in (("nx", False), ("xx", True), (None, True)):
            saving = Saving.of(nx=name == "nx", xx=name == "xx")
            request = next(save_document(document, UTC_ZONE, saving))
            assert isinstance(request, Call)
            assert request.repeatable is repeatable


@pytest.mark.parametrize("transaction", [True, False])
def test_a_pipeline_is_only_filled(client: redis.Redis, transaction: bool) -> None:
    visit, box = Visit(visitor="a", code="x", note="1"), Box(number=1, note="é")
    pipeline = client.pipeline(transaction=transaction)
    assert visit.save(pipeline=pipeline) is visit
    assert box.save(pipeline, nx=True) is box
    box.note = "not this"
    assert box.save(pipeline, nx=True) is box
    assert client.dbsize() == 0
    first, second, third = pipeline.execute()
    assert (first, second, third) == (1, True, None)
    # Of this pipeline alone: the replies of its client are as they were.
    assert client.execute_command("JSON.SET", "other", "$", "1") == b"OK"
    client.delete("other")
    assert Visit.get("a") == visit
    assert Box.get(1).note == "é"
    # As without a pipeline: None clears, and the time that a field has left goes on.
    client.execute_command("HPEXPIRE", visit.key(), MINUTE, "FIELDS", 1, "code")
    visit.note = None
    visit.save(pipeline=pipeline)
    pipeline.execute()
    assert client.hgetall(visit.key()) == {b"visitor": b"a", b"code": b"x"}
    assert 0 < lifetimes(client, visit, "code")[0] <= MINUTE


def test_a_pipeline_that_watches_is_only_filled_too(client: redis.Redis) -> None:
    with client.pipeline() as pipeline:
        pipeline.watch(":box:1")
        Box(number=1).save(pipeline)
        Box.delete(2, pipeline)
        Box(number=3).expire(5, pipeline)
        Box.add([Box(number=4)], pipeline)
        Box.delete_many([Box(number=5)], pipeline)
        assert client.dbsize() == 0
        pipeline.execute()
    assert client.dbsize() == 2


def test_a_pipeline_of_asyncio(url: str, client: redis.Redis) -> None:
    async def work() -> list[Any]:
        async with redis.asyncio.Redis.from_url(url) as server, server.pipeline() as pipeline:
            visit = AsyncVisit(visitor="a", note="1")
            assert await visit.save(pipeline=pipeline) is visit
            boxes = [AsyncBox(number=1), AsyncBox(number=2)]
            assert await AsyncBox.add(boxes, pipeline=pipeline) is boxes
            assert await AsyncBox.delete(9, pipeline) is pipeline
            assert await AsyncBox.delete_many(boxes[1:], pipeline) == 1
            await visit.expire(60, pipeline)
            assert client.dbsize() == 0
            return list(await pipeline.execute())

    answers = asyncio.run(work())
    assert answers == [1, True, True, 0, 1, True]
    assert sorted(client.scan_iter()) == sorted(
        [AsyncVisit.make_key("a").encode(), AsyncBox.make_key("1").encode()]
    )


def test_hashes_take_no_condition_on_a_pipeline(client: redis.Redis) -> None:
    for condition in ({"nx": True}, {"xx": True}):
        with pytest.raises(ValueError, match="does not accept nx or xx with a pipeline"):
            Visit(visitor="a").save(pipeline=client.pipeline(), **condition)  # type: ignore[call-overload]  # the point of the test


def test_nothing_is_queued_for_what_cannot_be_stored(client: redis.Redis) -> None:
    pipeline = client.pipeline()
    visit = Visit(visitor="a")
    visit.note = 5  # type: ignore[assignment]  # the point of the test
    with pytest.raises(pydantic.ValidationError):
        visit.save(pipeline)
    assert len(pipeline) == 0


def test_lifetimes_given_with_a_save(client: redis.Redis) -> None:
    visit = Visit(visitor="a", code="x", note="n").save(field_expirations={"note": 60})
    code, note, visitor = lifetimes(client, visit, "code", "note", "visitor")
    assert (999 * 1000 < code <= 1000 * 1000, 59_000 < note <= MINUTE, visitor) == (True, True, -1)
    # What is said with a save counts from that on, the default only once.
    visit.save(field_expirations={"note": 500})
    assert lifetimes(client, visit, "note")[0] > 499_000
    visit.save(field_expirations={"code": 5})
    assert 4_000 < lifetimes(client, visit, "code")[0] <= 5_000
    visit.save()
    assert lifetimes(client, visit, "code")[0] <= 5_000
    # A field without a value has nothing to expire.
    visit.note = None
    visit.save(field_expirations={"note": 60})
    assert lifetimes(client, visit, "note") == [-2]
    visit.note = "back"
    pipeline = client.pipeline()
    visit.save(pipeline, field_expirations={"note": 60})
    pipeline.execute()
    assert 59_000 < lifetimes(client, visit, "note")[0] <= MINUTE
    with pytest.raises(QuerySyntaxError, match=r"Visit has no field 'nope'"):
        visit.save(field_expirations={"nope": 1})


class Wide(HashModel):
    """A hash with fields that the model does not declare, as many as there are."""

    model_config = ConfigDict(extra="allow")

    note: str | None = None

    class Meta:
        model_key_prefix = "wide"


FIELDS = 9_000
"""Lua passes at most 8,000 arguments to a command."""


@pytest.mark.parametrize("count", [999, 1_000, 1_001, 3_990, 4_100, FIELDS])
def test_any_number_of_fields_can_be_saved(client: redis.Redis, count: int) -> None:
    values = {f"f{number}": str(number) for number in range(count)}
    wide = Wide(pk="w", note="n", **values)
    stored = {b"pk": b"w", b"note": b"n"} | {name.encode(): value.encode() for name, value in values.items()}
    for save in (wide.save, wide.save, lambda: Wide.add([wide]), lambda: wide.save(xx=True)):
        save()
        assert client.hgetall(wide.key()) == stored
    assert Wide.get("w") == wide
    wide.update(note="new")
    assert client.hget(wide.key(), "note") == b"new"
    with redis.Redis(connection_pool=client.connection_pool).pipeline() as pipeline:
        wide.save(pipeline=pipeline)
        pipeline.execute()
    without = Wide(pk="w", **dict.fromkeys(values))
    without.save()
    assert client.hgetall(wide.key()) == {b"pk": b"w"}


@pytest.mark.parametrize("lacking", ["", "-hsetex", "-hsetex -hpexpiretime"])
def test_so_they_are_by_any_command_and_keep_their_expiries(
    client: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    client.acl_setuser("old", enabled=True, nopass=True, keys="*", commands=["+@all", *lacking.split()])
    try:
        monkeypatch.setattr(Wide._meta, "database", redis.Redis.from_url(url, username="old", password=""))
        values = {f"f{number}": str(number) for number in range(FIELDS)}
        wide = Wide(pk="w", **values).save()
        expiring = ["f0", "f4500", f"f{FIELDS - 1}"]
        client.execute_command("HPEXPIREAT", wide.key(), 4_102_444_800_001, "FIELDS", 3, *expiring)
        wide.save()
        assert client.hlen(wide.key()) == FIELDS + 1
        kept = client.execute_command("HPEXPIRETIME", wide.key(), "FIELDS", 3, *expiring)
        assert kept == [-1 if "hpexpiretime" in lacking else 4_102_444_800_001] * 3
        client.set(":wide:b", "a string")
        with pytest.raises(WrongKeyTypeError):
            Wide(pk="b", **values).save()
    finally:
        client.acl_deluser("old")


@pytest.mark.parametrize("lacking", ["-hsetex", "-hsetex -hpexpiretime"])
def test_a_server_without_hsetex(
    client: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    """As Redis 7.4, and as Redis 7.2, which knows of no fields that expire: a user who may not use the commands."""
    client.acl_setuser("old", enabled=True, nopass=True, keys="*", commands=["+@all", *lacking.split()])
    try:
        monkeypatch.setattr(Visit._meta, "database", redis.Redis.from_url(url, username="old", password=""))
        visit = Visit(visitor="a", note="n").save()
        client.execute_command("HPEXPIREAT", visit.key(), 4_102_444_800_001, "FIELDS", 1, "note")
        assert visit.save(xx=True) is visit
        kept = client.execute_command("HPEXPIRETIME", visit.key(), "FIELDS", 1, "note")
        assert kept == [-1 if "hpexpiretime" in lacking else 4_102_444_800_001]
        visit.note = None
        visit.save()
        assert client.hgetall(visit.key()) == {b"visitor": b"a"}
        visit.code = "expires"
        if "hpexpiretime" in lacking:
            with pytest.raises(CommandError, match=r"HPEXPIRETIME|permission"):
                visit.save()
            assert client.hgetall(visit.key()) == {b"visitor": b"a"}
        else:
            visit.save()
            assert 999_000 < lifetimes(client, visit, "code")[0] <= 1_000_000
        client.set(":visit:b", "a string")
        with pytest.raises(WrongKeyTypeError):
            Visit(visitor="b").save()
    finally:
        client.acl_deluser("old")


def test_a_server_without_field_expiry_raises_an_error() -> None:
    saving = save_document(Visit(visitor="a", code="x"), UTC_ZONE)
    next(saving)
    with pytest.raises(UnsupportedServerError, match=r"Redis 7\.4"):
        saving.throw(CommandError("ERR Unknown Redis command called from script script: c0ffee"))


def test_deleting_many(client: redis.Redis) -> None:
    visits = [Visit(visitor=str(number)) for number in range(2_100)]
    Visit.add(visits)
    client.set("other", "kept")
    assert Visit.delete_many(visits[5:]) == 2_095
    assert client.dbsize() == 6
    assert Visit.delete_many(visits) == 2_100
    assert Visit.delete_many([]) == 0
    pipeline = client.pipeline()
    assert Visit.delete_many([], pipeline) == 0
    assert len(pipeline) == 0
    assert list(client.scan_iter()) == [b"other"]


def test_json_is_replaced_as_a_whole(client: redis.Redis) -> None:
    client.execute_command("JSON.SET", ":box:1", "$", '{"number":1,"of_another_program":2}')
    Box(number=1).save(xx=True)
    assert json.loads(client.execute_command("JSON.GET", ":box:1")) == {"number": 1, "note": None}
