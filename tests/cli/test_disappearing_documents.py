"""Documents that disappear while a command works on them: moved to another database, renamed, deleted, expired.

All documents of a model: the command ends with a problem that names them. Some of them: they are counted.
"""

import itertools
import json
import textwrap
import time
from collections.abc import Callable, Iterator

import pytest
import redis

from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from tests.cli.test_unmatched_prefixes import MODELS, TEXT
from tests.cli.test_upgrade import INITIAL, TITLE, documents, shop
from tests.support.cli import Ended, run_om
from tests.support.during import om_during
from tests.support.soak import SOAK

Write = Callable[[str], str]
LOG, NOTE = "app:log:", "app:note:"
DOCUMENTS = 30
RUN = ("migrate-data", "run", "--batch-size", "10")
ROLLBACK = ("migrate-data", "rollback", ID, "--batch-size", "10")

_ = shop  # a fixture


def move(client: redis.Redis, key: str) -> None:
    assert client.move(key, 1)


def rename(client: redis.Redis, key: str) -> None:
    client.rename(key, f"away:{key}")


def delete(client: redis.Redis, key: str) -> None:
    client.delete(key)


def expire(client: redis.Redis, key: str) -> None:
    client.pexpire(key, 1)


def replace(client: redis.Redis, key: str) -> None:
    """Store another type under the key, which is no document then."""
    client.delete(key)
    client.set(key, "other")


WAYS = (move, rename, delete, expire, replace)
BACK: dict[Callable[..., None], Callable[[redis.Redis, redis.Redis, str], object]] = {
    move: lambda _, other, key: other.move(key, 0),
    rename: lambda client, _, key: client.rename(f"away:{key}", key),
}


@pytest.fixture
def models(
    client: redis.Redis, url: str, write_module: Write, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    monkeypatch.setenv("REDIS_OM_URL", url)
    name = write_module(textwrap.dedent(MODELS).format(prefix="app"))
    monkeypatch.setenv("REDSTART_MODELS", name)
    store(client)
    yield name
    client.flushall()


def store(client: redis.Redis) -> None:
    for number in range(DOCUMENTS):
        client.hset(f"{LOG}{number}", mapping={"pk": str(number), "at": TEXT})
        client.execute_command(
            "JSON.SET", f"{NOTE}{number}", "$", json.dumps({"pk": str(number), "at": TEXT})
        )


def keys(client: redis.Redis, *prefixes: str) -> list[str]:
    return sorted(key.decode() for prefix in prefixes for key in client.scan_iter(f"{prefix}*", 1_000))


def emptied(client: redis.Redis) -> None:
    client.flushall()
    store(client)


def during_a_run(client: redis.Redis, moment: str, act: Callable[[], object]) -> Ended:
    """Return how a run ends while something happens at a moment."""
    for _ in range(2):  # the second one finds its scripts on the server
        emptied(client)
        _, names = om_during(RUN, {})
    writes = [number for number, name in enumerate(names, 1) if name.startswith("EVALSHA apply")]
    scans = [number for number, name in enumerate(names, 1) if name == "SCAN"]
    at = {
        "initial scan": scans[1],
        "first write": writes[0],
        "last write": writes[-1],
        "last pass": next(number for number in scans if number > writes[-1]),
    }[moment]
    emptied(client)
    return om_during(RUN, {at: act})[0]


def all_of(
    client: redis.Redis, way: Callable[[redis.Redis, str], None], names: list[str]
) -> Callable[[], None]:
    def act() -> None:
        for key in names:
            way(client, key)
        time.sleep(0.005)  # documents that expire are gone

    return act


MOMENTS = ("initial scan", "first write", "last write", "last pass")
MODELS_CONCERNED = ((LOG,), (NOTE,), (LOG, NOTE))
CASES = [*itertools.product(MODELS_CONCERNED, WAYS, MOMENTS)]


@pytest.mark.sample(2)
@pytest.mark.parametrize(
    ("prefixes", "way", "moment"),
    CASES if SOAK else CASES[::7],
    ids=lambda one: (
        one if isinstance(one, str) else "+".join(one) if isinstance(one, tuple) else one.__name__
    ),
)
def test_a_run_without_its_documents_names_them(
    client: redis.Redis,
    url: str,
    models: str,
    prefixes: tuple[str, ...],
    way: Callable[[redis.Redis, str], None],
    moment: str,
) -> None:
    ended = during_a_run(client, moment, all_of(client, way, keys(client, *prefixes)))
    assert ended.code == 6, ended.text
    first = ended.stdout.splitlines()[0]
    assert first.startswith("Conversion stopped: all "), first
    assert first.endswith(f" of the initial scan under {', '.join(prefixes)} disappeared during the run."), (
        first
    )
    assert "om migrate-data clear-progress" in ended.stdout
    # Nothing is taken for done, and each command names it until a person has decided.
    assert run_om("migrate-data", "status", "--check").code == 3
    for words in ((), ("--check-data",)):
        verified = run_om("migrate-data", "verify", *words)
        assert verified.code == 6, verified.text
        for prefix in prefixes:
            assert f"{prefix}*: all " in verified.stdout
    again = run_om(*RUN, "--json")
    assert (again.code, again.json["status"]) == (6, "stopped")
    assert again.json["reason"] in first
    assert again.json["missing_documents"] >= len(prefixes)
    if way in BACK:
        with redis.Redis.from_url(url, db=1) as other:
            for key in keys(other, *prefixes) if way is move else [key[5:] for key in keys(client, "away:")]:
                BACK[way](client, other, key)
        assert run_om(*RUN).code == 0
        assert run_om("migrate-data", "verify", "--check-data").code == 0
        assert run_om("migrate-data", "rollback", ID).code == 0
        assert {client.hget(key, "at") for key in keys(client, LOG)} == {TEXT.encode()}
        return
    assert run_om("migrate-data", "clear-progress", "--yes").code == 0
    assert run_om(*RUN).code == 0
    assert run_om("migrate-data", "verify").code == 0


@pytest.mark.sample(2)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_some_documents_that_disappear_are_counted(
    client: redis.Redis, models: str, way: Callable[[redis.Redis, str], None]
) -> None:
    names = keys(client, LOG)[:-1] + keys(client, NOTE)[:3]
    ended = during_a_run(client, "first write", all_of(client, way, names))
    assert ended.code == 0, ended.text
    assert f"documents gone since the initial scan {len(names)} " in " ".join(ended.stdout.split())
    assert run_om("migrate-data", "verify").code == 0


def test_documents_that_disappear_after_the_run_are_a_problem_of_verify_until_the_next_run(
    client: redis.Redis, models: str
) -> None:
    assert run_om(*RUN).code == 0
    client.delete(*keys(client, NOTE))
    verified = run_om("migrate-data", "verify")
    assert verified.code == 6
    assert f"{NOTE}*: all documents have disappeared since the run: {DOCUMENTS}" in verified.stdout
    assert run_om(*RUN).code == 0
    assert run_om("migrate-data", "verify").code == 0


def test_an_emptied_server_is_no_success(client: redis.Redis, models: str) -> None:
    ended = during_a_run(client, "first write", client.flushall)
    assert ended.code != 0
    assert not ended.stdout.startswith(("Conversion complete", "No documents found"))


def test_a_rollback_without_its_documents_keeps_their_originals(
    client: redis.Redis, url: str, models: str
) -> None:
    assert run_om(*RUN).code == 0
    _, names = om_during(ROLLBACK, {})
    emptied(client)
    assert run_om(*RUN).code == 0
    writes = [number for number, name in enumerate(names, 1) if name.startswith("EVALSHA apply")]
    ended, _ = om_during(ROLLBACK, {writes[-1] + 1: all_of(client, move, keys(client, LOG, NOTE))})
    assert ended.code == 1, ended.text
    assert "that it wrote have disappeared, and no other is left. The undo log stays." in ended.stderr
    assert run_om("migrate-data", "status", "--check").code == 3
    with redis.Redis.from_url(url, db=1) as other:
        for key in keys(other, LOG, NOTE):
            assert other.move(key, 0)
    assert run_om(*ROLLBACK).code == 0
    assert {client.hget(key, "at") for key in keys(client, LOG)} == {TEXT.encode()}
    # A document that is gone is no reason to refuse a rollback for ever.
    assert run_om(*RUN).code == 0
    ended, _ = om_during(ROLLBACK, {writes[-1] + 1: all_of(client, delete, keys(client, LOG, NOTE))})
    assert ended.code == 1, ended.text
    assert run_om(*ROLLBACK).code == 0
    assert keys(client, "redstart:001") == []


@pytest.mark.sample(2)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_migration_file_without_its_documents_is_not_applied(
    shop: redis.Redis, way: Callable[[redis.Redis, str], None]
) -> None:
    assert run_om("upgrade", "--to", INITIAL).code == 0
    orders = keys(shop, "shop:order:")
    orders = [key for key in orders if key.removeprefix("shop:order:").isdigit()]
    upgrade = ("upgrade", "--to", TITLE, "--yes")
    for _ in range(2):
        _, names = om_during(upgrade, {})
        assert run_om("migrate", "rollback").code == 0
    at = next(number for number, name in enumerate(names, 1) if name.startswith("EVALSHA apply"))
    before = documents(shop)
    ended, _ = om_during(upgrade, {at: all_of(shop, way, orders)})
    assert ended.code == 6, ended.text
    assert ended.stdout.startswith(
        f"Stopped at {TITLE}: all 20 documents of the initial scan under shop:order: disappeared during the run."
    )
    assert f"om migrate rollback {TITLE}" in ended.stdout
    again = run_om(*upgrade, "--json")
    assert (again.code, again.json["status"], TITLE in again.json["pending"]) == (6, "problems_found", True)
    if way is rename:
        for key in orders:
            shop.rename(f"away:{key}", key)
        assert run_om(*upgrade).code == 0
        assert run_om("migrate", "rollback").code == 0
        assert documents(shop) == before
        return
    assert run_om("migrate", "rollback").code == 0
    assert run_om(*upgrade).code == 0
