# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `redis_om.redisvl`."""

from redstart.sync.redisvl import get_redisvl_index, to_redisvl_schema

__all__ = ["get_redisvl_index", "to_redisvl_schema"]
