# ruff: noqa: UP045, RUF012 - models in the spellings that applications really use
from typing import Annotated, Generic, Optional, TypeVar

import pydantic
import pytest
from pydantic_core import PydanticUndefined
from typing_extensions import TypeAliasType

from redstart.mapping.fields import IGNORED, Field, FieldInfo, FieldOptions, field_options
from redstart.mapping.models import HashModel, JsonModel
from redstart.mapping.vectors import VectorFieldOptions

FLAT = VectorFieldOptions.flat(VectorFieldOptions.TYPE.FLOAT32, 3, VectorFieldOptions.DISTANCE_METRIC.L2)


def test_field_returns_pydantics_field_info_with_the_options_as_attributes():
    info = Field(
        "x",
        primary_key=True,
        sortable=True,
        case_sensitive=True,
        index=True,
        full_text_search=True,
        vector_options=FLAT,
        expire=60,
        separator=",",
        description="words",
    )
    assert isinstance(info, FieldInfo)
    assert isinstance(info, pydantic.fields.FieldInfo)
    assert (info.default, info.description) == ("x", "words")
    assert (info.primary_key, info.sortable, info.case_sensitive, info.index) == (True, True, True, True)
    assert (info.full_text_search, info.vector_options, info.expire, info.separator) == (True, FLAT, 60, ",")


def test_omitted_options_differ_from_false():
    info = Field()
    assert info.primary_key is False
    assert info.index is None
    assert info.separator == "|"
    assert Field(index=False).index is False
    assert info.is_required()


def test_pydantics_own_arguments_work():
    class Priced(JsonModel):
        price: float = Field(gt=0, index=True)
        label: str = Field(default_factory=lambda: "none", max_length=4)

    assert Priced(price=1).label == "none"
    with pytest.raises(pydantic.ValidationError, match="greater than 0"):
        Priced(price=0)
    with pytest.raises(pydantic.ValidationError, match="at most 4"):
        Priced(price=1, label="toolong")
    assert field_options(Priced.model_fields["price"]).index is True


def test_a_field_knows_its_name_in_a_model():
    class Named(JsonModel):
        first: str = Field(index=True)
        pk: str = Field(default="x")

    class Child(Named):
        second: int = Field(default=0)

    assert {name: field.name for name, field in Child.model_fields.items()} == {
        name: name for name in ("first", "pk", "second")
    }


def test_an_option_without_effect_is_reported():
    for options in ({"sortable": True}, {"full_text_search": True}, {"vector_options": FLAT}):
        with pytest.warns(UserWarning, match=r"Field\(index=False\) has no effect") as warned:
            Field(index=False, **options)
        assert warned[0].filename == __file__


def test_a_default_that_is_a_list_is_not_shared():
    class Tagged(JsonModel):
        tags: list[str] = Field(default=[], index=True)

    Tagged().tags.append("x")
    assert Tagged().tags == []


T = TypeVar("T")
Tag = Annotated[str, Field(index=True, separator=",")]
TagAlias = TypeAliasType("TagAlias", Annotated[str, Field(index=True, separator=",")])


class Base(HashModel):
    plain: str
    assigned: str = Field(index=True, separator=",")
    annotated: Annotated[str, Field(index=True, separator=",")]
    annotated_with_default: Annotated[str, Field(index=True, separator=",")] = "x"
    alias: Tag
    optional: Optional[str] = Field(default=None, index=True, separator=",")
    optional_inside: Optional[Tag] = None
    annotated_optional: Annotated[str | None, Field(index=True, separator=",")] = None
    type_alias: TagAlias = "x"
    constrained: Annotated[str, pydantic.StringConstraints(max_length=9)] = Field(index=True, separator=",")


class Child(Base):
    more: int = 0


class Grandchild(Child, index=True):
    pass


class GenericBase(HashModel, Generic[T]):
    value: T = Field(index=True, separator=",")


@pytest.mark.parametrize("model", [Base, Child, Grandchild])
@pytest.mark.parametrize("name", [n for n in Base.model_fields if n not in ("pk", "plain")])
def test_options_survive(model, name):
    options = field_options(model.model_fields[name])
    assert (options.index, options.separator) == (True, ",")


def test_options_survive_generics():
    options = field_options(GenericBase[int].model_fields["value"])
    assert (options.index, options.separator) == (True, ",")


def test_a_field_without_options_has_none():
    options = field_options(Grandchild.model_fields["plain"])
    assert (options.index, options.separator) == (None, "|")


def test_the_field_wins_over_a_type_inside_optional():
    class Both(HashModel):
        name: Optional[Tag] = Field(default=None, index=False)

    options = field_options(Both.model_fields["name"])
    assert (options.index, options.separator) == (False, ",")


def test_items_of_a_list_keep_their_options_to_themselves():
    class Listed(JsonModel):
        tags: list[Tag] = []

    assert field_options(Listed.model_fields["tags"]).index is None


def test_hnsw_options():
    options = VectorFieldOptions.hnsw(
        VectorFieldOptions.TYPE.FLOAT64, 8, VectorFieldOptions.DISTANCE_METRIC.COSINE, m=16, epsilon=0.1
    )
    assert options.algorithm is VectorFieldOptions.ALGORITHM.HNSW
    assert (options.dimension, options.m, options.epsilon, options.block_size) == (8, 16, 0.1, None)


def test_options_of_vectors_as_text_and_by_position():
    TYPE, METRIC = VectorFieldOptions.TYPE, VectorFieldOptions.DISTANCE_METRIC
    flat = VectorFieldOptions.flat(TYPE.FLOAT32, 2, METRIC.L2, 5, 6)
    assert flat.schema == "VECTOR FLAT 10 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2 INITIAL_CAP 5 BLOCK_SIZE 6"
    graph = VectorFieldOptions.hnsw(TYPE.FLOAT64, 2, METRIC.IP, 5, 6, 7, 8, 0.1)
    assert graph.schema.endswith("INITIAL_CAP 5 M 6 EF_CONSTRUCTION 7 EF_RUNTIME 8 EPSILON 0.1")


OPTIONS = {
    "primary_key": True,
    "sortable": True,
    "case_sensitive": True,
    "index": True,
    "full_text_search": True,
    "vector_options": FLAT,
    "expire": 60,
    "separator": ",",
}


def described_in_every_way(name, value):
    """Return a field with one option, as `(annotation, default)`, by the way in which it is described."""

    class Passed(FieldInfo):
        def __init__(self, default=..., **arguments):
            super().__init__(default=default, **arguments)

    class Assigned(FieldInfo):
        def __init__(self, **arguments):
            super().__init__(**arguments)
            self.mine = "kept"
            setattr(self, name, value)

    option = {name: value}
    return {
        "Field()": (str, Field(default="", **option)),
        "Field() by position": (str, Field("", **option)),
        "FieldInfo()": (str, FieldInfo(default="", **option)),
        "FieldInfo() by position": (str, FieldInfo("", **option)),
        "a subclass that passes it on": (str, Passed("", **option)),
        "a subclass that assigns it": (str, Assigned(default="")),
        "Annotated": (Annotated[str, FieldInfo(**option)], ""),
        "Annotated with a subclass": (Annotated[str, Passed(**option)], ""),
        "Annotated in Optional": (Optional[Annotated[str, FieldInfo(**option)]], ""),
        "Annotated, and a default of pydantic's": (Annotated[str, Field(**option)], pydantic.Field("")),
    }


@pytest.mark.parametrize(("name", "value"), OPTIONS.items())
@pytest.mark.parametrize("way", described_in_every_way("index", True))
def test_every_option_works_in_every_way_to_describe_a_field(name, value, way):
    annotation, default = described_in_every_way(name, value)[way]
    body = {"__module__": __name__, "__annotations__": {"word": annotation}, "word": default}
    model = type(HashModel)("Described", (HashModel,), body)
    assert getattr(field_options(model.model_fields["word"]), name) == value
    if way == "a subclass that assigns it":
        assert model.model_fields["word"].mine == "kept"
    document = model(word="x")
    assert (document.word, "pk" in model.model_fields) == ("x", name != "primary_key")


def test_an_undefined_option_is_not_given():
    """As SQLModel passes on what it was not given."""

    class Model(HashModel):
        word: str = Field(**dict.fromkeys(OPTIONS, PydanticUndefined))

    assert field_options(Model.model_fields["word"]) == FieldOptions()
    assert Model._primary_key_name == "pk"


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_is_not_assigned_once_the_model_is_made(name):
    class Model(HashModel):
        word: str = Field(default="")

    with pytest.raises(AttributeError, match=f"{name} of the field 'word' cannot be changed"):
        setattr(Model.model_fields["word"], name, OPTIONS[name])


@pytest.mark.parametrize("maker", [Field, FieldInfo])
@pytest.mark.parametrize("name", IGNORED)
def test_arguments_of_pydantic_1_are_ignored_with_a_warning(maker, name):
    with pytest.warns(UserWarning, match=rf"Field\({name}=\) has no effect. Use ") as found:
        info = maker(default=5, **{name: 7})
    assert found[0].filename == __file__
    assert (info.json_schema_extra, info.metadata) == (None, [FieldOptions()])
