"""Large documents are read and deleted a few at a time: no reply holds all of them."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis

from redstart import Field, HashModel, JsonModel
from redstart.documents import deleting, fetching
from redstart.documents.deleting import delete_keys
from redstart.embedded.process import EmbeddedServer
from redstart.server.connections import open_sync
from tests.support.counting_proxy import CountingProxy
from tests.support.models import create_indexes

MAX_REPLY_BYTES = 16_000_000
BODY = "x" * 4_000_000
COUNT = 10


class LargeJson(JsonModel, index=True):
    number: int = Field(index=True, sortable=True)
    body: str

    class Meta:
        global_key_prefix = "large"
        model_key_prefix = "json"


class LargeHash(HashModel, index=True):
    number: int = Field(index=True, sortable=True)
    body: str

    class Meta:
        global_key_prefix = "large"
        model_key_prefix = "hash"


Model = type[LargeJson] | type[LargeHash]
METHODS: dict[str, Callable[[Any, list[str]], list[Any]]] = {
    "all": lambda model, _: model.find().all(),
    "all, sorted": lambda model, _: model.find().sort_by("-number").all(),
    "all, limited": lambda model, _: model.find().copy(limit=COUNT).all(),
    "execute": lambda model, _: model.find().execute(),
    "iteration": lambda model, _: list(model.find()),
    "page": lambda model, _: model.find().page(0, COUNT),
    "values": lambda model, _: model.find().values("body").all(),
    "only": lambda model, _: model.find().only("body").all(),
    "get_many": lambda model, pks: model.get_many(pks),
}


@pytest.fixture
def proxy(
    own_server: Callable[..., EmbeddedServer], monkeypatch: pytest.MonkeyPatch
) -> Iterator[CountingProxy]:
    server = own_server()
    with redis.Redis.from_url(server.url) as client, CountingProxy(urlsplit(server.url).path) as proxy:
        create_indexes(client, LargeJson, LargeHash)
        monkeypatch.setenv("REDIS_OM_URL", proxy.url)
        yield proxy


@pytest.mark.parametrize("model", [LargeJson, LargeHash])
def test_no_reply_to_a_read_is_above_the_limit(proxy: CountingProxy, model: Model) -> None:
    pks = [str(model(number=number, body=BODY).save().pk) for number in range(COUNT)]
    for name, method in METHODS.items():
        fetching._page_sizes.clear()
        for attempt in ("first", "later"):
            proxy.most_at_once = 0
            assert len(method(model, pks)) == COUNT, name
            assert proxy.most_at_once < MAX_REPLY_BYTES, (name, attempt)
    assert model.find(model.number < COUNT - 1).delete() == COUNT - 1
    assert [one.number for one in model.find().all()] == [COUNT - 1]


def test_the_measure_sees_a_larger_page(proxy: CountingProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or else the test above could not fail."""
    monkeypatch.setattr("redstart.commands.packing.PAGE_BYTES", 10**9)
    for number in range(COUNT):
        _ = LargeHash(number=number, body=BODY).save()
    _ = LargeHash.find().all()
    _ = LargeHash.find().all()
    assert proxy.most_at_once > MAX_REPLY_BYTES


def test_small_documents_come_with_their_search_again(proxy: CountingProxy) -> None:
    for number in range(300):
        _ = LargeHash(number=number, body="small").save()
    for _ in range(5):
        assert len(LargeHash.find().all()) == 300
    assert fetching.page_size_of(LargeHash).keys >= 300


@pytest.mark.parametrize("count", [0, 1, deleting.PAGE_KEYS, deleting.PAGE_KEYS + 1, 2_500])
def test_deletions_count_what_there_was(client: redis.Redis, url: str, count: int) -> None:
    keys = [b"k%d" % number for number in range(count)]
    if keys:
        client.mset(dict.fromkeys(keys[::2], "x"))
    with open_sync(url) as driver:
        assert driver.run(delete_keys([*keys, *keys])) == len(keys[::2])
    assert client.dbsize() == 0
