"""Transform and RunPython: functions of a migration file, and what they may not do."""

import sys
import typing
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NotRequired

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import TypedDict

from redstart.errors import MigrationStateError, NotConvertibleError
from redstart.migrations.operations.document import Document
from redstart.migrations.operations.field_state import FieldState
from redstart.migrations.operations.functions import RunPython, Transform
from redstart.values.types import Storage
from tests.migrations.operations.strategies import MODEL, STORAGES, document, project
from tests.migrations.operations.test_fields import bound, check_exact, check_forward

storages = pytest.mark.parametrize("storage", STORAGES)
PRICE = FieldState("price", "float")


class Price(TypedDict):
    price: float


class Cents(TypedDict):
    cents: int


def to_cents(old: Price) -> Cents:
    return {"cents": round(old["price"] * 100)}


def to_price(new: Cents) -> Price:
    return {"price": new["cents"] / 100}


def double(old: Price) -> Price:
    return {"price": old["price"] * 2}


@storages
@given(cents=st.integers(-(10**9), 10**9))
def test_a_function_makes_new_fields_from_old_ones(storage: Storage, cents: int) -> None:
    operation = Transform(MODEL, to_cents, to_price, before=Price, after=Cents)
    change = bound(operation, project(storage, PRICE))
    old = document(storage, {"price": cents / 100, "other": "x"})
    check_exact(change, old)
    new = document(storage, {"cents": cents, "other": "x"})
    assert change.forward(old) == new
    assert not change.is_pending(new)
    assert change.decided_by_shape
    assert operation.is_reversible
    assert operation.describe() == "Transform price of Order into cents with to_cents()."


@storages
def test_a_function_that_changes_values_in_place_is_not_decided_by_the_shape(storage: Storage) -> None:
    change = Transform(MODEL, double, before=Price).bind(project(storage, PRICE))
    one = document(storage, {"price": 1.5})
    assert not change.decided_by_shape
    assert change.is_pending(one)
    assert not change.is_pending(document(storage, {}))
    assert change.forward(one) == document(storage, {"price": 3.0})
    assert not change.has_backward
    assert Transform(MODEL, double, before=Price).inverse(project(storage, PRICE)) is None
    with pytest.raises(NotConvertibleError, match="price: the operation has no inverse"):
        change.backward(one)


class Many(TypedDict):
    at: datetime
    day: date
    amount: Decimal
    note: str | None
    extra: NotRequired[int]


@storages
def test_values_have_the_types_of_the_shape(storage: Storage) -> None:
    seen: list[dict[str, Any]] = []

    def keep(old: Many) -> Many:
        seen.append(dict(old))
        return old

    members = [
        FieldState("at", "datetime"),
        FieldState("day", "date"),
        FieldState("amount", "Decimal"),
        FieldState("note", "str", is_optional=True),
        FieldState("extra", "int"),
    ]
    change = Transform(MODEL, keep, before=Many).bind(project(storage, *members))
    moment = datetime(2024, 5, 1, 10, tzinfo=UTC)
    values = {"at": moment, "day": date(2024, 5, 1), "amount": Decimal("1.5"), "note": None}
    one = document(storage, values)
    assert change.forward(one) == one
    assert seen == [values]
    assert change.forward(document(storage, {**values, "note": "x", "extra": 1})).has(("extra",))


def raises(old: Price) -> Price:
    raise ValueError("no price")


def mutates(old: Price) -> Price:
    old["price"] = 0.0
    return old


def returns_nothing(old: Price) -> None:
    return None


def returns_text(old: Price) -> dict[str, Any]:
    return {"price": "a lot"}


def returns_too_much(old: Price) -> dict[str, Any]:
    return {"price": 1.0, "prize": 2}


def returns_too_little(old: Price) -> dict[str, Any]:
    return {}


def returns_infinity(old: Price) -> Price:
    return {"price": float("inf")}


@pytest.mark.parametrize(
    ("function", "path", "reason"),
    [
        (raises, "price", "raises() raised ValueError: no price"),
        (mutates, "price", "mutates() changed its argument"),
        (returns_nothing, "price", "returns_nothing() returned None instead of a dict"),
        (returns_text, "price", "Input should be a valid number"),
        (returns_too_much, "prize", "the TypedDict does not declare it"),
        (returns_too_little, "price", "Field required"),
        (returns_infinity, "price", "JSON cannot represent the number inf"),
    ],
)
def test_a_function_that_does_not_do_its_work_is_a_failure_that_names_the_field(
    function: Any, path: str, reason: str
) -> None:
    change = Transform(MODEL, function, before=Price).bind(project(Storage.JSON, PRICE))
    one = document(Storage.JSON, {"price": 1.5})
    original = one.copy()
    with pytest.raises(NotConvertibleError) as raised:
        change.forward(one)
    assert raised.value.path == path
    assert reason in raised.value.reason
    assert one == original


@storages
def test_a_stored_value_that_is_not_of_the_shape_is_a_failure(storage: Storage) -> None:
    change = Transform(MODEL, to_cents, before=Price, after=Cents).bind(project(storage, PRICE))
    with pytest.raises(NotConvertibleError, match="price: not a number"):
        change.forward(document(storage, {"price": "x"}))
    with pytest.raises(NotConvertibleError, match="cents: it exists already and has another value"):
        change.forward(document(storage, {"price": 1.5, "cents": 7}))


class Part(TypedDict):
    n: int


class Whole(TypedDict):
    parts: list[Part]


def increment(old: Whole) -> Whole:
    return {"parts": [{"n": one["n"] + 1} for one in old["parts"]]}


PARTS = FieldState("parts", "list[object]", fields=[FieldState("n", "int")])


def test_nested_values_are_transformed_and_none_of_their_members_is_lost() -> None:
    change = Transform(MODEL, increment, before=Whole).bind(project(Storage.JSON, PARTS))
    assert change.forward(Document.of_json(b'{"parts":[{"n":1}]}')) == Document.of_json(
        b'{"parts":[{"n":2}]}'
    )
    with pytest.raises(NotConvertibleError, match="parts: it contains 'm', which its type does not declare"):
        change.forward(Document.of_json(b'{"parts":[{"n":1,"m":2}]}'))


@storages
def test_the_default_of_a_field_is_given_where_it_is_absent(storage: Storage) -> None:
    change = Transform(MODEL, double, before=Price).bind(project(storage, PRICE.replaced(default=2.0)))
    assert change.forward(document(storage, {})) == document(storage, {"price": 4.0})


class OtherType(TypedDict):
    price: str


class Absent(TypedDict):
    absent: int


class Unknown(TypedDict):
    price: object


@pytest.mark.parametrize(
    ("before", "message"),
    [
        (
            OtherType,
            "price of shop.models.Order is float before this operation, and its TypedDict declares str",
        ),
        (Absent, "has no field 'absent'"),
        (Unknown, "declares Any"),
        (dict, "dict is not a TypedDict"),
    ],
)
def test_a_shape_that_does_not_fit_is_an_error(before: type, message: str) -> None:
    with pytest.raises(MigrationStateError, match=message):
        Transform(MODEL, double, before=before).apply(project(Storage.JSON, PRICE))


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="pydantic reads it")
def test_a_typed_dict_that_pydantic_cannot_read_is_an_error() -> None:
    class Unread(typing.TypedDict):
        price: float

    with pytest.raises(MigrationStateError) as raised:
        Transform(MODEL, double, before=Unread).apply(project(Storage.JSON, PRICE))
    assert raised.value.hint == "Import TypedDict from redstart.operations."


def test_the_primary_key_is_not_transformed() -> None:
    with pytest.raises(MigrationStateError, match="'price' is the primary key"):
        Transform(MODEL, double, before=Price).apply(project(Storage.JSON, PRICE, primary_key="price"))


@storages
def test_what_an_old_version_writes_stays_as_it_is_at_a_rollback(storage: Storage) -> None:
    change = Transform(MODEL, to_cents, to_price, before=Price, after=Cents).bind(project(storage, PRICE))
    old = document(storage, {"price": 1.5})
    assert change.backward(old) == old
    assert check_forward(change, old) == document(storage, {"cents": 150})


def up(step: str) -> None:
    """Do something else."""


def down(step: str) -> None:
    """Undo it."""


def test_a_function_for_everything_else_changes_no_model() -> None:
    before = project(Storage.HASH, PRICE)
    operation = RunPython(up, down, steps=["a", "b"])
    assert operation.apply(before) == before
    assert operation.describe() == "Call up() in 2 steps, outside the undo log."
    assert operation.inverse(before) == RunPython(down, up, steps=["b", "a"])
    assert not RunPython(up).is_reversible
    assert RunPython(up).inverse(before) is None
    with pytest.raises(MigrationStateError, match="different names"):
        RunPython(up, steps=["a", "a"])
