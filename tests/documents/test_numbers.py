"""Numbers in an index are found as themselves and for no other, or refused when they are saved and asked for."""

import enum
import math
import operator
import random
import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import redis
from hypothesis import example, given
from hypothesis import strategies as st

from redstart import Field, HashModel, JsonModel, NotFoundError, QueryNotSupportedError, col
from redstart.errors import DocumentEncodeError
from redstart.values.lossless_json import kept
from tests.documents.people import ON_SERVER
from tests.support.models import create_indexes

pytestmark = pytest.mark.usefixtures("models_url")


class Flat(HashModel, index=True):
    whole: int = Field(default=0, index=True, sortable=True)
    number: float = Field(default=0, index=True, sortable=True)
    price: Decimal = Field(default=Decimal(0), index=True)
    note: str = ""


class Deep(JsonModel, index=True):
    whole: int = Field(default=0, index=True, sortable=True)
    number: float = Field(default=0, index=True, sortable=True)
    price: Decimal = Field(default=Decimal(0), index=True)
    unindexed: float = 0
    note: str = ""


class Numbered(HashModel, index=True):
    number: int = Field(primary_key=True)
    name: str = Field(default="", index=True)


@pytest.fixture(params=[Flat, Deep])
def model(request: pytest.FixtureRequest, client: redis.Redis) -> Any:
    create_indexes(client, request.param)
    return request.param


NEIGHBOURS = [2**53 + 1, 2**53 + 2, -(2**53) - 1, 2**60, 2**63 - 1, 10**17]
LONG = [Decimal("0.1000000000000000055"), Decimal(2**53) + Decimal("0.5"), Decimal(1) / Decimal(3)]
SAVES: list[Callable[[Any, str, Any], Any]] = [
    lambda model, name, value: model(**{name: value}).save(),
    lambda model, name, value: model.add([model(), model(**{name: value})]),
    lambda model, name, value: model.find().update(**{name: value}),
    lambda model, name, value: model.find().first().update(**{name: value}),
]
OPERATORS: list[Callable[[Any, Any], Any]] = [
    *(operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge),
    lambda field, value: field << [1, value],
    lambda field, value: field >> [value],
]


@pytest.mark.parametrize(
    ("name", "value"),
    [*(("whole", n) for n in NEIGHBOURS), *(("price", n) for n in [*NEIGHBOURS[:2], *LONG])],
)
def test_numbers_that_an_index_mistakes_for_others_are_refused(
    client: redis.Redis, model: Any, name: str, value: Any
) -> None:
    stored = model(note="kept").save()
    for save in SAVES:
        with pytest.raises(
            DocumentEncodeError, match=rf"{name} cannot be stored: a NUMERIC field stores floats"
        ):
            save(model, name, value)
    assert {getattr(one, name) for one in model.find().all()} == {0}
    assert model.get(stored.pk) == stored
    for compare in OPERATORS:
        for operand in (value, str(value)):
            query = model.find(compare(col(getattr(model, name)), operand))
            for ask in (query.count, query.all, query.delete):
                with pytest.raises(QueryNotSupportedError, match=f"{name} .*a NUMERIC field stores floats"):
                    ask()
    assert model.find().count() >= 1


class Keyed(JsonModel, index=True):
    number: int = Field(primary_key=True)


@pytest.mark.parametrize("keyed", [Numbered, Keyed])
def test_keys_of_any_size_are_stored_and_not_queried(client: redis.Redis, keyed: Any) -> None:
    create_indexes(client, keyed)
    keyed.add([keyed(number=number) for number in (2**60, 2**60 + 1)])
    assert keyed.get(2**60 + 1).number == 2**60 + 1
    assert keyed.find().count() == 2
    with pytest.raises(QueryNotSupportedError, match="index it as text"):
        keyed.find(keyed.number == 2**60).delete()


FLOATS = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False)
ANY_NUMBERS = st.one_of(
    st.floats(-1, 1, allow_subnormal=False),
    st.floats(-1e6, 1e6, allow_subnormal=False),
    FLOATS,
    st.integers(-(2**53), 2**53).map(float),
    st.integers(-(10**9), 10**9).map(lambda cents: cents / 100),
)


@ON_SERVER
@given(numbers=st.lists(ANY_NUMBERS, min_size=1, max_size=4), near=st.booleans())
@example(numbers=[0.30000000000000004, 0.3], near=True)
def test_floats_are_found_as_they_were_saved(model: Any, numbers: list[float], near: bool) -> None:
    model.find().delete()
    if near and abs(numbers[0]) > 1e-300:
        numbers = [*numbers, math.nextafter(numbers[0], 0)]
    if model is Deep:
        numbers = [kept(number) for number in numbers]
    stored = [model(number=number, unindexed=number).save() for number in numbers]
    assert [model.get(one.pk).number for one in stored] == numbers
    if model is Deep:
        assert [model.get(one.pk).unindexed for one in stored] == numbers
    wanted = numbers[0]
    for compare in (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge):
        found = sorted(one.number for one in model.find(compare(model.number, wanted)).all())
        assert found == sorted(number for number in numbers if compare(number, wanted))
    assert model.find(col(model.number) << numbers).count() == len(numbers)
    assert model.find(col(model.number) >> numbers).count() == 0


def test_nearly_every_float_is_kept_exactly_and_all_are_found(client: redis.Redis) -> None:
    create_indexes(client, Deep)
    rng = random.Random(7)
    numbers = [rng.uniform(-1, 1) for _ in range(1_500)]
    numbers += [struct.unpack("d", struct.pack("Q", rng.getrandbits(64)))[0] for _ in range(1_500)]
    numbers = [number for number in numbers if math.isfinite(number) and abs(number) > 1e-300]
    stored = Deep.add([Deep(number=number, unindexed=number) for number in numbers])
    read = Deep.get_many([one.pk for one in stored])
    assert (
        [one.number for one in read]
        == [one.unindexed for one in read]
        == [kept(number) for number in numbers]
    )
    assert sum(one.number != number for one, number in zip(read, numbers, strict=True)) < len(numbers) / 250
    for number in numbers[::10]:
        assert Deep.find(Deep.number == number).count() == 1


class ForeignFloat(float):
    """As numpy's float64."""

    def __repr__(self) -> str:
        return f"foreign.float64({float(self)!r})"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)


class ForeignInt(int):
    def __repr__(self) -> str:
        return f"foreign.int64({int(self)})"

    __str__ = __repr__


class Index:
    """As numpy's int64, which is no int."""

    def __index__(self) -> int:
        return 3


class ForeignDecimal(Decimal):
    def __repr__(self) -> str:
        return "foreign"

    __str__ = __repr__


class ForeignText(str):
    def __repr__(self) -> str:
        return "foreign"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "foreign"


class Level(enum.IntEnum):
    THREE = 3


class Word(enum.StrEnum):
    TEXT = "3"


@pytest.mark.parametrize(
    "operand",
    [
        ForeignFloat(3),
        ForeignInt(3),
        Index(),
        ForeignDecimal(3),
        ForeignDecimal("3.0"),
        ForeignText("3"),
        Level.THREE,
        Word.TEXT,
    ],
)
def test_the_class_of_an_operand_does_not_matter(model: Any, operand: Any) -> None:
    model(whole=3, number=3, price=Decimal(3)).save()
    model(whole=2, number=2, price=Decimal(2)).save()
    for field in (model.whole, model.number, model.price):
        assert model.find(field == operand).count() == 1
        assert model.find(field < operand).count() == 1
        assert model.find(col(field) << [operand]).count() == 1


class Told(JsonModel, index=True):
    text: str = Field(index=True, full_text_search=True)
    truth: bool = Field(default=True, index=True)


@pytest.mark.parametrize("operand", [ForeignText("wörd"), enum.StrEnum("W", {"A": "wörd"}).A])  # type: ignore[attr-defined]
def test_the_class_of_a_text_does_not_matter(client: redis.Redis, operand: Any) -> None:
    create_indexes(client, Told)
    Told(text="wörd").save()
    text = col(Told.text)
    for condition in (text == operand, text << [operand], text.startswith(operand), text.contains(operand)):
        assert Told.find(condition).first().text == "wörd"
    assert Told.find(text % operand).count() == 1
    with pytest.raises(NotFoundError):
        Told.find(text != operand).first()
