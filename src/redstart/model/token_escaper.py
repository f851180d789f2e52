# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `redis_om.model.token_escaper`."""

from redstart.search.escaping import TokenEscaper

__all__ = ["TokenEscaper"]
