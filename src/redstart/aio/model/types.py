# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `aredis_om.model.types`."""

from redstart.mapping.coordinates import Coordinates
from redstart.mapping.coordinates import Coordinates as CoordinateType
from redstart.search.geo import GeoFilter, RadiusUnit

__all__ = ["CoordinateType", "Coordinates", "GeoFilter", "RadiusUnit"]
