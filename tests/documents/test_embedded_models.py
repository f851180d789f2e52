"""Embedded models: of the classes that redis-om's are, without documents of their own."""

import asyncio
import inspect
from typing import Any

import pytest
import redis

import redstart
import redstart.aio
from redstart import Field
from redstart.errors import QuerySyntaxError, RedisModelError
from tests.support.models import create_indexes
from tests.support.servers import client_with_protocol

PACKAGES = [redstart, redstart.aio]
NEED_A_KEY = {
    "add": lambda part: ([part],),
    "all_pks": lambda part: (),
    "delete": lambda part: ("1",),
    "delete_many": lambda part: ([part],),
    "expire": lambda part: (5,),
    "find": lambda part: (),
    "get": lambda part: ("1",),
    "get_many": lambda part: (["1"],),
    "key": lambda part: (),
    "save": lambda part: (),
    "update": lambda part: (),
}


def part_of(package: Any) -> Any:
    class Part(package.EmbeddedJsonModel):
        name: str = Field(default="", index=True)

    return Part(name="a")


@pytest.mark.parametrize("package", PACKAGES)
def test_an_embedded_model_is_a_json_model(package: Any) -> None:
    part = part_of(package)
    assert isinstance(part, package.EmbeddedJsonModel)
    assert isinstance(part, package.JsonModel)
    assert isinstance(part, package.RedisModel)
    assert not isinstance(part, package.HashModel)
    assert (part._meta.embedded, part.pk, part.model_dump()) == (True, None, {"name": "a"})


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("method", NEED_A_KEY)
def test_what_needs_a_key_is_an_error(
    client: redis.Redis, models_url: str, package: Any, method: str
) -> None:
    part = part_of(package)

    async def call() -> None:
        words = {"name": "b"} if method == "update" else {}
        result = getattr(part, method)(*NEED_A_KEY[method](part), **words)
        result = await result if inspect.isawaitable(result) else result
        if hasattr(result, "__aiter__"):
            _ = [one async for one in result]
        elif method == "all_pks":
            _ = list(result)

    with pytest.raises(RedisModelError, match=r"Part (is an embedded model|has no documents of its own)"):
        asyncio.run(call())
    assert client.dbsize() == 0


@pytest.mark.parametrize("package", PACKAGES)
def test_a_field_of_a_query_is_taken_from_its_model(package: Any) -> None:
    class Page(package.JsonModel):
        title: str = Field(index=True)

    proxy = type(Page.title)
    with pytest.raises(TypeError, match=r"field of a query from FieldInfo\(.*Use Model\.name"):
        proxy(Page.model_fields["title"], [])


@pytest.mark.parametrize("protocol", [2, 3])
def test_a_reply_without_whole_documents_is_refused(url: str, models_url: str, protocol: int) -> None:
    class Page(redstart.JsonModel, index=True):
        title: str = Field(index=True)
        text: str | None = None

    with redis.Redis.from_url(url) as undecoded:
        create_indexes(undecoded, Page)
    page = Page(title="a", text="b").save()
    with client_with_protocol(url, protocol, decode_responses=True) as client:

        def search(*words: str) -> list[Page]:
            return Page.from_redis(client.execute_command("FT.SEARCH", Page.Meta.index_name, "*", *words))

        assert search() == search("RETURN", "1", "$") == [page]
        assert search("WITHSCORES") == search("WITHSCORES", "WITHPAYLOADS") == [page]
        assert search("NOCONTENT") == search("NOCONTENT", "WITHSCORES") == []
        for returned in (["1", "title"], ["4", "$.title", "AS", "title", "pk"]):
            with pytest.raises(QuerySyntaxError, match=rf"only a part of .*Page {page.key()}: title"):
                search("RETURN", *returned)
    for empty in (None, [], {}, [0]):
        assert Page.from_redis(empty) == []


@pytest.mark.parametrize("save", ["save", "update"])
def test_the_key_of_an_embedded_document_of_redis_om_0_is_left_out(
    client: redis.Redis, models_url: str, save: str
) -> None:
    """0.3.5 stored one that nothing uses; see docs/from-redis-om.md."""

    class Inner(redstart.EmbeddedJsonModel):
        number: int

    class Outer(redstart.JsonModel):
        inner: Inner
        note: str = ""

    key = Outer.make_key("1")
    client.json().set(
        key, "$", {"pk": "1", "inner": {"pk": "01M8KWM68FH1M4R6T45XPDRTA1", "number": 1}, "note": ""}
    )
    document = Outer.get("1")
    assert (document.inner.pk, document.inner.number) == (None, 1)
    if save == "save":
        document.save()
        assert client.json().get(key) == {"pk": "1", "inner": {"number": 1}, "note": ""}
    else:  # what is not named is neither read nor written
        document.update(note="x")
        assert client.json().get(key)["inner"] == {"pk": "01M8KWM68FH1M4R6T45XPDRTA1", "number": 1}
