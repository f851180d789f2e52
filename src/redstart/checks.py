# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `redis_om.checks`."""

from redstart.sync.checks import check_for_command, has_redis_json, has_redisearch

__all__ = ["check_for_command", "has_redis_json", "has_redisearch"]
