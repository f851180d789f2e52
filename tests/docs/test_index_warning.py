"""What docs/index-migration.md says of indexes that no model names: they are not brought along."""

from pathlib import Path

import pytest
import redis

from tests.support.cli import Ended, run_om_in

MODELS = """
import datetime
from redstart import Field, HashModel, JsonModel

class Hashed(HashModel, index=True):
    at: datetime.datetime = Field(index=True)
    class Meta:
        global_key_prefix = "w"
        model_key_prefix = "hashed"

class Json(JsonModel, index=True):
    at: datetime.datetime = Field(index=True)
    class Meta:
        global_key_prefix = "w"
        model_key_prefix = "json"
"""

HASHED = ("ON", "HASH", "PREFIX", 1, "w:hashed:", "SCHEMA", "name", "TAG", "at")
JSON = ("ON", "JSON", "PREFIX", 1, "w:json:", "SCHEMA", "$.name", "AS", "name", "TAG", "$.at", "AS", "at")


def found(client: redis.Redis, index: str, query: str) -> int:
    return int(client.execute_command("FT.SEARCH", index, query, "NOCONTENT")[0])


def om(url: str, directory: Path, *words: str) -> Ended:
    settings = {"REDIS_OM_URL": url, "REDSTART_MODELS": "warned_models"}
    return run_om_in(directory, settings, "migrate-data", *words, "--yes")


@pytest.fixture
def legacy(url: str, tmp_path: Path) -> redis.Redis:
    (tmp_path / "warned_models.py").write_text(MODELS)
    client = redis.Redis.from_url(url, protocol=2)
    client.execute_command("FT.CREATE", "hashed", *HASHED, "TAG", "SEPARATOR", "|")
    client.execute_command("FT.CREATE", "json", *JSON, "TAG", "SEPARATOR", "|")
    client.hset("w:hashed:1", mapping={"name": "ann", "at": "2023-01-01T00:00:00"})
    client.execute_command("JSON.SET", "w:json:1", "$", '{"name":"ann","at":"2023-01-01T00:00:00"}')
    return client


def test_hashes_stay_findable_and_json_leaves_the_old_index(
    legacy: redis.Redis, url: str, tmp_path: Path
) -> None:
    assert [found(legacy, index, "@name:{ann}") for index in ("hashed", "json")] == [1, 1]
    refused = om(url, tmp_path, "run")
    assert (refused.code, "Index json indexes $.at as text" in refused.stderr) == (1, True)
    assert list(legacy.scan_iter("redstart:*:record")) == []
    assert om(url, tmp_path, "run", "--accept-unindexed").code == 0
    assert [found(legacy, index, "@name:{ann}") for index in ("hashed", "json")] == [1, 0]
    assert om(url, tmp_path, "run").code == 0, "it has no more to lose"


def test_dropped_and_created_again_it_finds_them_and_their_dates(
    legacy: redis.Redis, url: str, tmp_path: Path
) -> None:
    assert om(url, tmp_path, "run", "--accept-unindexed").code == 0
    for index, schema in (("hashed", HASHED), ("json", JSON)):
        legacy.execute_command("FT.DROPINDEX", index)
        legacy.execute_command("FT.CREATE", index, *schema, "NUMERIC")
        while b"indexing" not in (info := legacy.execute_command("FT.INFO", index)) or int(
            info[info.index(b"indexing") + 1]
        ):
            pass
        assert found(legacy, index, "@at:[1672531200 1672531200]") == 1


def test_a_rollback_brings_json_documents_back_into_the_old_index(
    legacy: redis.Redis, url: str, tmp_path: Path
) -> None:
    assert om(url, tmp_path, "run", "--accept-unindexed").code == 0
    assert om(url, tmp_path, "rollback", "001_datetime_fields_to_timestamps").code == 0
    assert [found(legacy, index, "@name:{ann}") for index in ("hashed", "json")] == [1, 1]
