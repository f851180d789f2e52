"""Arguments that redis-om hands to redis-py as they are: what redis-py accepts is accepted."""

from datetime import timedelta
from typing import Any

import pytest
import redis

from tests.documents.flavours import NOTES, done
from tests.support.models import create_indexes

pytestmark = pytest.mark.usefixtures("models_url")

SECONDS = [100, "100", timedelta(seconds=100), timedelta(seconds=100, milliseconds=900)]


@pytest.mark.parametrize("seconds", SECONDS)
@pytest.mark.parametrize("model", NOTES)
def test_seconds_are_an_int_digits_or_a_timedelta(client: redis.Redis, model: Any, seconds: Any) -> None:
    note = model(number=1, text="a")
    done(note.save())
    done(note.expire(seconds))
    assert client.ttl(note.key()) == 100
    if hasattr(note, "expire_field"):
        done(note.expire_field("text", seconds))
        done(note.save(field_expirations={"kind": seconds}))
        assert client.httl(note.key(), "kind") == [100]


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
