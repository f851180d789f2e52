"""Models that make their keys, or name their server, with methods of their own: the data is found, or `om` refuses."""

from collections.abc import Callable

import pytest
import redis

from redstart.devserver.process import EmbeddedServer
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from tests.support.cli import refused, run_om

MODELS = """
    import os
    from datetime import datetime

    import redis
    import redstart
    import redstart.aio
    from redstart import Field


    class Keys:
        {methods}


    class Visit(Keys, redstart.HashModel, index=True):
        at: datetime = Field(index=True, sortable=True)

        class Meta:
            global_key_prefix = "app"
            model_key_prefix = "visit"


    class Order(Keys, redstart.aio.JsonModel, index=True):
        at: datetime = Field(index=True, sortable=True)

        class Meta:
            global_key_prefix = "app"
            model_key_prefix = "order"
"""
MAKE_KEY = """
        @classmethod
        def make_key(cls, part):
            return f"own/{cls._meta.model_key_prefix}/{part}"
"""
MAKE_PRIMARY_KEY = """
        @classmethod
        def make_primary_key(cls, pk):
            return cls.make_key(f"{pk}:v1")
"""
HASHED = """
        @classmethod
        def make_key(cls, part):
            return f"app:{hash(part)}"
"""
FAILING = """
        @classmethod
        def make_key(cls, part):
            return f"app:{os.environ['NO_SUCH_VARIABLE']}:{part}"
"""
DB = """
        @classmethod
        def db(cls):
            return redis.Redis.from_url(os.environ["THEIR_URL"])
"""
SCHEMA = """
        @classmethod
        def redisearch_schema(cls):
            return super().redisearch_schema()
"""
OLD = "2023-01-01T12:00:00"
NUMBER = 1672574400.0

KEYS = [
    pytest.param(MAKE_KEY, "own/{}/7", id="make_key"),
    pytest.param(MAKE_PRIMARY_KEY, "app:{}:7:v1", id="make_primary_key"),
    pytest.param(MAKE_KEY + MAKE_PRIMARY_KEY, "own/{}/7:v1", id="both"),
]


def write_old(client: redis.Redis, pattern: str) -> tuple[str, str]:
    """Documents as redis-om 0.3.5 stored them; their keys."""
    visit, order = pattern.format("visit"), pattern.format("order")
    client.hset(visit, mapping={"pk": "7", "at": OLD})
    client.json().set(order, "$", {"pk": "7", "at": OLD})
    return visit, order


def there_and_back(client: redis.Redis, pattern: str) -> None:
    """Every command finds both documents; they are converted, found, and brought back."""
    visit, order = write_old(client, pattern)
    assert run_om("migrate", "run", "--yes").code == 0
    stats = run_om("migrate-data", "stats", "--exact", "--json").json
    assert (stats["documents"], stats["values"]["convertible"]) == (2, 2)
    assert run_om("migrate-data", "verify", "--check-data").code == 3
    assert run_om("migrate-data", "run", "--yes").code == 0
    assert client.hget(visit, "at") == repr(NUMBER).encode()
    assert client.json().get(order)["at"] == NUMBER
    for name in ("visit", "order"):
        found = client.execute_command(
            "FT.SEARCH", f"app:{name}:index", f"@at:[{NUMBER} {NUMBER}]", "NOCONTENT"
        )
        assert pattern.format(name).encode() in str(found).encode()
    assert run_om("migrate-data", "verify", "--check-data").code == 0
    assert run_om("migrate-data", "rollback", ID, "--yes").code == 0
    assert client.hget(visit, "at") == OLD.encode()
    assert client.json().get(order)["at"] == OLD


@pytest.fixture
def models(write_module: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Declares models with these methods, and names them to `om`."""

    def write(methods: str) -> str:
        name = write_module(MODELS.replace("        {methods}\n", methods))
        monkeypatch.setenv("REDSTART_MODELS", name)
        return name

    return write


@pytest.mark.parametrize(("methods", "pattern"), KEYS)
def test_documents_under_keys_of_their_own_are_found(
    methods: str, pattern: str, configured: str, client: redis.Redis, models: Callable[[str], str]
) -> None:
    models(methods)
    there_and_back(client, pattern)


@pytest.mark.parametrize("methods", [HASHED, FAILING, SCHEMA], ids=["hashed", "failing", "schema"])
@pytest.mark.parametrize(
    "command",
    [
        ("migrate-data", "stats"),
        ("migrate-data", "run", "--yes"),
        ("migrate-data", "verify"),
        ("migrate", "run", "--yes"),
        ("migrate", "status"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_followed_is_refused(
    methods: str,
    command: tuple[str, ...],
    configured: str,
    client: redis.Redis,
    models: Callable[[str], str],
) -> None:
    name = models(methods)
    write_old(client, "app:{}:7")
    before = client.dbsize()
    refused(run_om(*command), 2, f"Invalid model in {name}: {name}.Visit")
    assert client.dbsize() == before


def test_the_server_is_that_of_db(
    configured: str,
    client: redis.Redis,
    own_server: Callable[..., EmbeddedServer],
    models: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    theirs = own_server()
    with redis.Redis.from_url(theirs.url) as other:
        monkeypatch.setenv("THEIR_URL", theirs.url)
        models(DB)
        there_and_back(other, "app:{}:7")
    assert client.dbsize() == 0
