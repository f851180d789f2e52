"""Indexes of models that have little to index, or too much."""

import uuid
from datetime import date
from typing import Any

import pytest
import redis
from pydantic import create_model

from redstart import EmbeddedJsonModel, Field, JsonModel
from redstart.errors import QueryNotSupportedError
from tests.support.models import create_indexes

pytestmark = pytest.mark.usefixtures("models_url")


class Node(EmbeddedJsonModel):
    name: str = Field(index=True)
    below: "list[Node]" = []  # noqa: RUF012 - a pydantic field


class Tree(JsonModel, index=True):
    root: Node


def test_a_model_that_contains_itself(client: redis.Redis) -> None:
    create_indexes(client, Tree)
    tree = Tree(root=Node(name="a", below=[Node(name="b")])).save()
    assert Tree.find(Tree.root.name == "a").all() == [tree]
    with pytest.raises(QueryNotSupportedError, match=r"Tree\.root\.below\.name .*not indexed"):
        Tree.find(Tree.root.below.name == "b").all()


@pytest.mark.parametrize(
    ("annotation", "one", "other"),
    [
        (int, 5, 6),
        (uuid.UUID, uuid.UUID(int=5), uuid.UUID(int=6)),
        (date, date(2023, 1, 2), date(2023, 1, 3)),
    ],
)
def test_a_model_with_nothing_but_its_key(client: redis.Redis, annotation: Any, one: Any, other: Any) -> None:
    model: Any = create_model("Keyed", __base__=JsonModel, f=(annotation, Field(primary_key=True)))
    # redis-om makes no index of that: the server refuses one without a field.
    assert model.redisearch_schema().endswith(" SCHEMA ")
    create_indexes(client, model)
    documents = [model(f=key).save() for key in (one, other)]
    assert model.find(model.f == one).all() == documents[:1]
    assert model.find().count() == 2
