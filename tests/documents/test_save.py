"""Many documents saved together: each as a save of it alone leaves it, whatever is there already."""

from collections.abc import Callable
from typing import Any

import pydantic
import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SerializerFunctionWrapHandler, model_serializer

from redstart import Field, HashModel, JsonModel
from redstart.documents import save as save_module
from redstart.documents.save import PAGE_DOCUMENTS, add_documents, verify_pipeline_response
from redstart.effects import Batch, Op, Pending, Request, SendAhead
from redstart.errors import (
    CommandError,
    ConfigurationError,
    DocumentEncodeError,
    PipelineError,
    WrongKeyTypeError,
)
from redstart.server.clients import open_sync
from redstart.values.timezones import NaiveTimezone
from tests.documents.visits import Box, Visit
from tests.support.crash_driver import CrashDriver
from tests.support.stepping import performed_by

UTC_ZONE = NaiveTimezone.parse("UTC")


pytestmark = pytest.mark.usefixtures("models_url")


def new_visit(number: int) -> Visit:
    return Visit(visitor=str(number))


@pytest.mark.parametrize("count", [0, 1, PAGE_DOCUMENTS, 2 * PAGE_DOCUMENTS + 1])
def test_many_are_saved(client: redis.Redis, count: int) -> None:
    client.script_flush()
    visits = [Visit(visitor=str(number), note=None if number % 2 else "n") for number in range(count)]
    boxes = [Box(number=number, note="b") for number in range(count)]
    assert Visit.add(visits) is visits
    assert Box.add(boxes) is boxes
    assert client.dbsize() == 2 * count
    assert Visit.get_many([visit.visitor for visit in visits]) == visits
    assert Box.get_many(range(count), batch_size=100) == boxes


def test_scripts_forgotten_in_between_do_not_matter(client: redis.Redis, models_url: str) -> None:
    visits = [Visit(visitor=str(number), code="expires") for number in range(PAGE_DOCUMENTS + 2)]

    forgotten: list[str] = []

    def forgetting(request: Request) -> Op[Any]:
        """As if somebody had the server forget them while it was in the middle of the first page."""
        reply = yield request
        if isinstance(request, Pending) and not forgotten:
            client.script_flush()
            assert client.delete(visits[1].key()) == 1
            reply[1] = CommandError("NOSCRIPT No matching script.")
            forgotten.append(visits[1].key())
        return reply

    with CrashDriver(models_url) as driver:
        driver.run(performed_by(add_documents(visits, UTC_ZONE, None), forgetting))
        assert "EVAL save_hash" in driver.names, "what was forgotten is sent again"
    assert client.dbsize() == len(visits)


def test_several_models_at_once(client: redis.Redis) -> None:
    client.script_flush()
    JsonModel.add([Box(number=1), Visit(visitor="a"), Visit(visitor="b")])
    assert client.dbsize() == 3


def test_documents_of_another_server_are_not_put_on_this_one(client: redis.Redis, models_url: str) -> None:
    class Elsewhere(HashModel):
        class Meta:
            model_key_prefix = "elsewhere"
            database = redis.Redis.from_url(models_url, db=1)

    class SameServer(HashModel):
        class Meta:
            model_key_prefix = "same"
            database = redis.Redis.from_url(models_url)

    elsewhere, here = Elsewhere().save(), SameServer()
    for together in (HashModel.add, HashModel.delete_many):
        with pytest.raises(ConfigurationError, match="one call cannot use both servers"):
            together([here, elsewhere])
    assert client.dbsize() == 0
    assert Elsewhere.get(elsewhere.pk) == elsewhere
    HashModel.add([here])
    assert SameServer.get(here.pk) == here


def test_nothing_is_sent_unless_all_are_valid(client: redis.Redis) -> None:
    wrong = Visit(visitor="b")
    wrong.note = 5  # type: ignore[assignment]  # the point of the test
    with pytest.raises(pydantic.ValidationError):
        Visit.add([*map(new_visit, range(2 * PAGE_DOCUMENTS)), wrong])
    assert client.dbsize() == 0


def test_one_that_cannot_be_stored_stops_its_page(client: redis.Redis) -> None:
    wrong = Visit(visitor="wrong", note="\ud800")
    with pytest.raises(DocumentEncodeError, match="visit:wrong: note cannot be stored"):
        Visit.add([*map(new_visit, range(PAGE_DOCUMENTS)), new_visit(PAGE_DOCUMENTS), wrong])
    Visit.add([new_visit(PAGE_DOCUMENTS)])
    assert client.dbsize() == PAGE_DOCUMENTS + 1, "the page before, and the one that was saved now"


def test_one_that_is_refused_does_not_keep_the_others_back(client: redis.Redis) -> None:
    client.set(":visit:b", "a string")
    with pytest.raises(WrongKeyTypeError, match="The key :visit:b is not of type hash"):
        Visit.add([Visit(visitor=name) for name in "abc"])
    assert client.exists(":visit:a", ":visit:c") == 2
    assert client.get(":visit:b") == b"a string"


def test_a_verifier_has_all_replies_and_hides_no_error(client: redis.Redis) -> None:
    found: list[Any] = []

    def verify(answers: list[Any], expected_responses: int) -> None:
        found.append((answers, expected_responses))

    client.set(":visit:b", "a string")
    with pytest.raises(WrongKeyTypeError, match="The key :visit:b is not of type hash"):
        Visit.add([Visit(visitor="a"), Visit(visitor="b")], pipeline_verifier=verify)
    ((answers, expected),) = found
    assert expected == 2
    assert answers[0] == 1
    assert isinstance(answers[1], CommandError)


def test_the_verifier_of_redis_om_counts_replies_and_hides_no_error(client: redis.Redis) -> None:
    verify_pipeline_response([1, 1], expected_responses=2)
    with pytest.raises(PipelineError, match="returned 1 replies; expected 3"):
        verify_pipeline_response([1], expected_responses=3)
    client.set(":visit:b", "a string")
    with pytest.raises(WrongKeyTypeError, match="The key :visit:b is not of type hash"):
        Visit.add([Visit(visitor="a"), Visit(visitor="b")], pipeline_verifier=verify_pipeline_response)


class Unnamed(HashModel):
    """Its key is not among its fields, so a hash of it may have any of them."""

    name: str = Field(primary_key=True)
    note: str | None = None
    room: str | None = None

    @model_serializer(mode="wrap")
    def without_name(self, serialized: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in serialized(self).items() if name != "name"}

    class Meta:
        model_key_prefix = "unnamed"


@pytest.mark.parametrize("apart", [0, PAGE_DOCUMENTS])
def test_the_last_of_several_with_one_key_counts(client: redis.Redis, apart: int) -> None:
    between = [Unnamed(name=str(number), note="n") for number in range(apart)]
    Unnamed.add([Unnamed(name="a", note="first"), *between, Unnamed(name="a", room="last")])
    assert client.hgetall(":unnamed:a") == {b"room": b"last"}


@pytest.mark.parametrize("at", range(4))
@pytest.mark.parametrize("page_documents", [1, 2])
def test_the_last_of_several_counts_where_another_client_deletes_the_previous_one(
    client: redis.Redis, models_url: str, monkeypatch: pytest.MonkeyPatch, page_documents: int, at: int
) -> None:
    """A command for new documents that was refused is sent again as a script, but not after a later one."""
    monkeypatch.setattr(save_module, "PAGE_DOCUMENTS", page_documents)
    put(client, "a", {"name": False})

    def delete_it(_: str) -> None:
        if len(driver.names) - 1 == at:
            client.delete(":guest:a")

    driver = CrashDriver(models_url, before=delete_it)
    driver.run(add_documents([Guest(name="a", note="first"), Guest(name="a", note="last")], UTC_ZONE, None))
    assert client.hgetall(":guest:a") == {b"name": b"a", b"note": b"last"}


class Guest(HashModel):
    name: str = Field(primary_key=True)
    note: str | None = None
    room: str | None = None

    class Meta:
        model_key_prefix = "guest"


NAMES = ("a", "b", "c")
FAR_MILLISECONDS = 4_102_444_800_000
fields_before = st.dictionaries(
    st.sampled_from(["name", "note", "room", "of_another"]), st.booleans(), min_size=1
)
before = st.dictionaries(st.sampled_from(NAMES), st.none() | fields_before)
"""By name: None for a string; else the fields of a hash, and whether each expires."""


def put(client: redis.Redis, name: str, fields: dict[str, bool] | None) -> None:
    key = f":guest:{name}"
    if fields is None:
        client.set(key, "a string")
        return
    for field, expires in fields.items():
        client.hset(key, field, "before")
        if expires:
            client.execute_command("HPEXPIREAT", key, FAR_MILLISECONDS, "FIELDS", 1, field)
    client.pexpireat(key, FAR_MILLISECONDS + 1)


def state(client: redis.Redis) -> dict[bytes, Any]:
    found: dict[bytes, Any] = {}
    for key in client.scan_iter():
        if client.type(key) == b"string":
            found[key] = client.get(key)
            continue
        fields = client.hgetall(key)
        expiries = client.execute_command("HPEXPIRETIME", key, "FIELDS", len(fields), *fields)
        found[key] = fields, dict(zip(fields, expiries, strict=True)), client.pexpiretime(key)
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=before,
    guests=st.lists(
        st.builds(Guest, name=st.sampled_from(NAMES), note=st.none() | st.just("n"), room=st.none())
    ),
    page_documents=st.integers(1, 3),
)
def test_it_is_a_save_of_each(
    url: str, before: dict[str, dict[str, bool] | None], guests: list[Guest], page_documents: int
) -> None:
    with redis.Redis.from_url(url) as client, pytest.MonkeyPatch.context() as patch:
        patch.setattr(save_module, "PAGE_DOCUMENTS", page_documents)

        def after(save: Callable[[], object]) -> tuple[dict[bytes, Any], bool]:
            client.flushall(asynchronous=False)
            for name, fields in before.items():
                put(client, name, fields)
            try:
                save()
            except WrongKeyTypeError:
                return state(client), False
            return state(client), True

        def save_each() -> None:
            refused = None
            for guest in guests:
                try:
                    guest.save()
                except WrongKeyTypeError as error:
                    refused = error
            if refused:
                raise refused

        assert after(lambda: Guest.add(guests)) == after(save_each)


def calls(client: redis.Redis) -> dict[str, int]:
    return {
        name.removeprefix("cmdstat_"): found["calls"] for name, found in client.info("commandstats").items()
    }


def test_new_documents_cost_one_command_each(client: redis.Redis) -> None:
    client.config_resetstat()
    Visit.add(list(map(new_visit, range(PAGE_DOCUMENTS + 1))))
    sent = calls(client)
    assert sent["hsetex"] == PAGE_DOCUMENTS + 1
    assert sent["exists"] == 2
    assert not sent.keys() & {"eval", "evalsha"}


def test_a_page_with_one_that_is_not_new_ends_the_guessing(client: redis.Redis) -> None:
    Visit(visitor="0", note="n").save()
    client.config_resetstat()
    Visit.add(list(map(new_visit, range(4 * PAGE_DOCUMENTS))))
    sent = calls(client)
    assert sent["exists"] == 2, "the next page was on its way"
    assert client.hgetall(":visit:0") == {b"visitor": b"0"}
    assert client.dbsize() == 4 * PAGE_DOCUMENTS


@pytest.mark.parametrize("lacking", ["-hsetex", "-exists", "-hsetex -hpexpiretime"])
def test_a_server_that_does_not_let_it(
    client: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    """As Redis 7: a user who may not use the commands."""
    client.acl_setuser("old", enabled=True, nopass=True, keys="*", commands=["+@all", *lacking.split()])
    try:
        monkeypatch.setattr(Visit._meta, "database", redis.Redis.from_url(url, username="old", password=""))
        Visit.add(list(map(new_visit, range(2 * PAGE_DOCUMENTS))))
        assert client.dbsize() == 2 * PAGE_DOCUMENTS
    finally:
        client.acl_deluser("old")


def test_a_server_that_knows_no_hsetex(client: redis.Redis, models_url: str) -> None:
    """As Redis 7.4: the answers of such a server in place of ours."""
    unknown = CommandError("ERR unknown command 'HSETEX', with args beginning with: ':visit:0' 'FNX'")

    def answered(request: Request) -> Op[Any]:
        reply = yield request
        sent = getattr(request, "request", None)
        if isinstance(sent, Batch) and isinstance(reply, list) and sent.calls[0][0] == "EXISTS":
            client.flushall(asynchronous=False)
            return [0, *(unknown for _ in sent.calls[1:])]
        return reply

    with open_sync(models_url) as driver:
        operation = add_documents(list(map(new_visit, range(3))), UTC_ZONE, None)
        driver.run(performed_by(operation, answered))
    assert client.dbsize() == 3


@pytest.mark.parametrize("model", [Visit, Box])
@pytest.mark.parametrize(
    ("text_bytes", "count", "requests"), [(10, 60, 1), (100_000, 60, 2), (1_500_000, 8, 4), (5_000_000, 3, 3)]
)
def test_no_request_is_larger_than_4_mb_and_one_document(
    client: redis.Redis, models_url: str, model: Any, text_bytes: int, count: int, requests: int
) -> None:
    note = "x" * text_bytes
    documents = [
        model(visitor=str(n), note=note) if model is Visit else model(number=n, note=note)
        for n in range(count)
    ]
    sent = []

    def measured(request: Request) -> Op[Any]:
        if isinstance(request, SendAhead):
            calls = request.request.calls
            sent.append(sum(len(word) for call in calls for word in call if isinstance(word, str | bytes)))
        return (yield request)

    with CrashDriver(models_url) as driver:
        driver.run(performed_by(add_documents(documents, UTC_ZONE, None), measured))
    assert client.dbsize() == len(documents)
    assert len(sent) == requests
    assert max(sent) <= max(4_000_000, text_bytes) + 100_000  # with keys, names and a script
