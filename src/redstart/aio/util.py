"""Which of the two packages this is: `ASYNC_MODE`, as in `redis_om.util`."""

ASYNC_MODE = True
