"""Replies that hold a part of a document, or are of another command: never a document with defaults in their place."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest
import redis

import redstart.aio
from redstart import Field, HashModel, JsonModel, QuerySyntaxError
from redstart.mapping.models import JsonModel as MappedJsonModel
from tests.documents.flavours import done
from tests.support.models import create_indexes, registry_of_its_own
from tests.support.servers import client_with_protocol

pytestmark = pytest.mark.usefixtures("models_url")

BASES = [HashModel, JsonModel, redstart.aio.HashModel, redstart.aio.JsonModel]
VALUES = {"name": "x", "rank": 3, "note": "kept"}


@pytest.fixture(params=BASES, ids=lambda base: f"{base.__module__}.{base.__name__}")
def model(request: pytest.FixtureRequest) -> Iterator[Any]:
    base = request.param

    class Meta:
        global_key_prefix = "part"
        model_key_prefix = "doc"
        index_name = "part:doc"

    body = {
        "__annotations__": {"name": str, "rank": int, "note": str | None},
        "name": Field(index=True),
        "rank": Field(default=7, index=True),
        "note": None,
        "Meta": Meta,
        "__module__": __name__,
        "__qualname__": "Part",
    }
    with registry_of_its_own():
        yield type(base)("Part", (base,), body, index=True)


@pytest.mark.parametrize("decoded", [False, True])
@pytest.mark.parametrize("protocol", [2, 3])
def test_some_fields_are_not_a_document(
    client: redis.Redis, url: str, model: Any, decoded: bool, protocol: int
) -> None:
    create_indexes(client, model)
    document, is_json = model(**VALUES), issubclass(model, MappedJsonModel)
    done(document.save())
    with client_with_protocol(url, protocol, decode_responses=decoded) as other:
        whole = other.execute_command("FT.SEARCH", "part:doc", "*")
        assert model.from_redis(whole) == [document]
        for count in (1, 2, 3):
            for names in combinations([*VALUES, "missing"], count):
                reply = other.execute_command("FT.SEARCH", "part:doc", "*", "RETURN", count, *names)
                if (is_json and not {"name", "rank"} & {*names}) or names == ("missing",):
                    assert model.from_redis(reply) == []  # a row without fields, as with NOCONTENT
                    continue
                if not is_json and {*VALUES} <= {*names}:
                    assert model.from_redis(reply) == [document]  # the key has the rest
                    continue
                with pytest.raises(QuerySyntaxError, match=r"Part.*part:doc:") as raised:
                    _ = model.from_redis(reply)
                if not is_json:
                    lacking = raised.value.message.partition("Missing: ")[2]
                    assert all((name in lacking) is (name not in names) for name in VALUES)


@pytest.mark.parametrize(
    "reply",
    [
        [b"x", b"3", None],
        ["x", "3"],
        {b"name": b"x"},
        {"name": "x"},
        3,
        [1, b"part:doc:1", [b"name"]],
        [b"x"],
    ],
    ids=repr,
)
def test_replies_of_other_commands_are_refused(model: Any, reply: Any) -> None:
    with pytest.raises(QuerySyntaxError, match=r"Not a reply to FT\.SEARCH"):
        _ = model.from_redis(reply)


@pytest.mark.parametrize("reply", [[], [0], [1, b"part:doc:1"], [1, b"part:doc:1", None], None])
def test_nothing_is_found_in_a_reply_without_content(model: Any, reply: Any) -> None:
    assert model.from_redis(reply) == []
