# Generated from redstart/aio/util.py: change that, then `python -m tools.generate_sync`.
"""The kind of this package, sync or async: `ASYNC_MODE`, as in `redis_om.util`."""

from redstart.unavailable_names import attribute_of

ASYNC_MODE = False


def is_async_mode() -> bool:
    """Return whether this is the package for plain functions."""
    return ASYNC_MODE


def __getattr__(name: str) -> object:
    return attribute_of(__name__, name)
