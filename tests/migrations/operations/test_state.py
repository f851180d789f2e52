# ruff: noqa: RUF012 - models in the spellings that applications really use
"""The state of models: of real classes, as data that refers to none of them."""

import dataclasses
import enum
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, NamedTuple, Optional
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import EmailStr, NaiveDatetime, field_serializer, field_validator
from pydantic import Field as PydanticField
from typing_extensions import TypedDict

import redstart.demo.models as demo
from redstart import Coordinates, EmbeddedJsonModel, Field, HashModel, JsonModel
from redstart.documents.hash_encoder import hash_fields
from redstart.documents.json_codec import json_document
from redstart.errors import MigrationStateError
from redstart.mapping.base_model import registered_models
from redstart.mapping.index_schema import index_of
from redstart.mapping.model_info import declare
from redstart.mapping.models import RedisModel
from redstart.mapping.value_paths import Each, display
from redstart.migrations.operations.document import Document
from redstart.migrations.operations.field_state import NO_DEFAULT, FieldState, frozen_value
from redstart.migrations.operations.state import ModelState, ProjectState, state_of_models
from redstart.migrations.operations.value_codec import ValueCodec
from redstart.migrations.operations.value_types import ValueType, literal_type, parse_path, parse_type
from redstart.values.types import Storage
from tests.documents.every_type import DEEP, FLAT, Deep, Flat
from tests.migrations.operations.strategies import HOSTILE, NAMES, PROJECTS, TEXTS


def state_of(model: type[RedisModel]) -> ModelState:
    (found,) = state_of_models([declare(model)]).models.values()
    return found


def types_of(fields: Any) -> dict[str, str]:
    return {one.name: one.type for one in fields}


def test_a_model_of_hashes() -> None:
    visit = state_of(demo.Visit)
    assert (visit.name, visit.key_prefix, visit.key_suffix) == (
        "redstart.demo.models.Visit",
        "station:visit:",
        "",
    )
    assert (visit.storage, visit.primary_key, visit.index) == (
        Storage.HASH,
        "visit_code",
        index_of(demo.Visit),
    )
    assert visit.members["left_at"] == FieldState("left_at", "datetime", default=None, is_optional=True)
    assert visit.members["weather"] == FieldState("weather", "str", default="")
    assert types_of(visit.fields) == {
        "visit_code": "str",
        "site": "str",
        "arrived_at": "datetime",
        "left_at": "datetime",
        "permit_until": "date",
        "nets": "int",
        "weather": "str",
    }


def test_a_model_of_json_with_embedded_models() -> None:
    sighting = state_of(demo.Sighting)
    assert types_of(sighting.fields)["measurements"] == "list[object]"
    assert types_of(sighting.fields)["last_seen_by_place"] == "dict[str, datetime]"
    assert types_of(sighting.fields_within("capture")) == {
        "net": "str",
        "released_at": "datetime",
        "ringed_at": "str",
    }
    assert sighting.field_at("grams", "measurements[]").type == "float"
    assert "pk" not in sighting.members


class Size(enum.Enum):
    SMALL = "s"
    LARGE = "l"


class Access(enum.IntFlag):
    READ = 1
    WRITE = 2


@dataclasses.dataclass
class Box:
    width: int = 1
    tags: list[str] = dataclasses.field(default_factory=list)
    code: str = dataclasses.field(default_factory=lambda: "random")


class Pair(NamedTuple):
    left: int
    right: str | None


class Options(TypedDict, total=False):
    loud: bool


class Node(EmbeddedJsonModel):
    name: str
    children: list["Node"] = []


class Inner(EmbeddedJsonModel):
    note: str = Field(default="x", alias="remark")


class Odd(JsonModel):
    """Types beyond the usual ones."""

    code: str = Field(primary_key=True)
    size: Size = Size.SMALL
    access: Access = Access.READ
    box: Box = Box(width=3)
    pair: Pair = Pair(1, None)
    options: Options = {}
    tree: Node
    inner: Optional[Inner] = None  # noqa: UP045 - as applications write it
    either: int | str = 0
    local: NaiveDatetime | None = None
    email: EmailStr
    place: Coordinates = Coordinates(1.0, 2.0)
    anything: Any = None
    made: str = PydanticField(default_factory=lambda: "x")
    many: list[int] = PydanticField(default_factory=list)
    keyed: dict[int, Inner] = {}
    in_zone: datetime = datetime(2024, 1, 1, 12, tzinfo=ZoneInfo("Europe/Berlin"))


def test_types_beyond_the_usual_ones() -> None:
    odd = state_of(Odd)
    assert types_of(odd.fields) == {
        "code": "str",
        "size": "Literal['l', 's']",
        "access": "int",
        "box": "object",
        "pair": "tuple[int, str | None]",
        "options": "object",
        "tree": "object",
        "inner": "object",
        "either": "int | str",
        "local": "datetime",
        "email": "EmailStr",
        "place": "Coordinates",
        "anything": "Any",
        "made": "str",
        "many": "list[int]",
        "keyed": "dict[str, object]",
        "in_zone": "datetime",
    }
    assert odd.primary_key == "code"
    assert types_of(odd.fields_within("tree")) == {"name": "str", "children": "list[recursive[Node]]"}
    assert odd.field_at("note", "keyed{}") == FieldState("note", "str", default="x")
    defaults = {one.name: one.default for one in odd.fields}
    assert defaults["size"] == "s"
    assert defaults["access"] == 1
    assert defaults["box"] == {"width": 3, "tags": [], "code": "random"}
    assert defaults["place"] == "2.0,1.0"
    assert defaults["pair"] == [1, None]
    assert defaults["many"] == []
    assert (defaults["in_zone"], defaults["in_zone"].tzinfo) == (datetime(2024, 1, 1, 11, tzinfo=UTC), UTC)
    assert (defaults["made"], odd.members["made"].is_generated) == (NO_DEFAULT, True)
    assert {one.name: one.is_generated for one in odd.fields_within("box")} == {
        "width": False,
        "tags": False,
        "code": True,
    }
    assert odd.field_at("loud", "options").is_generated
    assert (odd.members["inner"].is_optional, odd.members["local"].is_optional) == (True, True)


class Mystery:
    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        return handler.generate_schema(str)


class Serialized(HashModel):
    tags: Any
    mystery: Mystery
    number: int
    checked: int

    @field_serializer("tags", "mystery", "number")
    def as_text(self, value: object) -> str:
        return repr(value)

    @field_validator("checked")
    @classmethod
    def check(cls, value: int) -> int:
        return value


def test_the_stored_form_of_a_serializer_is_not_guessed() -> None:
    assert types_of(state_of(Serialized).fields) == {
        "tags": "serialized[Any]",
        "mystery": "serialized[Any]",
        "number": "serialized[int]",
        "checked": "int",
    }


def test_a_type_without_a_frozen_text_is_named() -> None:
    class Unclear(HashModel):
        what: Mystery

    with pytest.raises(MigrationStateError, match=r"Unclear\.what cannot be part .* stored form of Mystery"):
        state_of(Unclear)

    class Deeper(JsonModel):
        inside: dict[str, list[Mystery]] = {}

    with pytest.raises(MigrationStateError, match=r"Deeper\.inside cannot be part .* Mystery"):
        state_of(Deeper)


def test_a_default_without_a_frozen_text_is_named() -> None:
    class Unclear(HashModel):
        what: Any = object()

    with pytest.raises(
        MigrationStateError, match=r"default of the field 'what', <object .* type object has no text"
    ):
        state_of(Unclear)


def test_the_models_of_all_tests_have_a_state_or_an_error_that_names_the_field() -> None:
    count = 0
    for model in registered_models():
        if not model._has_documents():
            continue
        try:
            found = state_of(model)
        except MigrationStateError as error:
            assert model.__name__ in str(error) or "default of the field" in str(error)
            continue
        assert found.members.keys() <= model.model_fields.keys()
        count += 1
    assert count > 3


@given(one=FLAT)
def test_stored_hashes_are_read_by_the_types_of_their_state(one: Flat) -> None:
    stored, _ = hash_fields(one, ValueCodec(Storage.HASH).zone)
    state, codec = state_of(Flat), ValueCodec(Storage.HASH)
    for name, value in stored.items():
        declared = state.members.get(name.decode())
        if declared is not None:
            read = codec.read(declared.value_type, value)
            assert codec.write_as(declared.value_type, read) == value, name


@given(one=DEEP)
def test_stored_json_is_read_by_the_types_of_its_state(one: Deep) -> None:
    document = Document.of_json(json_document(one, ValueCodec(Storage.JSON).zone))
    state, codec = state_of(Deep), ValueCodec(Storage.JSON)
    written = document.copy()
    for name, declared in state.members.items():
        value = document.get((name,))
        if value is not None and name != "vector":  # its default has integers, stored as they are
            written.set(
                (name,),
                codec.write_as(declared.value_type, codec.read(declared.value_type, value, declared.fields)),
            )
    assert written == document


@given(
    path=st.lists(st.sampled_from(list(Each)) | NAMES | HOSTILE | TEXTS.filter(bool), max_size=4).map(tuple)
)
def test_a_path_is_read_as_it_is_displayed(path: Any) -> None:
    assert parse_path(display(path)) == path


@pytest.mark.parametrize("text", [".a", "a.", "a..b", "a[0]", "a[", "1", "a b", "['a", "a.['b']"])
def test_what_is_no_path_is_an_error(text: str) -> None:
    with pytest.raises(MigrationStateError, match="is not a path of a field"):
        parse_path(text)


PLAIN_TYPES = st.sampled_from(["str", "int", "float", "bool", "Decimal", "object", "Any", "Path"]).map(
    ValueType
)
LITERALS = st.lists(TEXTS | st.integers() | st.booleans(), min_size=1, max_size=3).map(literal_type)
TYPES = st.recursive(
    PLAIN_TYPES | LITERALS,
    lambda inner: st.one_of(
        inner.map(lambda one: ValueType("list", (one,))),
        inner.map(lambda one: ValueType("dict", (ValueType("str"), one))),
        st.tuples(inner, inner).map(lambda two: ValueType("tuple", two)),
    ),
    max_leaves=4,
)


@given(kind=TYPES)
def test_a_type_is_read_as_it_is_written(kind: ValueType) -> None:
    assert parse_type(str(kind)) == kind


@pytest.mark.parametrize("text", ["", "strr", "int(", "list[Foo]", "a.b", "int + str", "Literal[x]", "1"])
def test_what_is_no_type_is_an_error(text: str) -> None:
    with pytest.raises(MigrationStateError):
        FieldState("a", text)


def test_the_order_of_choices_has_no_meaning() -> None:
    assert FieldState("a", "Literal['b', 'a', 'b']") == FieldState("a", "Literal['a', 'b']")


def test_an_unknown_type_is_answered_with_a_similar_one() -> None:
    with pytest.raises(MigrationStateError) as raised:
        FieldState("a", "strr")
    assert raised.value.hint == "Did you mean 'str'?"


@pytest.mark.parametrize(
    ("one", "other", "are_equal"),
    [
        (0, False, False),
        (1, 1.0, False),
        (float("nan"), float("nan"), True),
        (0.0, -0.0, False),
        (NO_DEFAULT, None, False),
    ],
)
def test_defaults_are_compared_by_type_and_value(one: object, other: object, are_equal: bool) -> None:
    assert (FieldState("a", "Any", default=one) == FieldState("a", "Any", default=other)) is are_equal


def test_fields_are_compared_by_name_and_not_by_order() -> None:
    a, b = FieldState("a", "int"), FieldState("b", "int")
    assert FieldState("o", "object", fields=[a, b]) == FieldState("o", "object", fields=[b, a])
    assert FieldState("o", "object", fields=[a]) != FieldState("o", "object", fields=[a, b])
    with pytest.raises(MigrationStateError, match="two fields named 'a'"):
        FieldState("o", "object", fields=[a, a])


def test_frozen_values_contain_no_class_of_the_project() -> None:
    class Text(str):
        __slots__ = ()

    named = timezone(timedelta(hours=1), "named")
    frozen = frozen_value([Text("a"), Size.LARGE, {Size.SMALL: {1, 2}}, datetime(2024, 1, 1, tzinfo=named)])
    assert frozen == ["a", "l", {"s": [1, 2]}, datetime(2024, 1, 1, tzinfo=named)]
    assert type(frozen[0]) is str
    assert repr(frozen[3].tzinfo) == "datetime.timezone(datetime.timedelta(seconds=3600))"


@given(state=PROJECTS)
def test_states_are_equal_by_what_they_contain(state: ProjectState) -> None:
    assert ProjectState.of(reversed(list(state.models.values()))) == state
    for one in state.models.values():
        assert one.replaced() == one
        assert state.without_model(one.name).with_model(one) == state
