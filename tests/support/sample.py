"""The commands that write the sample, made once: to make them takes longer than to send them."""

from functools import cache

import redis

from redstart.demo.load import load_batches
from redstart.demo.sample import generate
from tests.support.replies import Command, send


def load_sample(
    client: redis.Redis, documents: int, *, dirty_share: float = 0.03, field_expiries: bool = True
) -> None:
    """Write the sample's first documents and the foreign keys around them.

    Args:
        dirty_share: the share of malformed values, 0 to 1.
        field_expiries: whether fields of hashes expire.
    """
    for commands in _batches(documents, dirty_share, field_expiries):
        send(client, commands)


@cache
def _batches(documents: int, dirty_share: float, field_expiries: bool) -> list[list[Command]]:
    sample = generate(documents, dirty_share=dirty_share)
    return [list(commands) for commands in load_batches(sample, field_expiries=field_expiries)]
