# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `aredis_om.model.types`."""

from redstart.mapping.coordinates import Coordinates
from redstart.mapping.coordinates import Coordinates as CoordinateType
from redstart.search.geo import GeoFilter, RadiusUnit
from redstart.unavailable_names import attribute_of

__all__ = ["CoordinateType", "Coordinates", "GeoFilter", "RadiusUnit"]


def __getattr__(name: str) -> object:
    return attribute_of(__name__, name)
