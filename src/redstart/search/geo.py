"""Circles for queries of coordinates."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from redstart.search.expressions import immutable


class RadiusUnit(StrEnum):
    """The unit of a radius."""

    METERS = "m"
    KILOMETERS = "km"
    MILES = "mi"
    FEET = "ft"


class Place(Protocol):
    """An object with a latitude and a longitude in degrees."""

    @property
    def latitude(self) -> float:
        """Return the degrees north."""
        ...

    @property
    def longitude(self) -> float:
        """Return the degrees east."""
        ...


@immutable
@dataclass(frozen=True, slots=True)
class GeoFilter:
    """A circle, for conditions such as `Model.place == GeoFilter(...)`. `str()` returns its text in a query.

    Attributes:
        longitude: degrees east of the centre, -180 to 180.
        latitude: degrees north of the centre, -90 to 90.
        radius: the radius in `unit`, greater than 0.
        unit: `m`, `km`, `mi` or `ft`.

    Raises:
        ValueError: an attribute is out of range, or the unit is unknown.
    """

    longitude: float
    latitude: float
    radius: float
    unit: str

    def __post_init__(self) -> None:
        if not -180 <= self.longitude <= 180:
            raise ValueError(f"longitude has to be between -180 and 180, not {self.longitude!r}")
        if not -90 <= self.latitude <= 90:
            raise ValueError(f"latitude has to be between -90 and 90, not {self.latitude!r}")
        if not 0 < self.radius < float("inf"):
            raise ValueError(f"radius has to be greater than 0, not {self.radius!r}")
        if self.unit not in list(RadiusUnit):
            raise ValueError(f"unit has to be one of {', '.join(RadiusUnit)}, not {self.unit!r}")

    @classmethod
    def from_coordinates(cls, coords: Place, radius: float, unit: str) -> "GeoFilter":
        """Return a circle around coordinates.

        Args:
            coords: the centre.
            radius: the radius in `unit`, greater than 0.
            unit: `m`, `km`, `mi` or `ft`.
        """
        return cls(coords.longitude, coords.latitude, radius, unit)

    def __str__(self) -> str:
        numbers = map(_word, (self.longitude, self.latitude, self.radius))
        return " ".join((*numbers, RadiusUnit(self.unit).value))


def _word(number: float) -> str:
    # Dialect 1 accepts 1e-07 but not 1e+22.
    text = int.__repr__(number) if isinstance(number, int) else float.__repr__(float(number))
    return text.replace("e+", "e")
