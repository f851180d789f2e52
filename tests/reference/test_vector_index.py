"""Models as RedisVL sees them."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import redis

from redstart import HashModel, JsonModel
from redstart.errors import ConfigurationError, RedisModelError
from redstart.redisvl import get_redisvl_index, to_redisvl_schema

SCRIPT = Path(__file__).with_name("vector_index.py")


@pytest.mark.redis_om
def test_redisvl_finds_the_documents_of_models(client: redis.Redis, url: str, beside_1x: Any) -> None:
    done = beside_1x(SCRIPT, url)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["found"] == [["n1", "n2"], ["n1", "n2"]]
    assert found["asynchronous"] == ["AsyncSearchIndex", "SearchIndex", 3, 3]
    assert found["plain"] == "SearchIndex"
    for kind, prefix, fields in (
        ("json", "vl:page:", ["pk", "name", "name_fts", "rank", "flat", "graph"]),
        ("hash", "vl:card:", ["pk", "name", "flat"]),
    ):
        described = found[kind]
        assert described["index"]["storage_type"] == kind
        assert described["index"]["prefix"] == prefix
        assert [field["name"] for field in described["fields"]] == fields
        assert described["fields"][1]["attrs"]["separator"] == "|"
    graph = found["json"]["fields"][-1]
    assert graph["path"] == "$.graph"
    assert {"dims": 2, "algorithm": "hnsw", "m": 8, "epsilon": 0.5, "datatype": "float64"}.items() <= graph[
        "attrs"
    ].items()


@pytest.mark.skipif(importlib.util.find_spec("redisvl") is not None, reason="it is installed here")
def test_without_redisvl() -> None:
    class Page(JsonModel, index=True):
        name: str

    for ask in (to_redisvl_schema, get_redisvl_index):
        with pytest.raises(ConfigurationError, match="redisvl is not installed") as missing:
            ask(Page)
        assert missing.value.hint == "Install it with: pip install redisvl"


def test_a_model_without_documents() -> None:
    with pytest.raises(RedisModelError, match="no documents of its own"):
        to_redisvl_schema(HashModel)
