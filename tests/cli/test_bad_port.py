"""A port that cannot be one is reported as such, and an address stands once in an error."""

import pytest

from redstart.server.redis_errors import translate_error
from tests.support.cli import refused, run_om

PORTS = ("x", "6379x", "0", "-1", "65536", "99999", "1e3")


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize(
    "start", ["redis://localhost:", "rediss://h:", "redis://[::1]:", "redis://u:S3cret@h:"]
)
def test_a_port_that_is_not_one_is_named(configured: str, start: str, port: str) -> None:
    found = run_om("--url", f"{start}{port}/0", "migrate-data", "progress")
    refused(
        found,
        2,
        "is not a Redis URL: the port has to be a number from 1 to 65535",
        "redis://user:password@host:6379/0",
    )
    is_number = port.lstrip("-").isdecimal()
    assert found.stderr.splitlines()[0].endswith(f"65535, not {port}." if is_number else "65535.")
    assert "S3cret" not in found.text


@pytest.mark.parametrize("url", ["redis://:S3cret/x@h:6379", "redis://u:S3cret#@h", "redis://u:S3cret?x@h:1"])
def test_a_part_of_a_password_is_not_taken_for_a_port(configured: str, url: str) -> None:
    found = run_om("--url", url, "migrate-data", "progress")
    refused(found, 2, "a special character of the password is not percent-encoded", "Percent-encode")
    assert "S3cret" not in found.text


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1", "redis://[::1]:1", "unix:///tmp/there-is-no-socket"])
def test_a_connection_error_has_the_address_once(configured: str, url: str) -> None:
    found = run_om("--url", url, "migrate-data", "progress")
    refused(found, 1, f"The server at {url} did not reply: ")
    assert found.text.count(url.partition("://")[2]) == 1
    assert "connecting to" not in found.text


@pytest.mark.parametrize(
    ("theirs", "reason"),
    [
        ("Error 111 connecting to h:1. Connection refused.", "Connection refused."),
        ("Error -2 connecting to a.b.c:1. Name or service not known.", "Name or service not known."),
        (
            "Error Multiple exceptions: [Errno 111] x, [Errno 99] y connecting to h:1.",
            "Multiple exceptions: ",
        ),
        ("Error connecting to h:1.", "Error connecting to h:1."),
        ("Timeout connecting to server", "Timeout connecting to server"),
        ("Connection closed by server.", "Connection closed by server."),
    ],
)
def test_no_reason_is_lost(theirs: str, reason: str) -> None:
    message = translate_error(OSError(theirs), "redis://h:1").message
    assert message.startswith(f"The server at redis://h:1 did not reply: {reason}")
