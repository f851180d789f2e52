"""Reading documents: what a reply means when the key, the path or the type is not as hoped."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import redis

from redstart.commands import documents
from redstart.commands.resp import mapping, packed_batch
from redstart.effects import Call
from redstart.errors import CommandError

Ask = Callable[[Call[Any]], Any]


@pytest.fixture
def document(client: redis.Redis) -> str:
    client.execute_command("JSON.SET", "d", "$", '{"a":{"b":[1,null,"x"]},"number":1.5}')
    client.hset("h", "field", b"\xff")
    return "d"


def test_json_get(ask: Ask, document: str) -> None:
    assert json.loads(ask(documents.json_get(b"d"))) == {"a": {"b": [1, None, "x"]}, "number": 1.5}
    assert ask(documents.json_get(b"d", "$.a.b")) == b'[[1,null,"x"]]'
    assert ask(documents.json_get(b"d", "$.none")) == b"[]"
    assert json.loads(ask(documents.json_get(b"d", "$.number", "$.none"))) == {
        "$.number": [1.5],
        "$.none": [],
    }
    assert ask(documents.json_get(b"missing", "$.a")) is None


def test_json_shapes(ask: Ask, document: str) -> None:
    assert ask(documents.json_array_length(b"d", "$.a.b")) == [3]
    assert ask(documents.json_array_length(b"d", "$.number")) == [None]
    assert ask(documents.json_array_length(b"d", "$.none")) == []
    assert ask(documents.json_object_keys(b"d", "$.a")) == [[b"b"]]
    assert ask(documents.json_object_keys(b"d", "$.none")) == []


def test_memory(ask: Ask, document: str) -> None:
    assert ask(documents.json_memory(b"d")) > 0
    assert ask(documents.json_memory(b"missing")) == 0


def test_hget(ask: Ask, document: str) -> None:
    assert ask(documents.hget(b"h", "field")) == b"\xff"
    assert ask(documents.hget(b"h", "none")) is None
    assert ask(documents.hget(b"missing", "field")) is None


def test_another_type(ask: Ask, document: str) -> None:
    for request in (
        documents.json_get(b"h", "$"),
        documents.json_memory(b"h"),
        documents.hget(b"d", "field"),
    ):
        with pytest.raises(CommandError):
            ask(request)


def test_json_set_replaces_a_whole_document(ask: Ask, document: str) -> None:
    assert ask(documents.json_set("d", b'{"only":"\xc3\xa9"}')) == b"OK"
    assert ask(documents.json_get(b"d")) == '{"only":"é"}'.encode()


def test_hgetall_for_many(ask: Ask, client: redis.Redis) -> None:
    client.hset("h", "a", "b")
    command = documents.hgetall_command()
    found, missing = ask(packed_batch([command.pack(b"h"), command.pack(b"none")], 2))
    assert (mapping(found), mapping(missing)) == ({b"a": b"b"}, {})
