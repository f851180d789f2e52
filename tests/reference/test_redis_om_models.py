"""`om` with models that are declared with redis-om itself, in an environment where redis-om 1.2.0 is installed."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import redis
import ulid_transform

from redstart.mapping.redis_om_adapter import redis_om_models
from tests.reference.test_schemas import REFUSED_BY_THE_SERVER

HERE = Path(__file__).parent

pytestmark = pytest.mark.redis_om

CUSTOMER = {
    "pk": "c1",
    "name": "Ann",
    "joined": "2023-01-01T12:00:00.123456+00:00",
    "address": {"pk": "x", "city": "Oslo", "since": "2020-02-29"},
    "before": [{"pk": "y", "city": "Rome", "since": None}],
    "visits": {"last": "2023-01-02T00:00:00Z"},
    "age": 40,
    "home": "13.5,52.25",
}


@pytest.mark.sample(0)
def test_their_schema_texts_are_kept(beside_1x: Any) -> None:
    done = beside_1x(HERE / "translated_models.py")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    texts = {name: pair for name, pair in found["texts"].items() if not REFUSED_BY_THE_SERVER.search(pair[0])}
    assert {name: pair for name, pair in texts.items() if pair[0] != pair[1]} == {}
    assert len(texts) > 900
    assert found["registered"] > 5


@pytest.fixture
def om(beside_1x: Any, url: str) -> Any:
    """Runs `om` with the models of an application that uses redis-om."""
    settings = {"REDIS_OM_URL": url, "REDSTART_MODELS": "shop_of_redis_om"}

    def run(*words: str, exit_code: int = 0) -> str:
        done: subprocess.CompletedProcess[str] = beside_1x(
            "redstart.cli.main", *words, importable=HERE, env=settings, stdin=subprocess.DEVNULL
        )
        assert done.returncode == exit_code, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture
def documents(client: redis.Redis) -> redis.Redis:
    """Documents as redis-om 0.3.5 stored them."""
    client.execute_command("JSON.SET", "their:customer:c1", "$", json.dumps(CUSTOMER))
    client.hset("their:session:s-t1", mapping={"token": "t1", "at": "2023-01-01T12:00:00", "pk": "unused"})
    return client


def test_the_whole_way_there_and_back(documents: redis.Redis, om: Any, beside_1x: Any, url: str) -> None:
    before = json.loads(documents.execute_command("JSON.GET", "their:customer:c1"))
    om("migrate", "run", "--yes")
    stats = json.loads(om("migrate-data", "stats", "--exact", "--json"))
    assert (stats["documents"], stats["values"]["convertible"]) == (2, 4)
    om("migrate-data", "run", "--yes")
    converted = json.loads(documents.execute_command("JSON.GET", "their:customer:c1"))
    assert converted["joined"] == 1672574400.123456
    assert converted["address"]["since"] == 1582934400.0
    assert converted["visits"] == {"last": 1672617600.0}
    assert documents.hget("their:session:s-t1", "at") == b"1672574400.0"
    assert json.loads(om("migrate-data", "verify", "--check-data", "--json"))["ok"]
    found = documents.execute_command(
        "FT.SEARCH", "their:customer:index", "@joined:[1672574400 1672574401]", "NOCONTENT"
    )
    assert b"their:customer:c1" in str(found).encode()
    # The application finds its documents, and its own Migrator has nothing to do: the indexes are as it would have
    # made them.
    queries = beside_1x(HERE / "queries_of_redis_om.py", env={"REDIS_OM_URL": url})
    assert queries.returncode == 0, queries.stderr
    assert json.loads(queries.stdout.splitlines()[-1]) == {
        "pending": [],
        "customers": ["Ann"],
        "joined": "2023-01-01T12:00:00.123456+00:00",
        "sessions": ["t1"],
    }
    om("migrate-data", "rollback", "001_datetime_fields_to_timestamps", "--yes")
    assert json.loads(documents.execute_command("JSON.GET", "their:customer:c1")) == before
    assert documents.hget("their:session:s-t1", "at") == b"2023-01-01T12:00:00"


OVERRIDING = """
import redis_om
from datetime import datetime

class Session(redis_om.HashModel, index=True):
    at: datetime

    {methods}

    class Meta:
        global_key_prefix = "their"
        model_key_prefix = "session"
"""
OWN_KEYS = """
    @classmethod
    def make_key(cls, part):
        return f"own/{cls._meta.model_key_prefix}/{part}"
"""
OWN_SERVER = """
    @classmethod
    def db(cls):
        return redis_om.get_redis_connection(url="{url}")
"""
OWN_SCHEMA = """
    @classmethod
    def redisearch_schema(cls):
        return super().redisearch_schema()
"""


@pytest.mark.parametrize(
    ("methods", "key", "configured", "documents"),
    [
        (OWN_KEYS + OWN_SERVER, "own/session/1", "redis://127.0.0.1:1", 1),
        (OWN_SCHEMA, "their:session:1", "{url}", None),
    ],
    ids=["make_key and db", "redisearch_schema"],
)
def test_methods_that_they_override_count(
    methods: str,
    key: str,
    configured: str,
    documents: int | None,
    client: redis.Redis,
    beside_1x: Any,
    url: str,
    tmp_path: Path,
) -> None:
    name = f"overriding_{len(methods)}"
    source = OVERRIDING.replace("    {methods}\n", methods).replace("{url}", url)
    (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
    client.hset(key, mapping={"pk": "1", "at": "2023-01-01T12:00:00"})
    done = beside_1x(
        "redstart.cli.main",
        *("migrate-data", "stats", "--exact", "--json"),
        importable=tmp_path,
        env={"REDIS_OM_URL": configured.format(url=url), "REDSTART_MODELS": name},
        stdin=subprocess.DEVNULL,
    )
    if documents is None:
        assert done.returncode == 2
        assert f"{name}.Session overrides redisearch_schema(), which Redstart never calls" in done.stderr
    else:
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["documents"] == documents


MIGRATING = """
import asyncio, aredis_om
from redis_om.model.migrations.data import DataMigrator

redis_om.Migrator().run()
asyncio.run(aredis_om.Migrator().run())
migrator = redis_om.Migrator()
migrator.detect_migrations()
for migration in migrator.migrations:
    migration.run()
DataMigrator(redis_client=Session.db(), migration_module="redis_om.model.migrations.data.builtin").run_migrations()
"""
SKIPPED = (
    "SchemaDetector().run()",
    "SchemaDetector().run()",
    "IndexMigration().run()",
    "DataMigrator().run_migrations()",
)


def test_om_starts_no_migration_of_theirs(
    client: redis.Redis, beside_1x: Any, url: str, tmp_path: Path
) -> None:
    """A module that ends with one is imported for its models."""
    (tmp_path / "migrating.py").write_text(
        OVERRIDING.replace("    {methods}\n", "") + MIGRATING, encoding="utf-8"
    )
    client.hset("their:session:1", mapping={"pk": "1", "at": "2023-01-01T12:00:00"})
    done = beside_1x(
        "redstart.cli.main",
        *("migrate-data", "stats", "--exact", "--json"),
        importable=tmp_path,
        env={"REDIS_OM_URL": url, "REDSTART_MODELS": "migrating"},
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["documents"] == 1
    skipped = [line for line in done.stderr.splitlines() if line.startswith("Skipped: migrating")]
    assert [line.split(" calls ")[1].split(" when ")[0] for line in skipped] == list(SKIPPED)
    assert list(client.scan_iter()) == [b"their:session:1"]
    assert client.execute_command("FT._LIST") == []
    assert client.hget("their:session:1", "at") == b"2023-01-01T12:00:00"


def test_models_of_0x_are_refused(python_with_0x: str, url: str, tmp_path: Path) -> None:
    """They are what the old application has: to migrate the data to them would leave it unreadable to the new one."""
    source = str(HERE.parents[1] / "src")
    (tmp_path / "old_models.py").write_text(
        "import redis_om\nclass Old(redis_om.HashModel):\n    name: str\n", encoding="utf-8"
    )
    ours = str(Path(ulid_transform.__file__).parents[1])  # last: what is in both environments is theirs
    program = (
        f"import sys; sys.path += [{source!r}, {str(tmp_path)!r}, {ours!r}]; import old_models\n"
        "from redstart.mapping.redis_om_adapter import redis_om_models\n"
        "try:\n    redis_om_models()\nexcept Exception as error:\n    print(error)\n"
    )
    done = subprocess.run([python_with_0x, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.startswith(
        "old_models.Old is declared with redis-om 0.3.5, which stores dates as text."
    ), done


def test_where_redis_om_is_not_there_are_none() -> None:
    assert redis_om_models() == ()
