"""`all()` beside programs that write and delete: no document is missed that could be found throughout."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import redis

from redstart import Field, HashModel, JsonModel
from redstart.documents.fetch import documents_at
from redstart.documents.find import found_keys
from redstart.documents.query import query_of
from redstart.server.clients import open_sync
from redstart.values.timezones import NaiveTimezone
from tests.support.models import create_indexes

STAYING, GOING = 1_500, 300
"""More than one page, and more than the first search asks for."""


class Item(HashModel, index=True):
    name: str = Field(primary_key=True)
    kind: str = Field(index=True)
    turn: int = Field(default=0, index=True)


class Thing(JsonModel, index=True):
    name: str = Field(primary_key=True)
    kind: str = Field(index=True)
    turn: int = Field(default=0, index=True)


Model = type[Item] | type[Thing]


@contextmanager
def beside(work: Callable[[int], None]) -> Iterator[None]:
    """Do this again and again in another thread, with a number that counts up; its failure is the test's."""
    stop, failures = threading.Event(), []

    def loop() -> None:
        turn = 0
        try:
            while not stop.is_set():
                turn += 1
                work(turn)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test has to fail with it
            failures.append(error)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert failures == []


@pytest.mark.parametrize("model", [Item, Thing])
def test_nothing_is_missed(client: redis.Redis, models_url: str, model: Model) -> None:
    create_indexes(client, model)
    for number in range(STAYING):
        model(name=f"stays-{number}", kind="a").save()

    def write(turn: int) -> None:
        # Every write moves a document to the end of the index; others come and go.
        model(name=f"stays-{turn * 37 % STAYING}", kind="a", turn=turn).save()
        model(name=f"goes-{turn % GOING}", kind="a").save()
        model.delete(f"goes-{(turn + 7) % GOING}")

    wanted = {f"stays-{number}" for number in range(STAYING)}
    with beside(write):
        for _ in range(8):
            found = [one.name for one in model.find(model.kind == "a").all(batch_size=400)]
            assert len(found) == len(set(found))
            assert wanted <= set(found)
            streamed = [one.name for one in model.find()]
            assert wanted <= set(streamed)


def test_a_document_deleted_after_it_was_found_is_left_out(client: redis.Redis, models_url: str) -> None:
    create_indexes(client, Item)
    for number in range(5):
        Item(name=str(number), kind="a").save()
    zone = NaiveTimezone.parse("UTC")
    with open_sync(models_url) as driver:
        keys = driver.run(found_keys(query_of(Item, ()), zone))
        Item.delete("3")
        found = driver.run(documents_at(Item, keys, zone))
    assert len(keys) == 5
    assert sorted(item.name for item in found) == ["0", "1", "2", "4"]
