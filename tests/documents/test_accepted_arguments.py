"""Arguments that redis-om accepts and that have one meaning are accepted: numbers as text, omitted options, clients."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
import redis
import redis.asyncio

from tests.documents.flavours import NOTES, done
from tests.support.models import create_indexes

pytestmark = pytest.mark.usefixtures("models_url")

SECONDS = [100, "100", b"100", 100.0, timedelta(seconds=100), timedelta(seconds=100, milliseconds=900)]
OMITTED = [None, False, "", [], (), {}]


class Same(NamedTuple):
    """A call with an argument, and the values that mean the same.

    Args:
        call: the call, whose result depends on the argument.
        plain: the value of the documented type.
        others: values that give the same result.
    """

    name: str
    call: Callable[[Any], Any]
    plain: Any
    others: list[Any]


def same_calls(model: Any) -> Iterator[Same]:
    query = model.find().sort_by("rank")
    yield Same("page(offset)", lambda value: query.page(value, 2), 3, forms(3))
    yield Same("page(limit)", lambda value: query.page(1, value), 3, forms(3))
    yield Same("page(limit=0)", lambda value: query.page(1, value), 0, forms(0))
    yield Same("page(limit) omitted", lambda value: query.page(1, value), 1_000, OMITTED)
    yield Same("all(batch_size)", query.all, 2, [*forms(2), 0, *OMITTED])
    yield Same("get_item", query.get_item, 3, forms(3))
    if hasattr(query, "__getitem__"):
        yield Same("[]", query.__getitem__, 3, forms(3))
    for name, plain, others in (
        ("offset", 2, forms(2)),
        ("limit", 2, forms(2)),
        ("limit", None, OMITTED),
        ("page_size", 2, forms(2)),
        ("page_size", 1_000, [0, *OMITTED]),
        ("sort_fields", ("-rank",), [["-rank"], {"-rank": 1}, {"-rank"}]),
        ("projected_fields", ("rank",), [["rank"], {"rank": 1}, {"rank"}]),
        *((name, (), [0, *OMITTED]) for name in ("expressions", "sort_fields", "projected_fields")),
        ("knn", None, [0, *OMITTED]),
    ):
        yield Same(
            f"copy({name})",
            lambda value, name=name: query.copy(**{name: value}, return_as_dict=True).all(),
            plain,
            others,
        )
        yield Same(
            f"copy({name}).dict", lambda value, name=name: query.copy(**{name: value}).dict(), plain, others
        )
    yield Same("find(knn)", lambda value: model.find(knn=value).sort_by("rank").all(), None, [0, *OMITTED])
    yield Same("from_redis(knn)", lambda value: model.from_redis([0], knn=value), None, [0, *OMITTED])
    yield Same(
        "get_many(batch_size)",
        lambda value: model.get_many([1, 2, 3], batch_size=value),
        2,
        [*forms(2), 0, *OMITTED],
    )


def forms(number: int) -> list[Any]:
    """Return a number in the other forms that the server accepts."""
    return [str(number), str(number).encode(), float(number), f"{number}.0", f"+{number}"]


@pytest.mark.parametrize("model", NOTES)
def test_values_with_the_same_meaning_have_the_same_result(client: redis.Redis, model: Any) -> None:
    create_indexes(client, model)
    done(model.add([model(number=number, rank=number) for number in range(7)]))
    different = []
    for name, call, plain, others in same_calls(model):
        expected = done(call(plain))
        different += [
            f"{name} {other!r}: {result}" for other in others if (result := done(call(other))) != expected
        ]
    assert different == []


@pytest.mark.parametrize("seconds", SECONDS)
@pytest.mark.parametrize("model", NOTES)
def test_seconds_are_a_number_or_a_timedelta(client: redis.Redis, model: Any, seconds: Any) -> None:
    note = model(number=1, text="a")
    done(note.save())
    done(note.expire(seconds))
    assert client.ttl(note.key()) == 100
    if hasattr(note, "expire_field"):
        done(note.expire_field("text", seconds))
        done(note.save(field_expirations={"kind": seconds}))
        assert client.httl(note.key(), "kind") == [100]


@pytest.mark.parametrize("omitted", [*OMITTED, 0])
def test_expirations_of_fields_may_be_omitted(client: redis.Redis, omitted: Any) -> None:
    for model in NOTES:
        note = model(number=1, text="a")
        if hasattr(note, "expire_field"):
            assert done(note.save(field_expirations=omitted)) == note
            assert client.httl(note.key(), "text") == [-1]


@pytest.mark.parametrize("seconds", [0, -1, "-1", timedelta(seconds=-1)])
@pytest.mark.parametrize("is_queued", [False, True])
@pytest.mark.parametrize("model", NOTES)
def test_a_deadline_that_has_passed_deletes_the_document(
    client: redis.Redis, model: Any, is_queued: bool, seconds: Any
) -> None:
    note = model(number=1)
    done(note.save())
    if is_queued:
        pipeline = client.pipeline()
        done(note.expire(seconds, pipeline=pipeline))
        assert client.exists(note.key())
        assert pipeline.execute() == [True]
    else:
        done(note.expire(seconds))
    assert not client.exists(note.key())


@pytest.mark.parametrize("model", NOTES)
def test_a_query_takes_none_for_no_expressions(client: redis.Redis, model: Any) -> None:
    create_indexes(client, model)
    done(model(number=1).save())
    query = type(model.find())(expressions=None, model=model)
    assert len(done(query.all())) == 1


@pytest.mark.parametrize("kind", [redis.Redis, redis.asyncio.Redis])
@pytest.mark.parametrize("model", NOTES)
def test_a_client_in_place_of_a_pipeline_gets_the_commands_at_once(
    own_server: Callable[..., Any], client: redis.Redis, model: Any, kind: Any
) -> None:
    other = own_server()
    with redis.Redis.from_url(other.url) as stored:
        given = kind.from_url(other.url)
        first, second, third = (model(number=number) for number in range(3))
        assert done(first.save(pipeline=given)) == first
        assert done(model(number=0).save(pipeline=given, nx=True)) is None
        assert done(first.save(pipeline=given, xx=True)) == first
        counts: list[int] = []
        verify = lambda replies, expected_responses: counts.append(len(replies))  # noqa: E731
        assert done(model.add([second, third], pipeline=given, pipeline_verifier=verify)) == [second, third]
        assert counts == [2]
        assert stored.dbsize() == 3
        assert done(first.expire(100, pipeline=given)) is None
        assert stored.ttl(first.key()) == 100
        assert done(model.delete(0, pipeline=given)) == 1
        assert done(model.delete_many([second, third], pipeline=given)) == 2
        assert stored.dbsize() == 0
    assert client.dbsize() == 0  # the server of the models
