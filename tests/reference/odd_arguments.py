"""Prints the results of calls with arguments of unusual types, in redis-om or in Redstart.

Run as `python odd_arguments.py redis_om URL`. Nothing here may import Redstart: it also runs where only redis-om is.
"""

import importlib
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from enum import IntEnum
from typing import Any

import redis


class Two(IntEnum):
    """A number of a subclass of int."""

    two = 2


OMITTED = (None, False, 0, "", [], ())
NUMBERS = (
    *OMITTED,
    True,
    3,
    -1,
    "0",
    "3",
    "+3",
    "3.0",
    " 3 ",
    "-1",
    "x",
    b"3",
    2.0,
    2.5,
    Decimal(3),
    Two.two,
)
NAMES = (*OMITTED, True, ["rank"], ("rank",), {"rank": 1}, "rank", [None], [b"rank"], ["--rank"], [["rank"]])
FLAGS = (*OMITTED, True, 1, "x")
KEYS = ("01", "none", 1, 1.5, True, None, "", b"01", ["01"], {}, int)
REPLIES = ([0], (0,), {"total_results": 0, "results": []}, [], {}, None, 0, "", "rank", ["rank"], [None])


class Calls:
    """Calls of the public methods of a model with an argument of many types, by name.

    Args:
        library: the imported package.
        model: the model class.
        url: the server of its documents.
    """

    def __init__(self, library: Any, model: Any, url: str) -> None:
        self.library = library
        self.model = model
        self.url = url

    def reads(self) -> "Iterator[tuple[str, tuple[Any, ...], Callable[[Any], Any]]]":
        """Calls that change nothing: their name, the arguments, and what makes the call."""
        model, query = self.model, self.model.find().sort_by("rank")
        find = self.library.FindQuery
        yield "page(offset)", NUMBERS, query.page
        yield "page(limit)", NUMBERS, lambda value: query.page(0, value)
        yield "all(batch_size)", NUMBERS, query.all
        yield "get_item", NUMBERS, query.get_item
        yield "query[]", NUMBERS, query.__getitem__
        yield "field_ttl", NUMBERS, lambda value: model(pk="01").field_ttl(value)
        for name in ("offset", "limit", "page_size"):
            yield f"copy({name})", NUMBERS, lambda value, name=name: query.copy(**{name: value}).execute()
            yield (
                f"FindQuery({name})",
                NUMBERS,
                lambda value, name=name: find([], model, sort_fields=["rank"], **{name: value}).execute(),
            )
        for name in ("sort_fields", "projected_fields", "knn"):
            yield f"copy({name})", NAMES, lambda value, name=name: query.copy(**{name: value}).execute()
        yield "FindQuery(expressions)", NAMES, lambda value: find(value, model, sort_fields=["rank"]).all()
        for name in ("sort_by", "values", "only"):
            yield name, NAMES, lambda value, name=name: getattr(query, name)(value).all()
        yield "find(knn)", NAMES, lambda value: model.find(knn=value).sort_by("rank").all()
        for name in ("nocontent", "return_as_dict"):
            yield f"copy({name})", FLAGS, lambda value, name=name: query.copy(**{name: value}).get_query()
        for name in ("exhaust_results", "return_raw_result", "return_query_args"):
            yield f"execute({name})", FLAGS, lambda value, name=name: query.execute(**{name: value})
        yield "from_redis(res)", REPLIES, model.from_redis
        yield "from_redis(knn)", OMITTED, lambda value: model.from_redis([0], knn=value)
        yield "get", KEYS, model.get
        yield "make_key", KEYS, model.make_key
        yield "make_primary_key", KEYS, model.make_primary_key

    def writes(self) -> "Iterator[tuple[str, tuple[Any, ...], Callable[[Any], Any]]]":
        """Calls that change documents."""
        model = self.model
        document = model(pk="01", name="z", rank=99)
        seconds = (*NUMBERS, timedelta(seconds=3))
        yield "expire", seconds, document.expire
        yield "delete", KEYS, model.delete
        for name in ("nx", "xx"):
            yield f"save({name})", FLAGS, lambda value, name=name: document.save(**{name: value})
        yield "save(field_expirations)", OMITTED, lambda value: document.save(field_expirations=value)
        yield "query.update", FLAGS, lambda value: model.find().update(use_transaction=value, name="new")
        for name in ("add", "delete_many"):
            method = getattr(model, name)
            yield name, (*OMITTED, (document,), document, "x", [1], {document.pk: document}), method
            yield (
                f"{name}(pipeline)",
                self.pipelines(),
                lambda value, method=method: method([document], value),
            )
        yield "save(pipeline)", self.pipelines(), document.save
        yield "delete(pipeline)", self.pipelines(), lambda value: model.delete("01", value)
        yield "expire(pipeline)", self.pipelines(), lambda value: document.expire(50, value)

    def pipelines(self) -> "tuple[Any, ...]":
        """Values in place of a pipeline."""
        decoding = redis.Redis.from_url(self.url, decode_responses=True)
        return (*OMITTED, True, "x", redis.Redis, decoding, redis.Redis.from_url(self.url))


def shown(result: Any) -> Any:
    """A result as JSON can have it, the same for both libraries."""
    if isinstance(result, (list, tuple)):
        return [shown(item) for item in result]
    if hasattr(result, "model_dump"):
        return str(result.model_dump())
    if hasattr(result, "__next__"):
        return sorted(shown(item) for item in result)
    return repr(result) if type(result).__module__ == "builtins" else type(result).__name__


def seed(client: redis.Redis, model: Any) -> None:
    """Store the documents, and delete what calls have added."""
    for kind in ("HASH", "ReJSON-RL"):
        for key in client.scan_iter("odd:*", _type=kind):
            client.delete(key)
    for number in range(12):
        model(pk=f"{number:02}", name="abcd"[number % 4], rank=number).save()


def stored(client: redis.Redis) -> "dict[str, Any]":
    """All documents, with whether they expire."""
    found = {}
    for key in sorted(client.scan_iter("odd:*", _type="HASH")):
        found[repr(key)] = [repr(sorted(client.hgetall(key).items())), client.ttl(key) > 0]
    for key in sorted(client.scan_iter("odd:*", _type="ReJSON-RL")):
        found[repr(key)] = [repr(client.json().get(key)), client.ttl(key) > 0]
    return found


def main() -> None:
    """Print, by call and argument: `accepted`, with the result and what is stored, or `refused`."""
    name, url = sys.argv[1:]
    os.environ["REDIS_OM_URL"] = url
    om = importlib.import_module(name)
    client = redis.Redis.from_url(url)

    class Flat(om.HashModel, index=True):
        name: str = om.Field(index=True, sortable=True, default="a")
        rank: int = om.Field(index=True, sortable=True, default=0)

        class Meta:
            global_key_prefix, model_key_prefix = "odd", "flat"

    class Deep(om.JsonModel, index=True):
        name: str = om.Field(index=True, sortable=True, default="a")
        rank: int = om.Field(index=True, sortable=True, default=0)

        class Meta:
            global_key_prefix, model_key_prefix = "odd", "deep"

    om.Migrator().run()
    results: dict[str, Any] = {}
    for model in (Flat, Deep):
        seed(client, model)
        calls = Calls(om, model, url)
        for writes, rows in ((False, calls.reads()), (True, calls.writes())):
            for label, values, call in rows:
                for value in values:
                    try:
                        result = ["accepted", shown(call(value))]
                    except Exception:  # noqa: BLE001 - of any kind: what counts is that it is refused
                        result = ["refused"]
                    if writes:
                        result.append(stored(client))
                        seed(client, model)
                    shown_value = "client" if isinstance(value, redis.Redis) else repr(value)
                    if shown_value.startswith(("Flat(", "Deep(", "(Flat", "(Deep", "{'01'")):
                        shown_value = type(value).__name__ + " of documents"
                    results[f"{model.__name__} {label} {shown_value}"] = result
    print(json.dumps(results))


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
