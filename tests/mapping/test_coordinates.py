"""Places: what is accepted, and that they are stored as GEO indexes read them."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from redstart import HashModel
from redstart.mapping.coordinates import Coordinates

PLACES = TypeAdapter(Coordinates)
BERLIN = Coordinates(latitude=52.5, longitude=13.4)


@pytest.mark.parametrize("given", [BERLIN, "13.4,52.5", (52.5, 13.4), [52.5, 13.4]])
def test_accepted(given: Any) -> None:
    assert PLACES.validate_python(given) == BERLIN


@pytest.mark.parametrize("given", ["13.4", "a,b", "13.4,91", "181,0", "nan,0", (1,), (1, 2, 3), 5, None, ""])
def test_refused(given: Any) -> None:
    with pytest.raises(ValidationError):
        PLACES.validate_python(given)


def test_stored_form() -> None:
    assert PLACES.dump_python(BERLIN) == "13.4,52.5"
    assert PLACES.dump_json(BERLIN) == b'"13.4,52.5"'
    assert PLACES.json_schema()["type"] == "string"


def test_equal_places_are_one() -> None:
    assert len({BERLIN, Coordinates(52.5, 13.4), Coordinates(13.4, 52.5)}) == 2
    assert BERLIN != "13.4,52.5"
    assert eval(repr(BERLIN)) == BERLIN


def test_in_a_hash_model() -> None:
    class Shop(HashModel):
        at: Coordinates | None = None

    assert Shop(at="13.4,52.5").at == BERLIN
    assert Shop().model_dump()["at"] is None
