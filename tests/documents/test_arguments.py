"""Wrong arguments: every public method raises an error of Redstart that names the argument and the value."""

import math
import re
import traceback
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import pytest
import redis
from pydantic import ValidationError

from redstart.display import shortened
from redstart.errors import RedstartError
from tests.documents.flavours import NOTES, done
from tests.support.models import create_indexes

ANYTHING: Final = (
    None,
    5,
    -1,
    2.5,
    math.nan,
    True,
    "x",
    "",
    b"x",
    [1],
    {"a": 1},
    {1},
    object(),
    int,
    slice(0, 1),
)
SINGLE: Final = (None, 5, 2.5, True, "x", "", b"x", object(), int)
"""Values that contain nothing, or that are a single text."""
NOT_ITEMS: Final = (5, 2.5, True, "x", b"x", object(), int)
NOT_INTS: Final = (None, 2.5, math.nan, True, "x", "", b"x", [1], {"a": 1}, object(), int, slice(0, 1))
NOT_OPTIONAL_INTS: Final = tuple(value for value in NOT_INTS if value not in (None, ""))
"""Without the values of an omitted argument; see tests/documents/test_accepted_arguments.py."""
NOT_KEYS: Final = ([1], {"a": 1}, {1}, object(), int, slice(0, 1))
NOT_TEXTS: Final = (None, 5, 2.5, True, b"x", [1], {"a": 1}, object(), int)
NOT_NUMBERS: Final = (math.nan, "x", "", b"x", [1], {"a": 1}, object(), int, slice(0, 1))
TOO_LARGE: Final = 10**30
NOT_OMITTED: Final = tuple(value for value in ANYTHING if value not in (None, ""))
ADDRESS: Final = re.compile(r" at 0x[0-9a-f]+")


class Wrong(NamedTuple):
    """A call with one argument of a wrong kind.

    Args:
        name: what the message calls the argument.
        call: the call with the argument.
        values: wrong values.
    """

    name: str
    call: Callable[[Any], Any]
    values: tuple[Any, ...]


def wrong_calls(model: Any) -> Iterator[Wrong]:
    document, query = model(number=1), model.find()
    own = (document, model, model.rank)
    yield from wrong_calls_of_models(model, document, own)
    yield from wrong_calls_of_queries(query, own)
    yield from wrong_conditions(model, own)


def wrong_calls_of_models(model: Any, document: Any, own: tuple[Any, ...]) -> Iterator[Wrong]:
    for method in (model.add, model.delete_many):
        yield Wrong("models of|takes documents", method, (*SINGLE, *own))
        yield Wrong(
            "models of|takes documents",
            lambda value, method=method: method([value]),
            (*ANYTHING, model, model.rank),
        )
        yield Wrong(
            "pipeline", lambda value, method=method: method([document], pipeline=value), pipelines(own)
        )
    yield Wrong(
        "pipeline_verifier", lambda value: model.add([document], pipeline_verifier=value), (5, "x", [1])
    )
    yield Wrong("pk", model.get, (*NOT_KEYS, *own))
    yield Wrong("pk", model.delete, (None, *NOT_KEYS, *own))
    yield Wrong("pk", lambda value: model.get_many([value]), (*NOT_KEYS, *own))
    yield Wrong("pks", model.get_many, (*SINGLE, *own))
    yield Wrong(
        "batch_size", lambda value: model.get_many([1], batch_size=value), (*NOT_OPTIONAL_INTS, -1, *own)
    )
    yield Wrong("on_error", lambda value: model.get_many([1], on_error=value), (*SINGLE, *own))
    yield Wrong("pipeline", lambda value: model.delete(1, pipeline=value), pipelines(own))
    yield Wrong("pipeline", lambda value: document.save(pipeline=value), pipelines(own))
    yield Wrong("pipeline", lambda value: document.expire(5, pipeline=value), pipelines(own))
    yield Wrong("time to live", document.expire, (*NOT_INTS, TOO_LARGE, *own))
    yield Wrong("knn", lambda value: model.from_redis([0], knn=value), (*NOT_OMITTED, *own))
    yield Wrong("reply", model.from_redis, (*ANYTHING[1:9], object(), int, *own))
    yield Wrong("knn", lambda value: model.find(knn=value), (*NOT_OMITTED, *own))
    yield Wrong("condition", lambda value: model.find(value).all(), (*ANYTHING, document, model))
    yield Wrong("field", lambda value: document.update(**{value: 1}), ("x", "", "kind__x"))
    if hasattr(document, "expire_field"):
        yield Wrong(
            "seconds", lambda value: document.expire_field("text", value), (*NOT_INTS, -1, TOO_LARGE, *own)
        )
        for method in (
            document.field_ttl,
            document.persist_field,
            lambda name: document.expire_field(name, 5),
        ):
            yield Wrong("name of a field", method, (*NOT_TEXTS, *own))
        yield Wrong(
            "field_expirations",
            lambda value: document.save(field_expirations=value),
            (*NOT_ITEMS, [1], *own),
        )
        yield Wrong(
            r"field_expirations\['text'\]",
            lambda value: document.save(field_expirations={"text": value}),
            (*NOT_INTS, -1, *own),
        )


def wrong_calls_of_queries(query: Any, own: tuple[Any, ...]) -> Iterator[Wrong]:
    numbers = (*NOT_INTS, -1, TOO_LARGE, *own)
    optional_numbers = (*NOT_OPTIONAL_INTS, -1, TOO_LARGE, *own)
    names = (*NOT_TEXTS, *own)
    for name in ("expressions", "sort_fields", "projected_fields"):
        yield Wrong(name, lambda value, name=name: query.copy(**{name: value}), (*NOT_ITEMS, *own))
    yield Wrong("offset", lambda value: query.copy(offset=value), numbers)
    for name in ("page_size", "limit"):
        yield Wrong(name, lambda value, name=name: query.copy(**{name: value}), optional_numbers)
    yield Wrong("model", lambda value: query.copy(model=value), (*ANYTHING, own[0], own[2]))
    yield Wrong("knn", lambda value: query.copy(knn=value), (*NOT_OMITTED, *own))
    yield Wrong("on_error", lambda value: query.copy(on_error=value), (*ANYTHING, *own))
    yield Wrong("offset", query.page, numbers)
    yield Wrong("limit", lambda value: query.page(0, value), optional_numbers)
    yield Wrong("batch_size", query.all, optional_numbers)
    for method in (query.all, query.first, query.page):
        yield Wrong("on_error", lambda value, method=method: method(on_error=value), (*ANYTHING[1:], *own))
    yield Wrong("position", query.get_item, numbers)
    if hasattr(query, "__getitem__"):
        yield Wrong("position", query.__getitem__, (*numbers, slice(-1, None)))
    for method in (query.sort_by, query.values, query.only):
        yield Wrong("name of a field", method, names)
    yield Wrong("field", lambda value: query.update(**{value: 1}), ("x", "", "kind__x"))


def wrong_conditions(model: Any, own: tuple[Any, ...]) -> Iterator[Wrong]:
    number, text = model.rank, model.kind
    for operator in ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"):
        yield Wrong(r"\.rank", found(model, number, operator), (*NOT_NUMBERS, *own))
    for operator in ("__eq__", "__ne__"):
        yield Wrong(r"\.kind", found(model, text, operator), (5, 2.5, "", [1], {"a": 1}, object(), int, *own))
    for operator in ("__lshift__", "__rshift__"):
        yield Wrong(r"\.rank", found(model, number, operator), (None, 5, "x", b"x", object(), int, *own[1:]))
        yield Wrong(r"\.kind", found(model, text, operator), (None, 5, object(), int, *own[1:]))
    for operator in ("startswith", "endswith", "contains"):
        yield Wrong(r"\.kind", found(model, text, operator), (*NOT_TEXTS, "", *own))
        yield Wrong(r"\.rank", found(model, number, operator), ("x", *NOT_TEXTS, *own))
    yield Wrong(r"\.kind", found(model, text, "__mod__"), (*NOT_TEXTS, "", *own))
    for operator in ("__and__", "__or__"):
        yield Wrong("condition", found(model, number == 1, operator), (*ANYTHING, *own))


def found(model: Any, operand: Any, operator: str) -> Callable[[Any], Any]:
    return lambda value: model.find(getattr(operand, operator)(value)).all()


def pipelines(own: tuple[Any, ...]) -> tuple[Any, ...]:
    return (*ANYTHING[1:], redis.ConnectionPool(), redis.Redis, redis.client.Pipeline, *own)


@pytest.mark.sample(3)
@pytest.mark.parametrize("model", NOTES, ids=lambda model: model.__name__)
def test_an_error_names_the_argument_and_the_value(client: redis.Redis, models_url: str, model: Any) -> None:
    create_indexes(client, model)
    done(model(number=1).save())
    wrong = []
    for name, call, values in wrong_calls(model):
        for value in values:
            problem = _problem(name, call, value)
            if problem:
                wrong.append(f"{name} {shortened(value)}: {problem}")
    assert not wrong, "\n".join(wrong)
    assert done(model.find().all()) == [model(number=1)]  # no call changed anything


def _problem(name: str, call: Callable[[Any], Any], value: Any) -> str | None:
    """Return what is wrong with the error of a call; None if nothing is."""
    try:
        result = done(call(value))
    except Exception as error:  # noqa: BLE001 - the kind of error is what this tests
        frame, message = traceback.extract_tb(error.__traceback__)[-1], str(error)
        shown = f"{type(error).__name__}: {message}"
        if isinstance(error, ValidationError) or not isinstance(
            error, RedstartError | TypeError | ValueError
        ):
            return shown
        if "/redstart/" not in frame.filename:
            return f"{shown} (raised in {frame.filename})"
        # Conditions keep a copy of a value, which has another address.
        if not any(
            ADDRESS.sub("", text) in ADDRESS.sub("", message) for text in (shortened(value), repr(value))
        ):
            return f"{shown} (without the value)"
        return None if re.search(name, message) else f"{shown} (without {name})"
    return f"returned {result!r}"
