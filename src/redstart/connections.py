# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `redis_om.connections`."""

import redis

from redstart.sync.connections import URL, get_redis_connection

__all__ = ["URL", "get_redis_connection", "redis"]
