"""A server for these tests, and an empty database for each."""

from collections.abc import Iterator

import pytest
import redis

from tests.support.scratch_server import scratch_server


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    with scratch_server() as url:
        yield url


@pytest.fixture
def client(server_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(server_url) as client:
        client.flushall()
        yield client
