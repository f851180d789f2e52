# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `redis_om.search_reply`."""

from redstart.unavailable_names import attribute_of

__all__ = []


def __getattr__(name: str) -> object:
    return attribute_of(__name__, name)
