# Generated from redstart/aio/util.py: change that, then `python -m tools.generate_sync`.
"""Which of the two packages this is: `ASYNC_MODE`, as in `redis_om.util`."""

ASYNC_MODE = False
