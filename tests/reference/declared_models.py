# The annotations are written as users of redis-om wrote them, and mean what they meant there:
# ruff: noqa: UP007, UP042, UP045, RUF012
"""Many models, declared with redis-om or with Redstart, and the schema text each of them makes of them.

Run as `python declared_models.py 1x` (or `0x`), it prints a JSON object from a model's name to its
schema text. Nothing here may import Redstart: it runs where only redis-om is.
"""

import datetime
import decimal
import enum
import importlib
import json
import pathlib
import sys
import uuid
import warnings
from collections.abc import Callable
from typing import Annotated, Any, Literal, Optional, Union

from pydantic import PositiveInt, constr

Schemas = dict[str, str | None]


class Color(str, enum.Enum):
    RED = "red"


class Level(int, enum.Enum):
    LOW = 1


class Mood(enum.Enum):
    GOOD = "good"


ONE_VALUE: dict[str, Any] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "Decimal": decimal.Decimal,
    "UUID": uuid.UUID,
    "str enum": Color,
    "int enum": Level,
    "enum": Mood,
    "datetime": datetime.datetime,
    "date": datetime.date,
    "time": datetime.time,
    "bytes": bytes,
    "Path": pathlib.Path,
    "Any": Any,
    "Optional[str]": Optional[str],
    "int | None": Optional[int],
    "Optional[bool]": Optional[bool],
    "Optional[datetime]": Optional[datetime.datetime],
    "int or str": Union[int, str],
    "str or int": Union[str, int],
    "Literal": Literal["a", "b"],
    "Annotated": Annotated[int, "x"],
    "constr": constr(max_length=3),
    "PositiveInt": PositiveInt,
}
ALL_TYPES: dict[str, Any] = {
    **ONE_VALUE,
    "list[str]": list[str],
    "Optional[list[str]]": Optional[list[str]],
    "tuple[str, ...]": tuple[str, ...],
    "bare list": list,
}
OPTIONS: dict[str, dict[str, Any]] = {
    "index": {"index": True},
    "sorted": {"index": True, "sortable": True},
    "words": {"index": True, "full_text_search": True},
    "sorted words": {"index": True, "full_text_search": True, "sortable": True},
    "cased": {"index": True, "case_sensitive": True},
    "sortable alone": {"sortable": True},
    "words alone": {"full_text_search": True},
    "nothing": {},
    "not indexed": {"index": False},
    "not sorted": {"index": True, "sortable": False},
    "key": {"primary_key": True},
    "indexed key": {"primary_key": True, "index": True},
    "sorted key": {"primary_key": True, "index": True, "sortable": True},
    "words key": {"primary_key": True, "index": True, "full_text_search": True},
}
SINCE_1: dict[str, dict[str, Any]] = {
    "comma": {"index": True, "separator": ","},
    "comma words": {"index": True, "separator": ",", "full_text_search": True},
    "semicolon key": {"primary_key": True, "separator": ";"},
    "expiring": {"index": True, "expire": 3},
    "ignored": {"index": False, "sortable": True},
}


def declare(
    om: Any, base: Any, name: str, fields: dict[str, Any], keywords: dict[str, Any], **meta: Any
) -> Any:
    """A model class. `fields`: an annotation, or a pair of annotation and Field."""
    settings = {"global_key_prefix": "g", "model_key_prefix": "k", **meta}
    body: dict[str, Any] = {"__annotations__": {}, "__module__": "declared", "__qualname__": name}
    body["Meta"] = type("Meta", (), {**settings, "__module__": "declared", "__qualname__": f"{name}.Meta"})
    for field, declared in fields.items():
        annotation, value = declared if isinstance(declared, tuple) else (declared, None)
        body["__annotations__"][field] = annotation
        if value is not None:
            body[field] = value
    return type(base)(name, (base,), body, **keywords)


def embedded_models(om: Any) -> dict[str, Any]:
    """Models to embed, and fields that hold them."""
    field = om.Field

    class Inner(om.EmbeddedJsonModel):
        a: str = field(index=True)
        b: str
        c: list[str] = field(index=True, default=[])

    class Numbers(om.EmbeddedJsonModel):
        n: int = field(index=True)
        t: datetime.datetime = field(index=True)
        yes: bool = field(index=True)
        words: str = field(index=True, full_text_search=True)
        inner: Inner
        maybe: Inner | None = None
        many: list[Inner] = []

    class Nothing(om.EmbeddedJsonModel):
        n: str

    return {
        "inner": Inner,
        "optional": Optional[Inner],
        "list": list[Inner],
        "optional list": Optional[list[Inner]],
        "marked": (Inner, field(index=True)),
        "map": dict[str, Inner],
        "deep": Numbers,
        "optional deep": Optional[Numbers],
        "nothing": Nothing,
        "nothings": list[Nothing],
    }


def whole_models(om: Any, keywords: dict[str, Any]) -> dict[str, Any]:
    """Models with several fields, keys of their own, and patterns."""
    field = om.Field

    def mixed() -> dict[str, Any]:
        return {
            "a": (str, field(index=True)),
            "b": int,
            "c": (int, field(index=True, sortable=True)),
            "d": Optional[str],
            "e": (datetime.date, field(index=True)),
            "f": str,
        }

    made: dict[str, Any] = {}
    for storage, base in (("hash", om.HashModel), ("json", om.JsonModel)):
        key = {"code": (str, field(primary_key=True)), **mixed()}
        late = {**mixed(), "code": (str, field(primary_key=True))}
        made[f"{storage} mixed"] = declare(om, base, "Mixed", mixed(), keywords)
        made[f"{storage} key first"] = declare(om, base, "KeyFirst", key, keywords)
        made[f"{storage} key last"] = declare(om, base, "KeyLast", late, keywords)
        made[f"{storage} bare"] = declare(om, base, "Bare", {"a": str, "b": str}, keywords)
        made[f"{storage} colons"] = declare(
            om, base, "Colons", mixed(), keywords, global_key_prefix=":g:", model_key_prefix="k:"
        )
        made[f"{storage} pattern"] = declare(
            om, base, "Pattern", mixed(), keywords, primary_key_pattern="x-{pk}"
        )
    return made


def schemas(
    module: str,
    version: str,
    schema_of: Callable[[Any], str],
    schema_after_instance: Callable[[Any], str],
    *refusals: type[Exception],
) -> Schemas:
    """Declare all models with a library, and take the text of each; None for those it refuses.

    Version 0.3.5 writes another text once there was an instance: `schema_after_instance`.
    """
    om = importlib.import_module(module)
    old = version == "0x"
    keywords: dict[str, Any] = {} if old else {"index": True}
    found: Schemas = {}
    for storage, base in (("hash", om.HashModel), ("json", om.JsonModel)):
        for kind, annotation in ALL_TYPES.items():
            for option, given in {**OPTIONS, **({} if old else SINCE_1)}.items():
                name = f"{storage}, {kind}, {option}"
                try:
                    model = declare(om, base, "Model", {"f": (annotation, om.Field(**given))}, keywords)
                    found[name] = schema_of(model)
                except refusals:
                    found[name] = None
    for name, declared in embedded_models(om).items():
        found[f"embedded {name}"] = schema_of(declare(om, om.JsonModel, "Outer", {"e": declared}, keywords))
    for name, model in whole_models(om, keywords).items():
        found[name] = schema_of(model)
        if old:
            found[f"{name}, after an instance"] = schema_after_instance(model)
    return found


def after_instance(model: Any) -> str:
    """What 0.3.5 writes then: making one does this, and asks the server whether it knows JSON."""
    model.validate_primary_key()
    return model.redisearch_schema()


def main() -> None:
    """Print what redis-om writes. Besides its own error it lets some of Python's out."""
    om = importlib.import_module("redis_om")
    refusals = (om.RedisModelError, AttributeError, TypeError)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = schemas(
            "redis_om", sys.argv[1], lambda model: model.redisearch_schema(), after_instance, *refusals
        )
    print(json.dumps(found))


if __name__ == "__main__":
    main()
