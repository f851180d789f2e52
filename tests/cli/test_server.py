"""`om server`, where it cannot start."""

import socket

import pytest

from tests.support.cli import run_om
from tests.support.servers import require_binaries


def test_a_busy_port_is_named_with_the_option_that_changes_it() -> None:
    require_binaries()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = run_om("server", "--port", str(port))
    assert (found.code, found.stdout) == (1, "")
    error, hint = found.stderr.splitlines()
    assert error == f"Error: The development server cannot listen on port {port}: Address already in use."
    assert "--port" in hint


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_an_invalid_port(port: str) -> None:
    found = run_om("server", "--port", port)
    assert found.code == 2
    assert "--port" in found.stderr
