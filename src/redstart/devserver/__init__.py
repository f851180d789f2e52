"""A development server: a local process for the demo, tests and development."""

from redstart.devserver.process import EmbeddedServer

__all__ = ["EmbeddedServer"]
