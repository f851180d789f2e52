"""JSON Schema of models, as FastAPI shows it: what may be sent, and what comes back."""

from typing import Any

import pytest

from redstart import EmbeddedJsonModel, Field, HashModel, JsonModel


class Part(EmbeddedJsonModel):
    name: str = Field(index=True)


class Box(JsonModel, index=True):
    part: Part
    parts: list[Part] = Field(default=[])


class Named(HashModel, index=True):
    name: str = Field(primary_key=True, description="What it is called.")
    rank: int = Field(default=0, sortable=True)


class Numbered(HashModel):
    pk: int = Field(primary_key=True)


def pk_of(model: Any, mode: Any) -> tuple[Any, bool]:
    schema = model.model_json_schema(mode=mode)
    return schema["properties"].get("pk"), "pk" in schema.get("required", ())


@pytest.mark.parametrize("model", [Box, type("Child", (Box,), {}, index=False)])
def test_the_key_is_optional_going_in_and_there_coming_out(model: Any) -> None:
    going_in = {"anyOf": [{"type": "string"}, {"type": "null"}], "title": "Pk"}
    assert pk_of(model, "validation") == (going_in, False)
    assert pk_of(model, "serialization") == ({"type": "string", "title": "Pk"}, True)


@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_embedded_documents_have_no_key(mode: Any) -> None:
    assert pk_of(Part, mode) == (None, False)
    assert set(Box.model_json_schema(mode=mode)["$defs"]["Part"]["properties"]) == {"name"}


@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_a_primary_key_of_the_model_has_its_own_schema(mode: Any) -> None:
    schema = Named.model_json_schema(mode=mode)
    assert schema["properties"] == {
        "name": {"type": "string", "title": "Name", "description": "What it is called."},
        "rank": {"type": "integer", "title": "Rank", "default": 0},
    }
    assert schema["required"] == ["name"]
    assert pk_of(Numbered, mode) == ({"type": "integer", "title": "Pk"}, True)


def test_what_is_dumped_fits_its_schema() -> None:
    dumped = Box(part=Part(name="lid")).model_dump(mode="json")
    assert set(dumped) == set(Box.model_json_schema(mode="serialization")["required"]) | {"parts"}
    assert set(dumped["part"]) == {"name"}
