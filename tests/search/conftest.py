"""A client for each protocol, undecoded."""

from collections.abc import Iterator

import pytest
import redis

from tests.support.servers import client_with_protocol


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def raw(request: pytest.FixtureRequest, url: str) -> Iterator[redis.Redis]:
    """A client whose replies come as the protocol has them; the server is empty."""
    with client_with_protocol(url, request.param, decode_responses=False) as connection:
        yield connection
