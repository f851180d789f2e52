"""Answers of FT.SEARCH that a client of redis-py gives, made into documents; and what a model says of itself."""

from typing import Any

import pytest
import redis

from redstart import EmbeddedJsonModel, Field, HashModel, JsonModel
from redstart.errors import DocumentDecodeError
from tests.support.models import create_indexes
from tests.support.servers import client_with_protocol


class Visit(HashModel, index=True):
    visitor: str = Field(primary_key=True)
    age: int = Field(index=True, sortable=True)
    note: str | None = None


class Part(EmbeddedJsonModel):
    name: str = Field(index=True)


class Box(JsonModel, index=True):
    size: int = Field(index=True, sortable=True)
    plain: str = ""
    part: Part


pytestmark = pytest.mark.usefixtures("models_url")


@pytest.mark.parametrize("decoded", [True, False])
@pytest.mark.parametrize("protocol", [2, 3])
def test_from_redis(client: redis.Redis, url: str, protocol: int, decoded: bool) -> None:
    create_indexes(client, Visit, Box)
    visits: list[Any] = [Visit(visitor=name, age=age).save() for name, age in (("é", 2), ("b", 1))]
    boxes: list[Any] = [Box(size=size, part=Part(name="p")).save() for size in (5, 4)]
    with client_with_protocol(url, protocol, decode_responses=decoded) as server:
        for model, field, documents in ((Visit, "age", visits), (Box, "size", boxes)):
            index = model._meta.index_name
            reply = server.execute_command("FT.SEARCH", index, "*", "SORTBY", field, "ASC")
            assert model.from_redis(reply) == documents[::-1]
            assert model.from_redis(server.execute_command("FT.SEARCH", index, f"@{field}:[99 99]")) == []


def test_an_unreadable_document_in_a_reply_is_named() -> None:
    with pytest.raises(DocumentDecodeError, match=r"Visit:a: age has the invalid value 'many'"):
        Visit.from_redis([1, Visit.make_key("a"), ["visitor", "a", "age", "many"]])


def test_what_a_model_says_of_itself() -> None:
    assert Visit.get_annotations() == {"visitor": str, "age": int, "note": str | None}
    assert Visit.schema_for_fields() == ["visitor TAG SEPARATOR |", "age NUMERIC SORTABLE"]
    assert Box.schema_for_fields() == [
        "$.pk AS pk TAG SEPARATOR |",
        "$.size AS size NUMERIC SORTABLE",
        "",
        "$.part.name AS part_name TAG SEPARATOR |",
    ]
    prefix = Box.make_key("")
    assert Box.redisearch_schema() == f"ON JSON PREFIX 1 {prefix} SCHEMA " + " ".join(Box.schema_for_fields())
