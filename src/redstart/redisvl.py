# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `redis_om.redisvl`."""

from redstart.sync.redisvl import get_redisvl_index, to_redisvl_schema
from redstart.unavailable_names import attribute_of

__all__ = ["get_redisvl_index", "to_redisvl_schema"]


def __getattr__(name: str) -> object:
    return attribute_of(__name__, name)
