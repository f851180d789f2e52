"""The index of a model: what redis-om gets wrong, what is refused, and the corpus' own texts."""

import datetime
import enum
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NewType

import pytest
from pydantic import AwareDatetime, BaseModel

from redstart import EmbeddedJsonModel, Field, HashModel, JsonModel
from redstart.errors import RedisModelError
from redstart.mapping.base_model import registered_models
from redstart.mapping.coordinates import Coordinates
from redstart.mapping.index_schema import index_of, reference_schema
from redstart.mapping.models import RedisModel
from redstart.mapping.vectors import VectorFieldOptions
from redstart.search.schema import FieldKind, schema_hash
from tests.corpus_models import shop_models
from tests.support.corpus import corpus_path
from tests.support.legacy_index import legacy_index_of, legacy_schema

Amount = NewType("Amount", int)
FLAT = VectorFieldOptions.flat(
    VectorFieldOptions.TYPE.FLOAT32, 3, VectorFieldOptions.DISTANCE_METRIC.COSINE, initial_cap=10
)


class Level(enum.Enum):
    LOW = 1


def json_field(annotation: Any, **options: Any) -> str:
    """What one marked field of a JsonModel gives, as text."""

    class Model(JsonModel):
        f: annotation = Field(**({"index": True} | options))

    return reference_schema(Model).partition("pk TAG SEPARATOR | ")[2]


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (AwareDatetime, "NUMERIC"),
        (Amount, "NUMERIC"),
        (datetime.timedelta, "NUMERIC"),
        (Level, "NUMERIC"),
        (Literal[1, 2], "NUMERIC"),
        (Coordinates, "GEO"),
        (Coordinates | None, "GEO"),
        (set[int], "NUMERIC"),
    ],
)
def test_types_that_redis_om_indexes_wrongly_or_not_at_all(annotation: Any, kind: str) -> None:
    assert json_field(annotation) == f"$.f AS f {kind}"


def test_options_inside_annotated_count() -> None:
    class Model(HashModel):
        f: Annotated[str, Field(index=True, sortable=True)]

    assert reference_schema(Model).endswith("f TAG SEPARATOR | SORTABLE")


def test_vectors() -> None:
    text = "VECTOR FLAT 8 TYPE FLOAT32 DIM 3 DISTANCE_METRIC COSINE INITIAL_CAP 10"
    assert json_field(list[float], vector_options=FLAT) == f"$.f AS f {text}"

    class Model(HashModel):
        f: list[float] = Field(vector_options=FLAT)

    assert reference_schema(Model).endswith(f" f {text}")


class Plain(BaseModel):
    a: str


@pytest.mark.parametrize("annotation", [dict[str, str], Mapping[str, int], dict, Plain, Plain | None])
def test_what_has_parts_is_refused_by_name(annotation: Any) -> None:
    with pytest.raises(RedisModelError, match=r"Model\.f cannot be indexed: its type is .*(map|Plain)"):
        json_field(annotation)


@pytest.mark.parametrize("annotation", [list[Plain], list[dict[str, int]], tuple[Plain, ...], list[Any]])
def test_lists_of_what_has_parts_are_refused(annotation: Any) -> None:
    with pytest.raises(
        RedisModelError, match=r"Model\.f(: List| cannot be indexed: its type is a list of (Plain|dict))"
    ):
        json_field(annotation)


def test_lists_of_a_few_words_are_lists_of_words() -> None:
    assert json_field(list[Literal["a", "b"]]) == "$.f[*] AS f TAG SEPARATOR |"


@pytest.mark.parametrize("annotation", [list[int], list[float], list[datetime.date], list[bool]])
def test_lists_of_other_things_than_strings_are_refused(annotation: Any) -> None:
    with pytest.raises(RedisModelError, match=r"Model\.f: List and tuple fields can only contain strings"):
        json_field(annotation)


def test_words_of_lists_and_words_with_case_are_refused() -> None:
    with pytest.raises(RedisModelError, match="cannot be indexed for full-text search"):
        json_field(list[str], full_text_search=True)
    with pytest.raises(RedisModelError, match="cannot be case-sensitive"):
        json_field(str, full_text_search=True, case_sensitive=True)


def test_a_number_inside_a_list_of_models_is_refused_by_its_path() -> None:
    class Line(EmbeddedJsonModel):
        amount: int = Field(index=True)

    with pytest.raises(RedisModelError, match=r"Invoice\.lines\.amount"):

        class Invoice(JsonModel):
            lines: list[Line]


class Node(EmbeddedJsonModel):
    name: str = Field(index=True)
    beside: "Node | None" = None
    below: "list[Node]" = []  # noqa: RUF012 - a pydantic field


def test_they_are_refused_when_the_class_is_made_or_its_names_are_known() -> None:
    before = registered_models()
    with pytest.raises(RedisModelError, match=r"Broken\.data cannot be indexed: its type is a map \(E4\)"):

        class Broken(JsonModel):
            data: dict[str, str] = Field(default={}, index=True)

    assert registered_models() == before

    class Early(JsonModel):
        parts: "list[Part]"

    class Part(EmbeddedJsonModel):
        size: int = Field(index=True)

    Early.model_rebuild()
    with pytest.raises(RedisModelError, match=r"Early\.parts\.size: List .* \(E12\)"):
        _ = Early.find(Early.parts.size == 1).query


def test_a_model_that_contains_itself_is_indexed_to_the_first_depth() -> None:
    class Tree(JsonModel):
        root: Node
        other: Node | None = None

    assert [field.attribute for field in index_of(Tree).fields] == ["pk", "root_name", "other_name"]


def test_the_prefix_of_the_index_ends_where_primary_keys_begin() -> None:
    class Model(HashModel):
        a: str = Field(index=True)

        class Meta:
            global_key_prefix = "g"
            model_key_prefix = "m"
            primary_key_pattern = "x-{pk}-y"

    assert index_of(Model).prefixes == ("g:m:x-",)
    # redis-om's own index of such a model is empty: no key begins like this.
    assert "PREFIX 1 g:m:x--y " in reference_schema(Model)


def test_a_model_without_storage_has_no_index() -> None:
    class Neither(RedisModel):
        a: str

    with pytest.raises(RedisModelError, match="neither a HashModel nor a JsonModel"):
        index_of(Neither)


def test_dates_were_tags_and_are_numbers() -> None:
    model = shop_models.Customer
    before, after = (index.field_named("created_at") for index in (legacy_index_of(model), index_of(model)))
    assert before is not None and after is not None
    assert (before.kind, after.kind) == (FieldKind.TAG, FieldKind.NUMERIC)


@pytest.mark.corpus
def test_indexes_of_the_corpus() -> None:
    corpus = corpus_path()
    if corpus is None:
        pytest.skip("the corpus that redis-om 0.3.5 wrote is not here")
    recorded = json.loads((corpus / "indexes.json").read_text())
    models = {index_of(model).name.replace("tests.corpus_models.", ""): model for model in corpus_models()}
    assert {one["index_name"] for one in recorded} == models.keys()
    for one in recorded:
        text = legacy_schema(models[one["index_name"]]).replace("tests.corpus_models.", "")
        assert (text, schema_hash(text)) == (one["schema"], one["hash"])


def corpus_models() -> list[type[RedisModel]]:
    return [shop_models.Customer, shop_models.Order, shop_models.LoginSession]
