# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `redis_om.sync_redis`."""

import redis

__all__ = ["redis"]
