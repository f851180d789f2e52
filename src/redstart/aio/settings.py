# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `aredis_om.settings`."""

from redstart.settings import get_root_migrations_dir

__all__ = ["get_root_migrations_dir"]
