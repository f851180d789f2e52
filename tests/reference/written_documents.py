"""One program, to be run with redis-om or with Redstart: all that writes documents, and what it answers.

Run as `python written_documents.py redis_om URL`. Prints a JSON object: what each call gave. Nothing here may import
Redstart: it runs where only redis-om is.
"""

import importlib
import json
import os
import sys
from collections.abc import Callable
from typing import Any


def models(om: Any) -> "tuple[Any, Any, Any]":
    """A hash model, a JSON model, and a model inside it."""

    class Flat(om.HashModel, index=True):
        number: int = om.Field(primary_key=True)
        name: str = om.Field(index=True)
        age: int = 0
        note: str | None = None

        class Meta:
            global_key_prefix = "written"
            model_key_prefix = "flat"

    class Part(om.EmbeddedJsonModel):
        title: str = om.Field(index=True)
        size: int = 0

    class Deep(om.JsonModel, index=True):
        number: int = om.Field(primary_key=True)
        name: str
        part: Part
        parts: list[Part] = []  # noqa: RUF012 - a pydantic field
        extra: dict[str, int] = {}  # noqa: RUF012 - a pydantic field

        class Meta:
            global_key_prefix = "written"
            model_key_prefix = "deep"

    return Flat, Deep, Part


def shown(call: "Callable[[], Any]") -> Any:
    """What a call gave, as JSON has it: a document as its number, an error as the name of its class."""
    try:
        return plain(call())
    except Exception as error:  # noqa: BLE001 - which one it is, is the question
        return f"raises {type(error).__name__}"


def plain(value: Any) -> Any:
    """The same for what calls give."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    return f"document {value.number}" if hasattr(value, "number") else value


def work(om: Any) -> "dict[str, Any]":
    """Write in all the ways there are."""
    flat, deep, part = models(om)
    server = om.get_redis_connection()
    answers: dict[str, Any] = {}

    def made(number: int) -> "list[Any]":
        inside = part(title="p", size=number)
        return [
            flat(number=number, name=f"n{number}"),
            deep(number=number, name=f"n{number}", part=inside, parts=[inside], extra={"a": number}),
        ]

    for position, model in enumerate((flat, deep)):

        def one(number: int, position: int = position) -> Any:
            return made(number)[position]

        def said(what: str, call: "Callable[[], Any]", name: str = model.__name__) -> None:
            answers[f"{name}: {what}"] = shown(call)

        said("save", lambda one=one: one(1).save())
        said("save, nx, there", lambda one=one: one(1).save(nx=True))
        said("save, nx", lambda one=one: one(2).save(nx=True))
        said("save, xx", lambda one=one: one(2).save(xx=True))
        said("save, xx, not there", lambda one=one: one(3).save(xx=True))
        said("save, both", lambda one=one: one(3).save(nx=True, xx=True))
        said("add", lambda one=one, model=model: model.add([one(number) for number in range(4, 14)]))
        said("add nothing", lambda model=model: model.add([]))
        said("update", lambda one=one: one(4).update(name="changed"))
        said("update, not there", lambda one=one: one(20).update(name="created"))
        said("update, unknown", lambda one=one: one(4).update(nope=1))
        said("update, wrong", lambda one=one: one(4).update(name=5))
        said("expire", lambda one=one: one(5).expire(1_000))
        said("expire, not there", lambda one=one: one(99).expire(1_000))
        said("delete", lambda model=model: model.delete(6))
        said("delete again", lambda model=model: model.delete(6))
        said("delete many", lambda one=one, model=model: model.delete_many([one(7), one(8)]))
        said("delete none", lambda model=model: model.delete_many([]))
        said("get, not there", lambda model=model: model.get(99))
        said("get", lambda model=model: model.get(9))
        said("all_pks", lambda model=model: sorted(model.all_pks()))
        said("make_key", lambda model=model: [model.make_key("x"), model.make_primary_key(7)])
        said("key", lambda one=one: one(1).key())
        said("schema", lambda model=model: model.redisearch_schema())
        said("schema of fields", lambda model=model: model.schema_for_fields())

        with server.pipeline(transaction=False) as pipeline:
            said("queued save", lambda one=one, pipeline=pipeline: one(30).save(pipeline=pipeline))
            said(
                "queued add",
                lambda one=one, model=model, p=pipeline: model.add([one(31), one(32)], pipeline=p),
            )
            said("queued expire", lambda one=one, pipeline=pipeline: one(30).expire(900, pipeline=pipeline))
            said(
                "queued delete",
                lambda one=one, model=model, p=pipeline: model.delete_many([one(31)], pipeline=p),
            )
            said(
                "nx with a pipeline",
                lambda one=one, pipeline=pipeline: one(33).save(pipeline=pipeline, nx=True),
            )
            pipeline.delete("written:none")
            answers[f"{model.__name__}: answers of the pipeline"] = len(pipeline.execute())

    answers["Deep: update of a list"] = shown(lambda: made(9)[1].update(parts__title="deep"))
    answers["Deep: update of an unknown one inside"] = shown(lambda: made(9)[1].update(part__nope="deep"))
    searched = server.execute_command("FT._LIST")
    answers["indexes"] = len(searched)
    return answers


def main() -> None:
    """Work, and print the answers."""
    library, os.environ["REDIS_OM_URL"] = sys.argv[1:]
    print(json.dumps(work(importlib.import_module(library))))


if __name__ == "__main__":
    main()
