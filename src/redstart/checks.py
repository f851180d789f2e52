# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `redis_om.checks`."""

from redstart.sync.checks import has_redis_json, has_redisearch

__all__ = ["has_redis_json", "has_redisearch"]
