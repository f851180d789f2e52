"""Fields may have any name: they are stored, found, sorted by, projected and changed by it."""

from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from pydantic import create_model

from redstart import (
    EmbeddedJsonModel,
    Field,
    HashModel,
    JsonModel,
    MigrationError,
    Migrator,
    RedisModelError,
    col,
)
from redstart.commands.search import ft_info
from redstart.errors import DocumentEncodeError
from redstart.search.index_info import read_info
from tests.support.models import create_indexes, registry_of_its_own

pytestmark = pytest.mark.usefixtures("models_url")

NAMES = [
    *(
        "größe",
        "日本",
        "ａ",
        "double__under",
        "a__b__c",
        "a.b",
        "a b",
        "a-b",
        "a:b",
        "it's",
        'q"t',
        "a\\b",
        "a[0]",
        "a*",
    ),
    *("$x", "@a", "a{b}", "a|b", "a,b", "a(b)", "a[*]", "9a", "PARAMS", "true"),
]
MOMENT = datetime(2020, 1, 1, tzinfo=UTC)


def model_with(base: Any, name: str, **others: Any) -> Any:
    fields: dict[str, Any] = {
        name: (str, Field(index=True, sortable=True, full_text_search=True)),
        f"{name}_n": (int, Field(index=True, sortable=True)),
        f"{name}_t": (datetime, Field(default=MOMENT, index=True)),
        f"{name}_u": (str, ""),
    }
    return create_model("Odd", __base__=base, __cls_kwargs__={"index": True}, **fields, **others)


def check_field(model: Any, name: str, documents: list[Any], read: Any = getattr) -> None:
    text, number = col(getattr(model, name)), col(getattr(model, f"{name}_n"))
    for condition, expected in (
        (text == "one", {1}),
        (text != "one", {2, 3}),
        (text << ["one", "two"], {1, 2}),
        (text.startswith("t"), {2, 3}),
        (text.contains("ne"), {1}),
        (text % "one", {1}),
        (number > 1, {2, 3}),
        (~(number == 1), {2, 3}),
        (getattr(model, f"{name}_t") == MOMENT, {1, 2, 3}),
    ):
        assert {read(one, f"{name}_n") for one in model.find(condition)} == expected, condition


@pytest.mark.sample(18)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("base", [HashModel, JsonModel])
def test_a_field_of_any_name(client: redis.Redis, base: Any, name: str) -> None:
    model = model_with(base, name)
    create_indexes(client, model)
    values = [{name: text, f"{name}_n": n} for n, text in enumerate(("one", "two", "three"), 1)]
    documents = model.add([model(**one) for one in values])
    check_field(model, name, documents)
    assert model.find().sort_by(f"-{name}_n").all() == documents[::-1]
    assert [getattr(one, name) for one in model.find().sort_by(name)] == ["one", "three", "two"]
    assert [one.pk for one in model.find().sort_by(f"{name}_t", f"-{name}_n")] == [
        one.pk for one in documents[::-1]
    ]
    shown = model.find().sort_by(f"{name}_n")
    assert shown.values(name, f"{name}_n").all() == values
    assert shown.values(f"{name}_u").all() == [{f"{name}_u": ""}] * 3
    assert [getattr(one, name) for one in shown.only(name).all()] == ["one", "two", "three"]
    if base is JsonModel and "\\" in name:
        for update in (documents[1].update, model.find().update):
            with pytest.raises(DocumentEncodeError, match="Save the whole document"):
                update(**{f"{name}_u": "own"})
        assert model.get(documents[1].pk) == documents[1].save()
        return
    model.find(col(getattr(model, name)) == "one").update(**{f"{name}_u": "changed"})
    documents[1].update(**{f"{name}_u": "own"})
    assert [one[f"{name}_u"] for one in shown.values(f"{name}_u").all()] == ["changed", "own", ""]
    assert model.find(col(getattr(model, name)) == "two").delete() == 1


@pytest.mark.sample(20)
@pytest.mark.parametrize("name", NAMES)
def test_a_field_of_any_name_in_other_documents(client: redis.Redis, name: str) -> None:
    part = create_model(
        "Part",
        __base__=EmbeddedJsonModel,
        **{name: (str, Field(index=True)), f"{name}_n": (int, Field(index=True))},
    )
    item = create_model("Item", __base__=EmbeddedJsonModel, **{name: (str, Field(index=True))})
    fields: dict[str, Any] = {name: (part, ...), "parts": (list[item], [])}  # type: ignore[valid-type]
    model: Any = create_model("Whole", __base__=JsonModel, __cls_kwargs__={"index": True}, **fields)
    create_indexes(client, model)
    documents = model.add(
        [
            model(**{name: {name: text, f"{name}_n": n}, "parts": [{name: text}, {name: "x"}]})
            for n, text in enumerate("abc")
        ]
    )
    inside = getattr(model, name)
    assert model.find(getattr(inside, name) == "b").all() == [documents[1]]
    assert model.find(getattr(inside, f"{name}_n") > 0).count() == 2
    assert model.find(getattr(model.parts, name) == "c").all() == [documents[2]]
    assert model.find().sort_by(f"-{name}__{name}_n").first() == documents[2]
    path = f"{name}__{name}"
    assert model.find(getattr(inside, name) == "b").values(path).all() == [{path: "b"}]
    assert getattr(model.find(getattr(inside, name) == "b").only(path).first(), path) == "b"
    if "\\" in name:
        with pytest.raises(DocumentEncodeError, match="Save the whole document"):
            documents[0].update(**{path: "z"})
        return
    documents[0].update(**{path: "z"})
    model.find(getattr(inside, name) == "b").update(**{path: "y"})
    assert [one[path] for one in model.find().sort_by(f"{name}__{name}_n").values(path).all()] == [
        "z",
        "y",
        "c",
    ]


def test_ordinary_names_have_the_paths_they_had() -> None:
    class Usual(JsonModel, index=True):
        name: str = Field(index=True)
        snake_case2: int = Field(index=True)

        class Meta:
            model_key_prefix = "usual"

    assert Usual.redisearch_schema().endswith(
        " SCHEMA $.pk AS pk TAG SEPARATOR | $.name AS name TAG SEPARATOR | $.snake_case2 AS snake_case2 NUMERIC"
    )


@pytest.mark.parametrize("name", ["größe", "a b", 'q"t', "a-b"])
def test_migrations_know_such_indexes(client: redis.Redis, name: str) -> None:
    with registry_of_its_own():
        model = model_with(JsonModel, name)
        Migrator().run()
        first = read_info(client.execute_command(*ft_info(model._meta.index_name).args)).name
        model(**{name: "one", f"{name}_n": 1}).save()
        migrator = Migrator()
        migrator.run()
    assert migrator.migrations == []
    assert read_info(client.execute_command(*ft_info(model._meta.index_name).args)).name == first
    assert model.find(getattr(model, name) == "one").count() == 1


class Inner(EmbeddedJsonModel):
    b: str = Field(index=True)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"a": (Inner, ...), "a_b": (str, Field(index=True))}, r"in the index, 'a_b': \$\.a\.b and \$\.a_b"),
        ({"a": (list[Inner], ...), "a_b": (str, Field(index=True))}, r"\$\.a\[\*\]\.b and \$\.a_b"),
        (
            {"a": (str, Field(full_text_search=True)), "a_fts": (str, Field(index=True))},
            r"in the index, 'a_fts': \$\.a and \$\.a_fts",
        ),
    ],
)
def test_two_fields_of_one_name_in_the_index_are_refused_with_the_class(fields: Any, named: str) -> None:
    with pytest.raises(RedisModelError, match=rf"Clash has two fields .*{named}"):
        create_model("Clash", __base__=JsonModel, __cls_kwargs__={"index": True}, **fields)


def test_an_index_that_the_server_refuses_blocks_no_other(
    client: redis.Redis, models_of_before: None
) -> None:
    many: dict[str, Any] = {f"f{number}": (int, Field(default=0, index=True)) for number in range(1_100)}
    with registry_of_its_own():
        models: list[Any] = [
            create_model(name, __base__=HashModel, __cls_kwargs__={"index": True}, **fields)
            for name, fields in (("First", {}), ("Wide", many), ("Wider", many), ("Last", {}))
        ]
        with pytest.raises(MigrationError) as raised:
            Migrator().run()
    said = str(raised.value)
    assert "2 indexes were refused; 2 others were migrated" in said
    assert all(f"{model.__name__} ({model._meta.index_name}): " in said for model in models[1:3])
    assert [model.find().count() for model in (models[0], models[3])] == [0, 0]


@pytest.mark.parametrize("name", ["sortable", "NoIndex", "indexmissing"])
def test_a_field_of_a_hash_that_is_an_option_of_the_index_is_refused_with_the_class(name: str) -> None:
    fields: dict[str, Any] = {name: (str, Field(default="x", index=True))}
    with pytest.raises(RedisModelError, match=rf"Odd\.{name} cannot be indexed in a hash"):
        create_model("Odd", __base__=HashModel, __cls_kwargs__={"index": True}, **fields)
    with registry_of_its_own():
        create_model("Odd", __base__=JsonModel, __cls_kwargs__={"index": True}, **fields)
