# Generated from redstart/aio/util.py: change that, then `python -m tools.generate_sync`.
"""Which colour this package is, as `redis_om.util` says it."""

ASYNC_MODE = False
