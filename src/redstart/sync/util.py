# Generated from redstart/aio/util.py: change that, then `python -m tools.generate_sync`.
"""Which of the two packages this is: `ASYNC_MODE`, as in `redis_om.util`."""

from redstart.left_out import attribute_of

ASYNC_MODE = False


def is_async_mode() -> bool:
    """Whether this is the package for plain functions."""
    return ASYNC_MODE


def __getattr__(name: str) -> object:
    return attribute_of(__name__, name)
