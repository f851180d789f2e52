"""Mistakes of first use: the error names the mistake as it was typed, and the call to use instead."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
import redis

import redstart.aio
from redstart import EmbeddedJsonModel, Field, HashModel, JsonModel, NotFoundError, RedisModelError, col
from redstart.errors import DocumentDecodeError, RedstartError
from redstart.mapping.models import HASH_METHODS
from tests.documents.flavours import done
from tests.support.models import create_indexes


class Branch(EmbeddedJsonModel):
    city: str = Field(index=True, default="")


class Shop(JsonModel, index=True):
    name: str = Field(index=True, default="")
    staff: int = Field(index=True, default=0)
    opened: datetime = Field(index=True, default=datetime(2024, 1, 1, tzinfo=UTC))
    day: date | None = Field(index=True, default=None)
    goods: list[str] = Field(index=True, default=[])
    branches: list[Branch] = Field(default=[])


class Visit(HashModel, index=True):
    token: str = Field(primary_key=True)
    at: datetime = Field(index=True, default=datetime(2024, 1, 1, tzinfo=UTC))


class AsyncShop(redstart.aio.JsonModel, index=True):
    name: str = ""


def query(condition: Any) -> Callable[[], Any]:
    return lambda: Shop.find(condition).query


def wrong(*calls: Any) -> list[Any]:
    return [pytest.param(*call, id=call[1]) for call in calls]


@pytest.mark.parametrize(
    ("call", "message"),
    wrong(
        (
            query(col(Shop.goods) % "x"),
            "goods for the words 'x': a list cannot be searched for words.\nUse Shop.goods == 'x', or << with a list.",
        ),
        (
            query(col(Shop.branches.city) % "x"),
            "a list cannot be searched for words.\nUse Shop.branches.city == 'x', or << with a list.",
        ),
        (
            query(col(Shop.name) % "x"),
            "is not indexed for full-text search.\nDeclare it with Field(full_text_search=True)",
        ),
        (
            query(Shop.goods == ["a", "b"]),
            "the field is a list of strings.\nPass one str; << finds any of several.",
        ),
        (
            query(col(Shop.branches.city) == ["a"]),
            "the field is a list of strings.\nPass one str; << finds any of several.",
        ),
        (query(col(Shop.goods) > "a"), "a list of strings does not support >."),
        (
            query(col(Shop.opened) > "2024-01-01"),
            "the field is a datetime.\nPass a datetime, for example datetime.fromisoformat('2024-01-01').",
        ),
        (query(col(Shop.opened) > "soon"), "the field is a datetime.\nPass a datetime."),
        (query(col(Shop.opened) == [1]), "the field is a datetime.\nPass a datetime."),
        (
            query(col(Shop.day) > "2024-01-01"),
            "the field is a date.\nPass a date, for example date.fromisoformat('2024-01-01').",
        ),
        (query(col(Shop.staff) > "many"), "the field is a number.\nPass a number."),
        (query(col(Shop.staff) << "12"), "the field is a number.\nPass a list: << ['12']."),
        (query(col(Shop.staff) >> "12"), "the field is a number.\nPass a list: << ['12']."),
        (
            query(col(Shop.staff).startswith("1")),
            "Shop.staff.startswith('1'): a number does not support startswith().",
        ),
        (
            query(col(Shop.opened).contains("1")),
            "Shop.opened.contains('1'): a datetime does not support contains().",
        ),
        (lambda: "x" in col(Shop.goods), "'x' in Shop.goods.\nUse Shop.goods == 'x'"),
        (
            lambda: "x" in col(Shop.name),
            "Use Shop.name == 'x', or Shop.name.contains('x') for a part of the text",
        ),
        (lambda: 5 not in col(Shop.staff), "Use Shop.staff == 5"),
        (
            lambda: Shop.find().only("branches__city"),
            "branches is a list; fields inside lists cannot be selected.\nSelect branches.",
        ),
        (
            lambda: Shop.find().values("branches__0__city"),
            "branches is a list; fields inside lists cannot be selected.\nSelect branches.",
        ),
        (
            lambda: Shop().update(branches__0__city="x"),
            "branches is a list; fields inside lists cannot be updated.\nChange the list and call save().",
        ),
        (
            lambda: Shop.find().update(branches__city="x"),
            "branches is a list; fields inside lists cannot be updated.\nChange the list and call save().",
        ),
        (
            lambda: Shop.find()[-1],
            "The position of a document has to be 0 or more, not -1.\n"
            'For the last document use sort_by("-field").first().',
        ),
        (lambda: Shop.find().all(batch_size=-1), "batch_size has to be 1 or more, not -1."),
        (lambda: Branch.get("x"), "it is embedded in other models.\nUse the model that contains it."),
        (
            lambda: JsonModel.get("x"),
            "it is abstract (abc.ABC is one of its bases).\nUse a model that is derived from it.",
        ),
    ),
)
def test_an_error_of_redstart(models_url: str, call: Callable[[], Any], message: str) -> None:
    with pytest.raises(RedstartError, match=re.escape(message)):
        call()


PRIMARY_KEYS = (
    "delete_many() takes documents, not primary keys such as {0}. For primary keys: Shop.delete(pk), or "
)
PRIMARY_KEYS += "Shop.delete_many(Shop.get_many([{0}]))."


@pytest.mark.parametrize(
    ("call", "message"),
    wrong(
        (lambda: Shop.delete_many("abc"), PRIMARY_KEYS.format("'abc'")),
        (lambda: Shop.delete_many(["x", "y"]), PRIMARY_KEYS.format("'x'")),
        (lambda: Shop.delete_many([7]), PRIMARY_KEYS.format("7")),
        (lambda: Shop.delete_many([UUID(int=1)]), PRIMARY_KEYS.format(repr(UUID(int=1)))),
        (
            lambda: Shop.delete_many(Shop(pk="a")),
            "Pass a list: delete_many([document]), or call Shop.delete(document.pk).",
        ),
        (lambda: Visit.delete_many(Visit(token="a")), "or call Visit.delete(document.token)."),
        (lambda: Shop.add(Shop(pk="a")), "Pass a list: add([document]), or call document.save()."),
        (
            lambda: Shop.add([Shop(), 5]),
            "models of add() has to be a list or another iterable of documents, not of 5.",
        ),
        (
            lambda: Shop.get(["a"]),
            "not ['a']. For several: Shop.get_many([...]), or Shop.delete_many(Shop.get_many([...])).",
        ),
        (lambda: Shop.delete({"a"}), "not {'a'}. For several: Shop.get_many([...])"),
        (
            lambda: Shop().save(field_expirations={"name": 5}),
            "Shop has no option field_expirations of save(): only fields of hashes (HashModel) can expire.",
        ),
        (
            lambda: done(AsyncShop().save(field_expirations={"name": 5})),
            "AsyncShop has no option field_expirations of save()",
        ),
        (lambda: Shop().save(nxx=True), "Shop.save() has no option 'nxx'."),
    ),
)
def test_a_type_error(models_url: str, call: Callable[[], Any], message: str) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        call()


@pytest.mark.parametrize("document", [Shop(), AsyncShop()], ids=["sync", "async"])
@pytest.mark.parametrize("name", HASH_METHODS)
def test_a_method_of_hashes_only(document: Any, name: str) -> None:
    assert hasattr(Visit(token="a"), name)
    with pytest.raises(
        AttributeError, match=rf"has no {name}\(\): only fields of hashes \(HashModel\) can expire"
    ):
        getattr(document, name)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        document.nothing


def test_no_document_matches(client: redis.Redis, models_url: str) -> None:
    create_indexes(client, Shop)
    with pytest.raises(NotFoundError, match="Shop: the index contains no document"):
        Shop.find().first()
    with pytest.raises(NotFoundError, match=r"Shop: no document matches Shop\.staff == 99$"):
        Shop.find(Shop.staff == 99).first()
    with pytest.raises(
        NotFoundError, match=r"matches \(Shop\.name\.startswith\('a'\)\) & \(~\(Shop\.staff > 5\)\)$"
    ):
        Shop.find(col(Shop.name).startswith("a"), ~(col(Shop.staff) > 5)).first()
    with pytest.raises(NotFoundError) as caught:
        Shop.find(Shop.name == "x" * 4000).first()
    assert len(str(caught.value)) < 500


def test_no_primary_key(models_url: str) -> None:
    with pytest.raises(NotFoundError, match="no document has the primary key None"):
        Shop.get(None)


def test_one_text_is_one_tag(client: redis.Redis, models_url: str) -> None:
    """As in redis-om, which queries each character of a text only for numbers."""
    create_indexes(client, Shop)
    shop = Shop(name="abc", goods=["abc", "x"]).save()
    assert Shop.find(col(Shop.goods) << "abc").all() == Shop.find(col(Shop.name) << "abc").all() == [shop]
    assert Shop.find(col(Shop.goods) >> "abc").all() == []


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("sortabl", "sortable"),
        ("Sortable", "sortable"),
        ("ful_text_search", "full_text_search"),
        ("primarykey", "primary_key"),
        ("indexed", "index"),
        ("expires", "expire"),
        ("seperator", "separator"),
        ("case_sensitiv", "case_sensitive"),
        ("vector_option", "vector_options"),
    ],
)
def test_a_misspelled_option(name: str, option: str) -> None:
    with pytest.raises(RedisModelError) as caught:
        Field(**{name: True})
    assert str(caught.value) == f"Field() has no option {name!r}.\nDid you mean {option!r}?"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "options",
    [
        {"description": "x", "examples": [1], "title": "X", "json_schema_extra": {"sort": 1}},
        {"index_name": "x"},
        {"sort": 1},
        {"unit": "m"},
        {"vector": True},
    ],
)
def test_options_that_pydantic_accepts(options: dict[str, Any]) -> None:
    assert Field(**options).json_schema_extra == options.get("json_schema_extra", options)


class Fading(HashModel):
    required: str = Field(expire=60)


class Lasting(HashModel):
    default: str = Field(default="old", expire=60)
    optional: str | None = Field(expire=60)


def test_the_value_of_a_field_after_its_expiry(client: redis.Redis, models_url: str) -> None:
    """As in redis-om, any field can expire; a required one cannot be read afterwards."""
    lasting = Lasting(default="new", optional="new").save()
    for name in ("default", "optional"):
        assert lasting.expire_field(name, 0) == 2
    client.hset(lasting.key(), "pk", lasting.pk)
    assert Lasting.get(lasting.pk) == Lasting(pk=lasting.pk, default="old", optional=None)
    fading = Fading(required="x").save()
    assert fading.expire_field("required", 0) == 2
    with pytest.raises(DocumentDecodeError, match="required"):
        Fading.get(fading.pk)


def test_documents_of_another_model(client: redis.Redis, models_url: str) -> None:
    visit = Visit(token="a")
    _ = Shop.add([visit])
    assert Visit.get("a") == visit
    assert Shop.delete_many([visit]) == 1
    assert not client.exists(visit.key())
