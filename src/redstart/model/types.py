# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `redis_om.model.types`."""

from redstart.left_out import attribute_of
from redstart.mapping.coordinates import Coordinates
from redstart.mapping.coordinates import Coordinates as CoordinateType
from redstart.search.geo import GeoFilter, RadiusUnit

__all__ = ["CoordinateType", "Coordinates", "GeoFilter", "RadiusUnit"]


def __getattr__(name: str) -> object:
    return attribute_of(__name__, name)
