"""Dates and time spans so far from 0 that floats do not tell their microseconds apart: kept exactly, or refused."""

import operator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import redis
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import NaiveDatetime

from redstart import Field, HashModel, JsonModel, QueryNotSupportedError, col
from redstart.documents.errors import DocumentEncodeError
from tests.documents.people import ON_SERVER
from tests.support.models import create_indexes
from tests.support.soak import SOAK

pytestmark = pytest.mark.usefixtures("models_url")

FEW = settings(ON_SERVER, max_examples=200 if SOAK else 20)
MICROSECOND = timedelta(microseconds=1)
NEAR = datetime(1970, 1, 1)
ENDS = (
    datetime.min,
    datetime.max,
    datetime(9999, 12, 31, 23, 59, 59),
    NEAR + timedelta(seconds=2**33),
    NEAR - timedelta(seconds=2**33),
    datetime(2500, 1, 1),
    datetime(1400, 1, 1),
)
ORDERS = (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge)

MOMENTS = st.one_of(
    st.datetimes(),
    st.tuples(st.sampled_from(ENDS), st.integers(-60, 60)).map(lambda pair: _moved(*pair)),
)
AWARE = st.tuples(
    MOMENTS, st.sampled_from([UTC, timezone(timedelta(hours=-5)), timezone(timedelta(hours=9))])
).map(lambda pair: pair[0].replace(tzinfo=pair[1]))
LONGEST, SHORTEST = timedelta.max // MICROSECOND, timedelta.min // MICROSECOND
SPANS = st.one_of(
    st.timedeltas(),
    st.tuples(st.sampled_from([LONGEST, SHORTEST, 2**33 * 10**6, 10**17, 0]), st.integers(-60, 60)).map(
        lambda pair: _span(sum(pair))
    ),
)


class Term(HashModel, index=True):
    aware: datetime | None = Field(default=None, index=True, sortable=True)
    naive: NaiveDatetime | None = Field(default=None, index=True)
    span: timedelta | None = Field(default=None, index=True)
    kept: datetime | None = None
    kept_span: timedelta | None = None


class Deal(JsonModel, index=True):
    aware: datetime | None = Field(default=None, index=True, sortable=True)
    naive: NaiveDatetime | None = Field(default=None, index=True)
    span: timedelta | None = Field(default=None, index=True)
    kept: datetime | None = None
    kept_span: timedelta | None = None


@pytest.fixture(params=[Term, Deal])
def model(request: pytest.FixtureRequest, client: redis.Redis) -> Any:
    create_indexes(client, request.param)
    return request.param


def _moved(moment: datetime, microseconds: int) -> datetime:
    try:
        return moment + microseconds * MICROSECOND
    except OverflowError:
        return moment


def _span(microseconds: int) -> timedelta:
    return timedelta(microseconds=max(SHORTEST, min(LONGEST, microseconds)))


def check(model: Any, name: str, values: list[Any], orders: Any = ORDERS) -> None:
    """What is stored is found by its own value and no other, or refused."""
    model.find().delete()
    stored: dict[str, Any] = {}
    for value in values:
        try:
            pk = model(**{name: value}).save().pk
        except DocumentEncodeError as error:
            assert error.field == name
        else:
            stored[pk] = value
    for pk, value in stored.items():
        assert getattr(model.get(pk), name) == value
    assert {one.pk: getattr(one, name) for one in model.find().all()} == stored
    for value in values:
        for compare in orders:
            query = model.find(compare(col(getattr(model, name)), value))
            try:
                found = {one.pk for one in query.all()}
            except QueryNotSupportedError as error:
                assert "Cannot query" in str(error)
                assert compare in ORDERS[:2]
                assert value not in stored.values()
                continue
            assert found == {pk for pk, one in stored.items() if compare(one, value)}, (compare, value)
        if value in stored.values():
            among = model.find(col(getattr(model, name)) << [value])
            assert {one.pk for one in among.all()} == {pk for pk, one in stored.items() if one == value}


@FEW
@given(values=st.lists(AWARE, min_size=1, max_size=4))
@example(values=[datetime.max.replace(tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)])
@example(values=[datetime(2500, 1, 1, 0, 0, 0, at, tzinfo=UTC) for at in range(4)])
def test_aware_datetimes(model: Any, values: list[datetime]) -> None:
    check(model, "aware", values)


@FEW
@given(values=st.lists(MOMENTS, min_size=1, max_size=4))
@example(values=[datetime.min, datetime.min + MICROSECOND, datetime.max])
def test_naive_datetimes(model: Any, values: list[datetime]) -> None:
    check(model, "naive", values)


@FEW
@given(values=st.lists(SPANS, min_size=1, max_size=4))
@example(values=[timedelta.max, timedelta.min, timedelta.max - MICROSECOND])
def test_time_spans(model: Any, values: list[timedelta]) -> None:
    check(model, "span", values, orders=(operator.eq, operator.ne))


@FEW
@given(moment=AWARE, span=SPANS)
@example(moment=datetime.max.replace(tzinfo=UTC), span=timedelta.max)
@example(moment=datetime.min.replace(tzinfo=UTC), span=timedelta.min)
def test_what_is_not_indexed_is_kept_exactly(model: Any, moment: datetime, span: timedelta) -> None:
    """In a hash always; in JSON, which has floats alone, or not at all."""
    model.find().delete()
    in_utc = timedelta(0) <= moment - datetime.min.replace(tzinfo=UTC) <= datetime.max - datetime.min
    for name, value in (("kept", moment), ("kept_span", span)):
        document = model(**{name: value})
        try:
            document.save()
        except DocumentEncodeError as error:
            assert error.field == name
            assert model is Deal or (name == "kept" and not in_utc)
            continue
        assert getattr(model.get(document.pk), name) == value
        assert getattr(model.find(col(model.aware) == None).only(name).all()[0], name) == value  # noqa: E711
        model.delete(document.pk)
