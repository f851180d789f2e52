"""`create_index` in both colours: it creates what is not there, and takes nothing away from what serves."""

import asyncio
import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from typing import Any

import pytest
import redis

import redstart
import redstart.aio
from redstart import Field
from redstart.effects import Op
from redstart.errors import MigrationError, SearchDatabaseError
from redstart.migrations.indexes import migrator
from redstart.migrations.indexes.state import LEASE
from redstart.migrations.lease import LEASE_MS, retry_while_locked
from redstart.model.migrations.migrator import create_index
from tests.migrations.indexes.conftest import drop_all, migration, serving, total, wait_until_built
from tests.support.crash_driver import Crash, CrashDriver, CrashKind
from tests.support.models import registry_of_its_own
from tests.support.snapshot import snapshot

NAME = "app:note:index"
OLD = "ON HASH PREFIX 1 app:note: SCHEMA pk TAG SEPARATOR | at TAG SEPARATOR |"
NEW = "ON HASH PREFIX 1 app:note: SCHEMA pk TAG SEPARATOR | at NUMERIC SORTABLE"
KEYS = {f"{NAME}:hash": "h", f"{NAME}:schema": NEW}


@pytest.fixture(params=["sync", "aio"])
def create(request: pytest.FixtureRequest, url: str) -> Callable[..., None]:
    """`create_index` of one colour, at redis-om's path, with a client of that colour."""
    package = "redstart" if request.param == "sync" else "redstart.aio"
    legacy_migrator = import_module(f"{package}.model.migrations.schema.legacy_migrator")
    clients: Any = redis if request.param == "sync" else redis.asyncio

    def run(*words: str, **options: Any) -> None:
        client = clients.Redis.from_url(url, **options)
        result = legacy_migrator.create_index(client, *words)
        if inspect.isawaitable(result):
            asyncio.run(of(result))

    async def of(awaitable: Any) -> None:
        assert await awaitable is None

    return run


@pytest.fixture(autouse=True)
def no_indexes(client: redis.Redis) -> Iterator[None]:
    """FLUSHALL leaves indexes without documents."""
    drop_all(client)
    yield
    drop_all(client)


def kept(client: redis.Redis) -> dict[str, str]:
    """All keys that hold text."""
    return {key.decode(): client.get(key).decode() for key in client.scan_iter(count=1_000, _type="string")}


def attributes(client: redis.Redis, name: str) -> Any:
    info = client.execute_command("FT.INFO", name)
    return (info if isinstance(info, dict) else dict(zip(info[::2], info[1::2], strict=True)))[b"attributes"]


@pytest.mark.parametrize("options", [{}, {"decode_responses": True}, {"protocol": 3}], ids=repr)
def test_it_creates_what_is_not_there(
    create: Callable[..., None], client: redis.Redis, options: dict[str, Any]
) -> None:
    client.hset("app:note:1", mapping={"pk": "1", "at": "5"})
    create(NAME, NEW, "h", **options)
    assert client.execute_command("FT._LIST") == [NAME.encode()]
    assert kept(client) == KEYS
    wait_until_built(client, [NAME])
    assert total(client, NAME, "@at:[5 5]") == 1
    assert not list(client.scan_iter("redstart:*")), "nothing else stays behind"


@pytest.mark.parametrize("through_an_alias", [False, True])
def test_the_same_schema_changes_nothing(
    create: Callable[..., None], client: redis.Redis, through_an_alias: bool
) -> None:
    real = f"{NAME}-7" if through_an_alias else NAME
    client.execute_command("FT.CREATE", real, *NEW.split())
    if through_an_alias:
        client.execute_command("FT.ALIASADD", NAME, real)
    client.set(f"{NAME}:hash", "that of the old application")
    before = snapshot(client)
    create(NAME, NEW, "h")
    create(NAME, f"  {NEW} ".replace(" ", "  "), "another")  # redis-om's own text has double spaces
    assert snapshot(client) == before
    assert client.execute_command("FT._LIST") == [real.encode()]
    assert serving(client, NAME) == real


@pytest.mark.parametrize("through_an_alias", [False, True])
def test_another_schema_is_refused_and_what_serves_stays(
    create: Callable[..., None], client: redis.Redis, through_an_alias: bool
) -> None:
    """FT.CREATE itself would succeed where the name is an alias, and hide the index that serves."""
    real = f"{NAME}-7" if through_an_alias else NAME
    client.execute_command("FT.CREATE", real, *OLD.split())
    if through_an_alias:
        client.execute_command("FT.ALIASADD", NAME, real)
    before, fields = snapshot(client), attributes(client, NAME)
    with pytest.raises(MigrationError, match="at changes its type from TAG to NUMERIC") as refused:
        create(NAME, NEW, "h")
    assert refused.value.hint is not None
    assert refused.value.hint.endswith("om migrate run")
    assert snapshot(client) == before
    assert client.execute_command("FT._LIST") == [real.encode()]
    assert (serving(client, NAME), attributes(client, NAME)) == (real, fields)


def test_of_many_differences_the_first_are_listed(create: Callable[..., None], client: redis.Redis) -> None:
    client.execute_command("FT.CREATE", NAME, *OLD.split())
    with pytest.raises(MigrationError, match=r"b is added as TAG; .*, and 2 more\)\."):
        create(NAME, f"{OLD} b TAG c TAG d TAG e TAG f TAG", "h")


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ("ON HASH PREFIX 1 app:note: SCHEMA pk TAGG", "pk"),
        ("ON HASH PREFIX 1 app:note: SCHEMA pk TAG SEPARATOR | SORTABLE CASESENSITIVE", "CASESENSITIVE"),
        ("ON HASH PREFIX 1 app: note: SCHEMA pk TAG", "note:"),
        ("", "FT.CREATE"),
    ],
)
def test_a_schema_that_the_server_does_not_take(
    create: Callable[..., None], client: redis.Redis, schema: str, said: str
) -> None:
    with pytest.raises(MigrationError, match=f"rejected the index {NAME}: .*{said}"):
        create(NAME, schema, "h")
    assert client.execute_command("FT._LIST") == []
    assert list(client.scan_iter()) == []


def test_who_may_not_drop_the_scratch_index_leaves_none_behind(client: redis.Redis, url: str) -> None:
    client.execute_command("ACL", "SETUSER", "some", "on", ">word", "~*", "+@all", "-ft.dropindex")
    settings = client.connection_pool.connection_kwargs | {"username": "some", "password": "word"}
    pool = redis.ConnectionPool(connection_class=client.connection_pool.connection_class, **settings)
    try:
        with redis.Redis(connection_pool=pool) as some, pytest.raises(MigrationError, match="permission"):
            create_index(some, NAME, NEW, "h")
    finally:
        client.execute_command("ACL", "DELUSER", "some")
    assert client.execute_command("FT._LIST") == []


def test_another_database_than_0(client: redis.Redis, url: str) -> None:
    with pytest.raises(SearchDatabaseError):
        create_index(redis.Redis.from_url(url, db=1), NAME, NEW, "h")
    assert client.execute_command("FT._LIST") == []


def test_many_at_once_for_one_name(create: Callable[..., None], client: redis.Redis) -> None:
    """One schema wins, as a whole; who wanted another hears of it."""
    refused: list[str] = []

    def ask(schema: str, schema_hash: str) -> None:
        try:
            create(NAME, schema, schema_hash)
        except MigrationError:
            refused.append(schema)

    threads = [
        threading.Thread(target=ask, args=(schema, name)) for schema, name in [(OLD, "old"), (NEW, "new")] * 4
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    won = kept(client)[f"{NAME}:schema"]
    assert refused == [OLD if won == NEW else NEW] * 4
    assert kept(client) == {f"{NAME}:hash": "new" if won == NEW else "old", f"{NAME}:schema": won}
    assert (b"NUMERIC" in repr(attributes(client, NAME)).encode()) == (won == NEW)


def test_it_waits_for_who_changes_indexes(create: Callable[..., None], client: redis.Redis) -> None:
    """A lease that is renewed is waited for, and nothing is created under it."""
    lease = {
        "token": "theirs",
        "holder": '{"host":"h","boot_id":"","pid_namespace":"","pid":1,"start_ticks":"1"',
    }
    lease["holder"] += ',"command":"om"}'
    client.set(LEASE.fence, "theirs")
    client.hset(LEASE.lease, mapping={**lease, "since_ms": 0, "renewals": 0})
    client.pexpire(LEASE.lease, LEASE_MS)
    thread = threading.Thread(target=create, args=(NAME, NEW, "h"))
    thread.start()
    asked = 0
    while asked < 6:  # it looks every quarter of a second, and each time the other has renewed
        client.hincrby(LEASE.lease, "renewals", 1)
        thread.join(0.3)
        asked += 1
        assert client.execute_command("FT._LIST") == []
    client.delete(LEASE.fence, LEASE.lease)
    thread.join(60)
    assert client.execute_command("FT._LIST") == [NAME.encode()]


def creating() -> Op[None]:
    return retry_while_locked(lambda: migration().create(NAME, NEW, "h"))


@pytest.mark.parametrize("kind", CrashKind)
def test_ended_anywhere_it_can_be_repeated(
    client: redis.Redis, url: str, kind: CrashKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrator, "is_gone", lambda _: True)
    with CrashDriver(url) as driver:
        driver.run(creating())
    assert len(driver.names) >= 4
    for at in range(len(driver.names)):
        drop_all(client)
        client.flushall()
        with CrashDriver(url, at=at, kind=kind) as crashed, suppress(Crash):
            crashed.run(creating())
        assert crashed.crashed is not None
        # Either nothing, or the index with what is kept beside it.
        there = bool(client.execute_command("FT._LIST"))
        assert {key: text for key, text in kept(client).items() if key in KEYS} == (KEYS if there else {})
        with CrashDriver(url) as again:
            again.run(creating())
        assert client.execute_command("FT._LIST") == [NAME.encode()]
        assert {key: text for key, text in kept(client).items() if key in KEYS} == KEYS


def test_migrator_finds_nothing_to_do_then(
    create: Callable[..., None], client: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_OM_URL", url)
    with registry_of_its_own():

        class Note(redstart.JsonModel, index=True):
            text: str = Field(index=True, full_text_search=True)
            plain: int = 0
            rank: float = Field(default=0, sortable=True)

            class Meta:
                global_key_prefix = "app"
                model_key_prefix = "note"

        detector = redstart.SchemaDetector()
        detector.detect_migrations()
        (found,) = detector.migrations
        create(found.index_name, found.schema, found.hash)
        again = redstart.SchemaDetector()
        again.detect_migrations()
        assert again.migrations == []
        Note(text="a").save()
        assert Note.find(Note.text == "a").count() == 1
        again.run()
        assert serving(client, NAME) == NAME


def test_a_schema_that_no_script_can_pass_on_is_refused(
    create: Callable[..., None], client: redis.Redis
) -> None:
    schema = OLD + "".join(f" f{number} TAG" for number in range(4_000))
    with pytest.raises(MigrationError, match=r"schema of the index app:note:index has 8,014 words"):
        create(NAME, schema, "h")
    assert client.execute_command("FT._LIST") == []
    assert client.dbsize() == 0
