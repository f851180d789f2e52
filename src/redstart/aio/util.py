"""Which colour this package is, as `redis_om.util` says it."""

ASYNC_MODE = True
