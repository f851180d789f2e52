"""Documents and fields that expire."""

import pytest
import redis

from redstart import Field, HashModel, JsonModel
from redstart.documents.expiry import field_ttl
from redstart.errors import (
    CommandError,
    FieldExpiryNotSupportedError,
    UnsupportedServerError,
    WrongKeyTypeError,
)


class Visit(HashModel):
    visitor: str = Field(primary_key=True)
    code: str | None = None
    maß: str | None = None  # noqa: PLC2401 - the point of a test

    class Meta:
        model_key_prefix = "visit"
        encoding = "latin-1"


class Box(JsonModel):
    number: int = Field(primary_key=True)


pytestmark = pytest.mark.usefixtures("models_url")


@pytest.mark.parametrize("document", [Visit(visitor="a"), Box(number=1)])
def test_a_document_expires(client: redis.Redis, document: Visit | Box) -> None:
    document.save().expire(100)
    assert client.ttl(document.key()) in (99, 100)
    document.save()
    assert client.ttl(document.key()) in (99, 100)
    pipeline = client.pipeline()
    document.expire(50, pipeline)
    assert client.ttl(document.key()) > 50
    assert pipeline.execute() == [True]
    assert client.ttl(document.key()) in (49, 50)
    document.expire(0)
    assert client.dbsize() == 0
    document.expire(5)
    assert client.dbsize() == 0


def test_fields(client: redis.Redis) -> None:
    visit = Visit(visitor="a", code="x").save()
    assert visit.field_ttl("code") == -1
    assert visit.expire_field("code", 100) == 1
    assert visit.field_ttl("code") in (99, 100)
    assert visit.persist_field("code") == 1
    assert (visit.persist_field("code"), visit.field_ttl("code")) == (-1, -1)
    assert visit.expire_field("code", 0) == 2
    assert not client.hexists(visit.key(), "code")
    missing = Visit(visitor="nobody")
    for one in (visit, missing):
        assert (one.expire_field("code", 5), one.field_ttl("code"), one.persist_field("code")) == (-2, -2, -2)


def test_conditions_of_a_fields_time() -> None:
    visit = Visit(visitor="a", code="x").save()
    assert visit.expire_field("code", 100, xx=True) == 0
    assert visit.expire_field("code", 100, nx=True) == 1
    assert visit.expire_field("code", 200, nx=True) == 0
    assert visit.expire_field("code", 50, gt=True) == 0
    assert visit.expire_field("code", 200, gt=True) == 1
    assert visit.expire_field("code", 300, lt=True) == 0
    assert visit.expire_field("code", 50, lt=True) == 1
    assert visit.expire_field("code", 300, xx=True) == 1
    assert visit.field_ttl("code") in (299, 300)
    with pytest.raises(ValueError, match="got nx and gt"):
        visit.expire_field("code", 1, nx=True, gt=True)


def test_names_are_in_the_models_encoding() -> None:
    visit = Visit(visitor="a", maß="x").save()
    assert visit.expire_field("maß", 100) == 1
    assert visit.field_ttl("maß") in (99, 100)


def test_a_key_of_another_type(client: redis.Redis) -> None:
    visit = Visit(visitor="a")
    client.set(visit.key(), "a string")
    for act in (visit.field_ttl, visit.persist_field, lambda name: visit.expire_field(name, 1)):
        with pytest.raises(WrongKeyTypeError, match="The key :visit:a is not of type hash"):
            act("code")


def test_a_server_that_cannot_do_it() -> None:
    """As Redis 7.0 answers."""
    operation = field_ttl(Visit(visitor="a"), "code")
    next(operation)
    with pytest.raises(NotImplementedError, match=r"Redis 7\.4 or Valkey 9") as caught:
        operation.throw(CommandError("ERR unknown command 'HTTL', with args beginning with: ':visit:a'"))
    assert isinstance(caught.value, FieldExpiryNotSupportedError)
    assert isinstance(caught.value, UnsupportedServerError)
