"""The corpus read as an application reads it: the same from before the migration, after it, and by key or query."""

import importlib
from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from redstart.documents.find import found_keys
from redstart.documents.query import query_of
from redstart.errors import DocumentDecodeError, NotFoundError, WrongKeyTypeError
from redstart.sync.connections import server_of_model
from redstart.values.timezones import NaiveTimezone
from tests.corpus.conftest import PART, Om
from tests.support.corpus import MODELS_DIRECTORY

EMPTY_BUT_READABLE = 5

pytestmark = pytest.mark.corpus


@pytest.fixture
def models(url: str, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The models of the corpus, on the server of the test."""
    monkeypatch.setenv("REDIS_OM_URL", url)
    monkeypatch.syspath_prepend(MODELS_DIRECTORY)
    shop = importlib.import_module("shop_models")
    return [shop.Customer, shop.Order, shop.LoginSession]


def read(client: redis.Redis, models: list[Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return each document by its key, and the field that makes a document unreadable."""
    documents: dict[str, Any] = {}
    unreadable: dict[str, str] = {}
    for model in models:
        prefix = model.make_key("")
        for key in client.scan_iter(match=f"{prefix}*", count=1_000):
            primary_key = key.decode().removeprefix(prefix)
            try:
                documents[key.decode()] = model.get(primary_key)
            except DocumentDecodeError as error:
                assert error.key == key.decode()
                unreadable[error.key] = error.field
            except (WrongKeyTypeError, NotFoundError):
                continue  # a key of something else under the prefix; a document that expired by now
    return documents, unreadable


@pytest.mark.soak
def test_documents_are_the_same_before_and_after(
    part_of_corpus: redis.Redis, om: Om, models: list[Any]
) -> None:
    corpus = part_of_corpus
    before, bad_before = read(corpus, models)
    assert len(before) > 5_800 // PART
    assert 0 < len(bad_before) < 100
    om("run", "--yes", "--accept-unindexed")
    after, bad_after = read(corpus, models)
    assert set(bad_after) <= set(bad_before)
    assert set(before) <= set(after)
    different = {key: (document, after[key]) for key, document in before.items() if document != after[key]}
    assert different == {}

    middle = datetime(2022, 1, 1, tzinfo=UTC)
    for model, field in zip(models, ("created_at", "created_at", "started_at"), strict=True):
        found = index_keys(model, getattr(model, field) >= middle)
        expected = {key for key, one in after.items() if type(one) is model and getattr(one, field) >= middle}
        assert len(expected) > 500 // PART
        # A "" that is null to the model keeps its hash out of a numeric index.
        assert found - set(bad_after) <= expected
        assert len(expected - found) <= EMPTY_BUT_READABLE
        dates = [
            getattr(one, field)
            for one in model.find(getattr(model, field) >= middle).sort_by(field).page(0, 48 // PART)
        ]
        assert dates == sorted(getattr(after[key], field) for key in expected & found)[: 48 // PART]


def index_keys(model: Any, condition: Any) -> set[str]:
    """The keys a query finds, readable or not."""
    zone = NaiveTimezone.parse("UTC")
    return {
        key.decode() for key in server_of_model(model).run(found_keys(query_of(model, (condition,)), zone))
    }
