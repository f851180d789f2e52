# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `redis_om.util`."""

from redstart.sync.util import ASYNC_MODE, is_async_mode
from redstart.unavailable_names import attribute_of

__all__ = ["ASYNC_MODE", "is_async_mode"]


def __getattr__(name: str) -> object:
    return attribute_of(__name__, name)
