# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `redis_om.util`."""

from redstart.left_out import attribute_of
from redstart.sync.util import ASYNC_MODE, is_async_mode

__all__ = ["ASYNC_MODE", "is_async_mode"]


def __getattr__(name: str) -> object:
    return attribute_of(__name__, name)
