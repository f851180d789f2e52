"""Models of which one's key prefix is the beginning of the other's: queries warn, and change no foreign documents."""

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import redis

import redstart.aio
from redstart import Field, HashModel, JsonModel, QueryNotSupportedError
from redstart.errors import OverlappingPrefixesWarning
from redstart.mapping import key_overlaps
from tests.documents.flavours import done, iterated
from tests.support.models import create_indexes, registry_of_its_own

pytestmark = pytest.mark.usefixtures("models_url")

BASES = [HashModel, JsonModel, redstart.aio.HashModel, redstart.aio.JsonModel]


@pytest.fixture(autouse=True)
def only_these_models() -> Iterator[None]:
    key_overlaps._warn.cache_clear()  # it warns once in a process
    with registry_of_its_own():
        yield


def model(base: Any, name: str, prefix: str, **settings: Any) -> Any:
    """A model with this key prefix."""

    class Meta:
        global_key_prefix = "near"
        model_key_prefix = prefix
        index_name = f"near:{name}"

    for setting, value in settings.items():
        setattr(Meta, setting, value)
    body = {
        "__annotations__": {"name": str, "rank": int},
        "name": Field(default="x", index=True),
        "rank": Field(default=0, index=True),
        "Meta": Meta,
        "__module__": __name__,
        "__qualname__": name,
    }
    return type(base)(name, (base,), body, index=True)


def warned(ask: Any) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ask()
    return [str(one.message) for one in caught if one.category is OverlappingPrefixesWarning]


@pytest.mark.parametrize("base", BASES, ids=lambda base: f"{base.__module__}.{base.__name__}")
def test_they_are_not_changed_with_the_others(client: redis.Redis, base: Any) -> None:
    outer, inner = model(base, "Outer", "p"), model(base, "Inner", "p:q")
    create_indexes(client, outer, inner)
    (message,) = warned(outer.find)
    for part in (f"{__name__}.Outer", f"{__name__}.Inner", "'near:p:'", "'near:p:q:'", "model_key_prefix"):
        assert part in message
    assert warned(outer.find) == warned(inner.find) == []
    done(outer.add([outer(pk="1", rank=1), outer(pk="2")]))
    done(inner.add([inner(pk="1", rank=1), inner(pk="2", name="inner")]))
    before = {key: client.dump(key) for key in client.scan_iter()}
    for verb, change in (
        ("delete", lambda query: query.delete()),
        ("update", lambda query: query.update(rank=7)),
        ("update", lambda query: query.update(rank=7, use_transaction=False)),
    ):
        with pytest.raises(
            QueryNotSupportedError, match=rf"also matches documents of .*Inner \([12], .* Nothing was {verb}d"
        ) as refused:
            done(change(outer.find()))
        assert "near:p:q:" in refused.value.message
        with pytest.raises(QueryNotSupportedError, match=r"also matches .*Inner \(1, .* near:p:q:1\): "):
            done(change(outer.find(outer.rank == 1)))
        assert {key: client.dump(key) for key in client.scan_iter()} == before
    done(outer.find(outer.name == "x", outer.rank == 0).update(rank=9))
    assert done(outer.get("2")).rank == 9
    assert done(inner.find().delete()) == 2
    assert done(outer.find().delete()) == 2
    assert client.dbsize() == 0


def test_prefixes_that_do_not_overlap(client: redis.Redis) -> None:
    outer = model(HashModel, "Outer", "p")
    model(HashModel, "Beside", "pq")
    model(JsonModel, "OtherForm", "p:json")
    model(HashModel, "Same", "p")
    model(outer.__base__, "Elsewhere", "p:elsewhere", database=client)
    model(redstart.aio.HashModel, "Outer", "p")

    class Special(outer):  # type: ignore[misc, valid-type]
        class Meta:
            global_key_prefix = "near"
            model_key_prefix = "p:special"

    assert warned(outer.find) == []


@pytest.mark.parametrize("base", BASES, ids=lambda base: f"{base.__module__}.{base.__name__}")
def test_a_model_that_is_declared_later_is_noticed(client: redis.Redis, base: Any) -> None:
    outer = model(base, "Outer", "later")
    create_indexes(client, outer)
    assert warned(outer.find) == []
    model(base, "Inner", "later:inner")
    assert len(warned(lambda: iterated(done(outer.all_pks())))) == 1
