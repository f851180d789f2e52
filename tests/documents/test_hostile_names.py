"""Names, keys and places as people may give them: none leads to another document, field or command."""

from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from redstart import (
    Coordinates,
    EmbeddedJsonModel,
    Field,
    GeoFilter,
    HashModel,
    JsonModel,
    NotFoundError,
    QueryNotSupportedError,
)
from tests.support.models import create_indexes

pytestmark = pytest.mark.usefixtures("models_url")

ON_SERVER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
KEYS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12),
    st.text(st.sampled_from("*?[]^-\\{}:ab \n\0'\"$%"), min_size=1, max_size=6),
    st.sampled_from(["{pk}", "%s", "::", "*", "[a-z]", "a:", "\\*", "-1", "0"]),
)


class Flat(HashModel, index=True):
    code: str = Field(primary_key=True)
    note: str = ""

    class Meta:
        global_key_prefix = "a*[b]"
        model_key_prefix = "fl?t"
        primary_key_pattern = "{{{pk}}}*"


class Part(EmbeddedJsonModel):
    size: int = Field(default=0, index=True)
    plain: int = 0


class Deep(JsonModel, index=True):
    code: str = Field(primary_key=True)
    note: str = ""
    number: int = Field(default=0, index=True, sortable=True)
    part: Part = Part()
    place: Coordinates = Field(default=Coordinates(latitude=0, longitude=0), index=True)

    class Meta(Flat.Meta):
        model_key_prefix = "de[ep]\\"
        index_name = "deep"


@ON_SERVER
@given(keys=st.lists(KEYS, min_size=1, max_size=5, unique=True), other=KEYS)
@pytest.mark.parametrize("model", [Flat, Deep])
def test_keys(client: redis.Redis, model: Any, keys: list[str], other: str) -> None:
    client.execute_command("FLUSHALL", "SYNC")
    documents = [model(code=key, note=key).save() for key in keys]
    assert sorted(model.all_pks()) == sorted(keys)
    assert model.get_many(keys) == documents == [model.get(key) for key in keys]
    if other not in keys:
        assert model.delete(other) == 0
        with pytest.raises(NotFoundError):
            model.get(other)
    documents[0].update(note="changed")
    assert [one.note for one in model.get_many(keys)] == ["changed", *keys[1:]]
    assert model.delete(keys[0]) == 1
    assert sorted(model.all_pks()) == sorted(keys[1:])
    assert client.dbsize() == len(keys) - 1


SORTED_BY = {"code": "code", "number": "number", "part__size": "part_size", "part.size": "part_size"}


@given(name=st.text() | st.sampled_from([*SORTED_BY, "place", "part", "note", "part__plain", "number desc"]))
@example(name="number\nLIMIT 0 0")
@example(name="@number")
def test_names_to_sort_by(name: str) -> None:
    try:
        words = Deep.find().sort_by(name).get_query()[1]
    except QueryNotSupportedError as error:
        assert error.code == "E2"
        assert name.removeprefix("-") not in SORTED_BY
        return
    direction = "desc" if name.startswith("-") else "asc"
    assert words[-3:] == ["SORTBY", SORTED_BY[name.removeprefix("-")], direction]


@ON_SERVER
@given(
    longitude=st.floats(-180, 180),
    latitude=st.floats(-85, 85),
    radius=st.floats(0, exclude_min=True, allow_infinity=False, allow_nan=False),
    unit=st.sampled_from(["m", "km", "mi", "ft"]),
)
@example(longitude=True, latitude=0, radius=1e22, unit="km")
@example(longitude=-1e-07, latitude=1e-300, radius=5e-324, unit="m")
def test_circles(client: redis.Redis, longitude: float, latitude: float, radius: float, unit: str) -> None:
    if not client.execute_command("FT._LIST"):
        create_indexes(client, Deep)
        Deep(code="a").save()
    inside, outside = (
        Deep.find(condition).count() for condition in circles(longitude, latitude, radius, unit)
    )
    assert inside + outside == 1


def circles(longitude: float, latitude: float, radius: float, unit: str) -> list[Any]:
    """Inside a circle, and outside."""
    circle = GeoFilter(longitude=longitude, latitude=latitude, radius=radius, unit=unit)
    return [Deep.place == circle, Deep.place != circle]
