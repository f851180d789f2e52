"""Coordinates, stored as the text `longitude,latitude` of a GEO field."""

from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema


class Coordinates:
    """Geographic coordinates, stored as the text `longitude,latitude`.

    Args:
        latitude: degrees north, -90 to 90.
        longitude: degrees east, -180 to 180.

    Raises:
        ValueError: an argument is out of range.
    """

    # Not a dataclass, which a model would store as a nested document.

    __slots__ = ("latitude", "longitude")

    def __init__(self, latitude: float, longitude: float) -> None:
        if not -90 <= latitude <= 90:
            raise ValueError(f"latitude has to be between -90 and 90, not {latitude!r}")
        if not -180 <= longitude <= 180:
            raise ValueError(f"longitude has to be between -180 and 180, not {longitude!r}")
        self.latitude = latitude
        self.longitude = longitude

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Coordinates):
            return NotImplemented
        return (self.latitude, self.longitude) == (other.latitude, other.longitude)

    def __hash__(self) -> int:
        return hash((self.latitude, self.longitude))

    def __repr__(self) -> str:
        return f"Coordinates(latitude={self.latitude!r}, longitude={self.longitude!r})"

    def __str__(self) -> str:
        return f"{self.longitude},{self.latitude}"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            _coordinates, serialization=core_schema.to_string_ser_schema(when_used="unless-none")
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "description": "longitude,latitude", "examples": ["13.4,52.5"]}


def _coordinates(value: Any) -> Coordinates:
    """Return coordinates from an instance, the stored text, or `(latitude, longitude)`."""
    if isinstance(value, Coordinates):
        return value
    if isinstance(value, str):
        longitude, comma, latitude = value.partition(",")
        if not comma:
            raise ValueError("coordinates as text have the format longitude,latitude")
        return Coordinates(float(latitude), float(longitude))
    if isinstance(value, tuple | list) and len(value) == 2:
        return Coordinates(float(value[0]), float(value[1]))
    raise ValueError("expected Coordinates, a tuple (latitude, longitude) or the text longitude,latitude")
