# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `aredis_om.async_redis`."""

import redis.asyncio as redis

__all__ = ["redis"]
