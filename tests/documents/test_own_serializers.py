"""A serializer of the user's own that leaves a field out: the value is stored, or the save is refused."""

import re
from typing import Any

import pytest
import redis
from pydantic import BaseModel, SerializerFunctionWrapHandler, create_model, model_serializer, model_validator

import redstart.aio
from redstart import EmbeddedJsonModel, Field, HashModel, JsonModel
from redstart.documents.errors import DocumentEncodeError
from redstart.mapping.models import JsonModel as MappedJsonModel
from tests.documents.flavours import done
from tests.support.models import registry_of_its_own

pytestmark = pytest.mark.usefixtures("models_url")

BASES = [HashModel, JsonModel, redstart.aio.HashModel, redstart.aio.JsonModel]
WAYS = ["wrap", "plain", "model_dump"]


@pytest.fixture(autouse=True)
def only_these_models() -> Any:
    with registry_of_its_own():
        yield


def model_of(base: Any, way: str, *, without: Any, **members: Any) -> Any:
    """A model with `name` and `note`; `without` says which fields of its output go."""

    def cut(values: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in values.items() if not without(name, value)}

    if way == "wrap":

        def wrap(self: Any, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
            return cut(handler(self))

        members["out"] = model_serializer(mode="wrap")(wrap)
    elif way == "plain":

        def plain(self: Any) -> dict[str, Any]:
            return cut({"pk": self.pk, "name": self.name, "note": self.note})

        members["out"] = model_serializer(plain)
    else:

        def model_dump(self: Any, **options: Any) -> dict[str, Any]:
            return cut(base.model_dump(self, **options))

        members["model_dump"] = model_dump
    body = {
        "__annotations__": {"name": str, "note": str | None},
        "name": "x",
        "note": None,
        "__module__": __name__,
        "__qualname__": "Own",
    }
    return type(base)("Own", (base,), body | members)


@pytest.fixture(params=BASES, ids=lambda base: f"{base.__module__}.{base.__name__}")
def base(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.mark.parametrize("way", WAYS)
def test_a_value_that_would_be_lost_is_refused(client: redis.Redis, base: Any, way: str) -> None:
    model = model_of(base, way, without=lambda name, _: name == "note")
    document = model(note="secret")
    for save in (document.save, lambda: model.add([document]), lambda: document.update(name="y")):
        with pytest.raises(DocumentEncodeError, match=r"Own.*note.*serializer"):
            done(save())
    assert not client.dbsize()


@pytest.mark.parametrize("way", WAYS)
def test_what_is_none_may_be_left_out(base: Any, way: str) -> None:
    model = model_of(base, way, without=lambda _, value: value is None)
    document = model(note="secret")
    done(document.save())
    document.note = None
    done(document.save())
    assert done(model.get(document.pk)).note is None  # and not what was there before


@pytest.mark.parametrize("way", WAYS)
def test_a_default_may_be_left_out(base: Any, way: str) -> None:
    model = model_of(base, way, without=lambda name, value: (name, value) == ("name", "x"))
    document = model(name="y")
    done(document.save())
    document.name = "x"
    done(document.save())
    assert done(model.get(document.pk)) == document  # and not what was there before


@pytest.mark.parametrize("way", ["wrap", "plain"])
def test_what_is_declared_as_excluded_may_be_left_out(base: Any, way: str) -> None:
    model = model_of(
        base, way, without=lambda name, _: name == "note", note=Field(default=None, exclude=True)
    )
    document = model(note="secret", name="y")
    done(document.save())
    assert done(model.get(document.pk)).name == "y"


@pytest.mark.parametrize("way", WAYS)
def test_what_a_validator_makes_again_may_be_left_out(base: Any, way: str) -> None:
    def again(cls: Any, values: Any) -> Any:
        return {"note": "made", **values}

    model = model_of(
        base,
        way,
        without=lambda name, _: name == "note",
        again=model_validator(mode="before")(classmethod(again)),
    )
    document = model(note="made")
    done(document.save())
    assert done(model.get(document.pk)) == document


def test_a_field_that_the_model_does_not_declare(client: redis.Redis, base: Any) -> None:
    """As redis-om: a save keeps it in a hash and removes it from JSON; an update keeps it in both."""
    model = model_of(base, "plain", without=lambda *_: False)
    document, is_json = model(note="a"), issubclass(model, MappedJsonModel)
    done(document.save())
    key = document.key()
    if is_json:
        client.json().set(key, "$.old", "kept")
    else:
        client.hset(key, "old", "kept")

    def names() -> set[str]:
        if is_json:
            (stored,) = client.json().get(key, "$")
            return set(stored)
        return {name.decode() for name in client.hgetall(key)}

    found = done(model.get(document.pk))
    done(found.update(name="y"))
    assert "old" in names()
    done(found.save())
    assert ("old" in names()) is not is_json


HOLDERS: dict[str, tuple[Any, Any]] = {
    "inner": (lambda kind: kind, lambda inner: inner),
    "inner[0]": (lambda kind: list[kind], lambda inner: [inner]),
    "inner['a']": (lambda kind: dict[str, kind], lambda inner: {"a": inner}),
    "inner.deep": (lambda kind: create_model("Between", deep=(kind, ...)), lambda inner: {"deep": inner}),
}


@pytest.mark.parametrize("json_base", [JsonModel, redstart.aio.JsonModel], ids=lambda base: base.__module__)
@pytest.mark.parametrize("embedded_base", [BaseModel, EmbeddedJsonModel], ids=lambda base: base.__name__)
@pytest.mark.parametrize("path", HOLDERS)
@pytest.mark.parametrize("way", ["wrap", "plain"])
def test_a_serializer_of_an_embedded_model_loses_no_value(
    client: redis.Redis, json_base: Any, embedded_base: Any, path: str, way: str
) -> None:
    if way == "wrap":

        def wrapped(self: Any, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
            return {"name": handler(self)["name"]}

        serializer: Any = model_serializer(mode="wrap")(wrapped)
    else:

        def plain(self: Any) -> dict[str, Any]:
            return {"name": self.name}

        serializer = model_serializer(plain)
    body = {"__annotations__": {"name": str, "note": str | None}, "note": "default", "out": serializer}
    embedded = type(embedded_base)("Inner", (embedded_base,), body | {"__module__": __name__})
    annotation, held = HOLDERS[path]
    members = {
        "__annotations__": {"inner": annotation(embedded)},
        "__module__": __name__,
        "__qualname__": "Outer",
    }
    model: Any = type(json_base)("Outer", (json_base,), members)

    document = model(inner=held(embedded(name="x", note="secret")))
    for save in (document.save, lambda: model.add([document])):
        with pytest.raises(DocumentEncodeError, match=re.escape(f"{path}.note cannot be stored")):
            done(save())
    assert not client.dbsize()
    document = model(inner=held(embedded(name="x", note=None)))
    done(document.save())
    assert done(model.get(document.pk)) == document  # None, and not the default
    document = model(inner=held(embedded(name="x")))
    done(document.save())
    assert done(model.get(document.pk)) == document
