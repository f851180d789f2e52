# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `redis_om.util`."""

from redstart.sync.util import ASYNC_MODE

__all__ = ["ASYNC_MODE"]
