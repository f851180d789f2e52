# ruff: noqa: UP006, UP035, UP045, RUF012 - models in the spellings that applications really use
import abc
import copy
import json
import pickle
import time
from datetime import datetime
from typing import Annotated, ClassVar, Generic, List, Optional, TypeVar

import pydantic
import pytest
from ulid import ULID

import redstart
from redstart.errors import RedisModelError
from redstart.mapping.base_model import registered_models
from redstart.mapping.fields import Field
from redstart.mapping.models import EmbeddedJsonModel, HashModel, JsonModel, RedisModel

T = TypeVar("T")


class Customer(HashModel):
    name: str = Field(index=True)
    age: int = Field(default=0, sortable=True)

    class Meta:
        global_key_prefix = "shop"


class Order(JsonModel, index=True):
    order_no: str = Field(primary_key=True)
    status: str = "new"

    class Meta:
        global_key_prefix = "shop"
        model_key_prefix = "order"


class Line(EmbeddedJsonModel):
    sku: str
    at: Optional[datetime] = None


class Basket(JsonModel):
    lines: List[Line] = []
    best: Optional[Line] = None


def test_the_package_exports_the_models():
    assert issubclass(redstart.HashModel, HashModel)
    assert redstart.Field is Field


def test_a_primary_key_is_made_at_construction_and_is_a_ulid():
    milliseconds = time.time_ns() // 1_000_000
    one, two = Customer(name="a"), Customer(name="a")
    assert one.pk != two.pk
    assert str(ULID.from_str(one.pk)) == one.pk
    assert milliseconds <= ULID.from_str(one.pk).milliseconds <= time.time_ns() // 1_000_000
    assert one.model_dump() == {"pk": one.pk, "name": "a", "age": 0}


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_primary_key_means_a_new_one(nothing):
    assert len(Customer(pk=nothing, name="a").pk) == 26


def test_a_given_primary_key_is_kept():
    assert Customer(pk="7", name="a").pk == "7"


def test_keys():
    assert Customer(pk="7", name="a").key() == f"shop:{__name__}.Customer:7"
    assert Order(order_no="SO-1").key() == "shop:order:SO-1"
    assert Order.make_key("x") == "shop:order:x"
    assert Basket(pk="7").key() == f":{__name__}.Basket:7"


def test_a_pattern_is_part_of_the_key():
    class Versioned(HashModel):
        class Meta:
            model_key_prefix = "m"
            primary_key_pattern = "v2:{pk}:end"

    assert Versioned(pk="7").key() == ":m:v2:7:end"
    assert Versioned.make_primary_key("") == ":m:v2::end"


def test_a_primary_key_of_ones_own_replaces_pk():
    order = Order(order_no="SO-1", pk="ignored")
    assert order.pk == "SO-1"
    assert order.model_dump() == {"order_no": "SO-1", "status": "new"}
    order.pk = "SO-2"
    assert (order.order_no, order.key()) == ("SO-2", "shop:order:SO-2")
    assert "pk" not in Order.model_fields
    assert "pk" not in Order.model_json_schema()["properties"]


def test_it_does_so_in_children_and_generics():
    class Express(Order):
        fee: int = 0

    class Sheet(JsonModel, Generic[T]):
        number: int = Field(primary_key=True)
        value: T

    for document in (Express(order_no="1"), Sheet[int](number=1, value=2), Sheet(number=1, value=2)):
        assert "pk" not in document.model_dump()
        assert str(document.pk) == "1"
    assert json.loads(Sheet[int](number=1, value=2).model_dump_json()) == {"number": 1, "value": 2}


def test_pk_itself_may_be_declared():
    class Numbered(HashModel):
        pk: int = Field(primary_key=True)

    class Named(HashModel):
        pk: str

    assert Numbered(pk=3).key().endswith(":3")
    assert Named(pk="x").pk == "x"
    with pytest.raises(pydantic.ValidationError):
        Named()


def test_a_primary_key_may_come_from_annotated():
    Key = Annotated[str, Field(primary_key=True)]

    class Keyed(HashModel):
        code: Key

    assert (Keyed(code="c").pk, list(Keyed.model_fields)) == ("c", ["code"])


def test_more_than_one_primary_key_is_refused():
    with pytest.raises(RedisModelError, match="You must define only one primary key for a model") as error:

        class Two(HashModel):
            a: str = Field(primary_key=True)
            b: str = Field(primary_key=True)

    assert "a, b" in error.value.message

    with pytest.raises(RedisModelError, match="only one primary key"):

        class Child(Order):
            other: str = Field(primary_key=True)


def test_no_primary_key_is_refused():
    before = registered_models()
    with pytest.raises(RedisModelError, match=r"Without has no primary key: pk is an attribute"):

        class Without(HashModel):
            pk: ClassVar[int] = 3
            a: str

    assert registered_models() == before

    class Inside(EmbeddedJsonModel):
        pk: ClassVar[int] = 3

    assert Inside().model_dump() == {}


def test_a_creator_of_ones_own_makes_the_keys():
    class Counter:
        value = 0

        def create_pk(self, *args, **kwargs):
            Counter.value += 1
            return f"c{Counter.value}"

    class Counted(HashModel):
        class Meta:
            primary_key_creator_cls = Counter

    class Child(Counted):
        pass

    assert [Counted().pk, Child().pk, Counted(pk="x").pk] == ["c1", "c2", "x"]


def test_embedded_documents_have_no_primary_key_and_store_none():
    basket = Basket(lines=[Line(sku="a")], best=Line(sku="b"))
    assert basket.lines[0].pk is None
    dumped = basket.model_dump()
    assert dumped["lines"] == [{"sku": "a", "at": None}]
    assert "pk" not in json.loads(basket.model_dump_json())["best"]
    assert "pk" in dumped


def test_embedded_documents_of_the_old_format_are_accepted():
    basket = Basket.model_validate({"lines": [{"pk": "01BW16PT4DR95KKD51B71B3B34", "sku": "a"}]})
    assert basket.lines == [Line(sku="a")]


def test_embedded_models_that_forbid_extra_fields_accept_the_old_pk():
    class Strict(EmbeddedJsonModel):
        model_config = pydantic.ConfigDict(extra="forbid")
        sku: str

    assert Strict.model_validate({"pk": "x", "sku": "a"}).model_dump() == {"sku": "a"}


def test_embedded_documents_have_no_key():
    with pytest.raises(RedisModelError, match="embedded"):
        Line(sku="a").key()


def test_a_generic_embedded_model():
    class Box(EmbeddedJsonModel, Generic[T]):
        value: T

    assert Box[int](pk="x", value=1).model_dump() == {"value": 1}


def test_only_one_model_of_a_tree_can_be_indexed():
    class Parent(HashModel, index=True):
        pass

    class Fine(Parent):
        pass

    with pytest.raises(RedisModelError, match="only one model can be indexed in an inheritance tree"):

        class Child(Parent, index=True):
            pass

    with pytest.raises(RedisModelError, match=r"Parent is"):

        class Grandchild(Fine, index=True):
            pass

    class Sibling(HashModel, index=True):
        pass


def test_the_keyword_goes_with_pydantics_own():
    class Frozen(HashModel, index=True, frozen=True):
        name: str

    with pytest.raises(pydantic.ValidationError, match="frozen"):
        Frozen(name="a").name = "b"


def test_index_false_is_accepted():
    class Plain(HashModel, index=False):
        pass

    assert Plain().pk


def test_an_unknown_keyword_is_rejected():
    with pytest.raises(TypeError):

        class Wrong(HashModel, indexed=True):
            pass


def test_extra_members_are_ignored():
    assert "colour" not in Customer.model_validate({"name": "a", "colour": "red"}).model_dump()


def test_a_forward_reference_to_a_later_class():
    class Tree(JsonModel):
        name: str = Field(primary_key=True)
        leaf: "Leaf"

    class Leaf(EmbeddedJsonModel):
        at: datetime

    Tree.model_rebuild()
    tree = Tree(name="t", leaf={"at": "2023-01-01"})
    assert tree.leaf.at == datetime(2023, 1, 1)
    assert tree.model_dump().keys() == {"name", "leaf"}


def test_a_string_annotation_that_names_a_local_class():
    class Local(EmbeddedJsonModel):
        x: int

    class Holder(JsonModel):
        one: "Local"
        many: "List[Local]" = []

    assert Holder(one={"x": 1}, many=[{"x": 2}]).many[0].x == 2


def test_copies_and_pickles():
    order = Order(order_no="1", status="paid")
    for twin in (copy.deepcopy(order), order.model_copy(), pickle.loads(pickle.dumps(order))):
        assert twin == order
        assert twin.pk == "1"


def test_private_attributes_validators_and_computed_fields_work():
    class Rich(JsonModel):
        name: str
        _seen: int = 0

        @pydantic.field_validator("name")
        @classmethod
        def upper(cls, value: str) -> str:
            return value.upper()

        @pydantic.computed_field
        @property
        def length(self) -> int:
            return len(self.name)

        def model_post_init(self, context: object) -> None:
            self._seen = 1

    rich = Rich(name="abc")
    assert (rich.name, rich.length, rich._seen) == ("ABC", 3, 1)
    assert len(rich.pk) == 26


def test_fields_with_an_alias_are_read_by_name_too():
    class Aliased(JsonModel):
        name: str = Field(alias="Name")

    assert Aliased(name="a").name == Aliased(Name="a").name == "a"


def test_a_mixin_and_an_abstract_base():
    class Stamped(RedisModel, abc.ABC):
        created_at: datetime

    class Event(JsonModel, Stamped):
        title: str

    assert set(Event.model_fields) == {"pk", "created_at", "title"}
    assert Event(created_at="2023-01-01", title="x").pk


def test_optional_primary_key_of_ones_own_reads_and_writes():
    class Slugged(HashModel):
        slug: Optional[str] = Field(default=None, primary_key=True)

    document = Slugged()
    with pytest.raises(RedisModelError, match=r"Slugged has no primary key: slug is None"):
        document.key()
    document.pk = "s"
    assert (document.slug, document.key()[-2:]) == ("s", ":s")


def test_documents_are_sorted_by_their_keys():
    documents = [Customer(pk=key, name="n") for key in ("b", "c", "a")]
    assert [one.pk for one in sorted(documents)] == ["a", "b", "c"]
    with pytest.raises(TypeError):
        sorted([documents[0], 3])
