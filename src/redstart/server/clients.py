"""Drivers and clients of a URL."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.connection import URL_QUERY_ARGUMENT_PARSERS
from redis.retry import Retry

from redstart.display import shortened, shown_url, without_password, without_passwords
from redstart.errors import ConfigurationError
from redstart.server.async_driver import AsyncDriver
from redstart.server.pools import (
    SYNC_UNIX_SOCKET_OPTIONS,
    bound_handshake,
    pool_like,
    where_of,
    where_of_pool,
)
from redstart.server.sync_driver import SyncDriver

CONNECT_TIMEOUT_SECONDS = 5.0
ANSWER_TIMEOUT_SECONDS = 60.0
"""The timeout of one request, in seconds."""

_TEXT_OPTIONS = frozenset(
    {
        *("username", "password", "client_name", "lib_name", "lib_version", "protocol"),
        *("encoding", "encoding_errors", "decode_responses", "legacy_responses"),
    }
)
"""Options of redis-py that are texts as they stand in a URL; it converts those of `URL_QUERY_ARGUMENT_PARSERS`."""

MIN_PORT, MAX_PORT = 1, 65_535
_NUMBER = re.compile(r"-?\d{1,6}", re.ASCII)

_UNENCODED = "a special character of the password is not percent-encoded"

_DATABASES = 2**31
_DATABASE = re.compile(r"/?\d*/?", re.ASCII)


def open_sync(url: str, *, timeout_seconds: float | None = None) -> SyncDriver:
    """Return a driver on its own pool.

    Args:
        timeout_seconds: of connecting, and of each request; by default the usual ones.

    Raises:
        ConfigurationError: redis-py does not understand the URL.
    """
    _require_good(url)
    options = _sync_options(url) | {"socket_timeout": timeout_seconds or ANSWER_TIMEOUT_SECONDS}
    if timeout_seconds is not None and "socket_connect_timeout" in options:
        options["socket_connect_timeout"] = timeout_seconds
    pool = redis.ConnectionPool.from_url(url, retry=Retry(NoBackoff(), 0), **options)
    bound_handshake(pool)
    return SyncDriver(pool, without_password(url))


@contextmanager
def decoding_client(url: str) -> Iterator[redis.Redis]:
    """Open a client of a URL that decodes replies. Raises ConfigurationError."""
    with open_sync(url) as driver, driver.client() as client:
        yield client


def open_async(url: str) -> AsyncDriver:
    """Return a driver on its own asyncio pool. Raises ConfigurationError for a URL redis-py does not understand."""
    _require_good(url)
    pool = redis.asyncio.ConnectionPool.from_url(
        url, retry=AsyncRetry(NoBackoff(), 0), socket_timeout=ANSWER_TIMEOUT_SECONDS, **_options(url)
    )
    bound_handshake(pool)
    return AsyncDriver(pool, without_password(url))


def _sync_options(url: str) -> dict[str, Any]:
    return _options(url) | (dict(SYNC_UNIX_SOCKET_OPTIONS) if url.startswith("unix:") else {})


def _options(url: str) -> dict[str, Any]:
    # A Unix socket has no connect timeout in redis-py 5.
    return {} if url.startswith("unix:") else {"socket_connect_timeout": CONNECT_TIMEOUT_SECONDS}


def _require_good(url: str) -> None:
    """Raise ConfigurationError where redis-py makes nothing of a URL, or not what was meant."""
    _require_port(url)
    try:
        pool = redis.ConnectionPool.from_url(url)
        _ = pool.connection_class(**pool.connection_kwargs)  # connects to nothing; refuses unknown options
        _ = str(pool.connection_kwargs.get("host", "")).encode("idna")
    except UnicodeError:
        raise _bad_url(url, ValueError("invalid host name")) from None
    except (ValueError, redis.RedisError) as exc:
        raise _bad_url(url, exc) from None
    except Exception:  # noqa: BLE001 - redis-py raises anything for an option that it does not know
        raise _bad_url(url, ValueError("unknown option")) from None
    _require_texts(url)
    if shown_url(url) is None:  # a raw / in the password: redis-py would try another host
        raise _bad(url, _UNENCODED)
    parts = urlsplit(url)
    if parts.scheme != "unix" and not _DATABASE.fullmatch(parts.path):  # redis-py would take database 0
        raise _bad_url(url, ValueError(f"the database has to be a number, not {parts.path.strip('/')!r}"))
    database = pool.connection_kwargs.get("db") or 0
    if not 0 <= int(database) < _DATABASES:
        raise _bad_url(url, ValueError(f"the database {database} is out of range"))


def _require_port(url: str) -> None:
    """Raise ConfigurationError if the port is not a number from 1 to 65535. redis-py replaces 0 by its default port."""
    try:
        parts = urlsplit(url)
        _ = parts.hostname  # invalid brackets are not about the port
    except ValueError:
        return
    try:
        is_port = parts.port != 0
    except ValueError:
        is_port = False
    if is_port or parts.scheme not in ("redis", "rediss"):
        return
    if "@" in parts.path + parts.query + parts.fragment:
        raise _bad(url, _UNENCODED)  # the port may be a part of the password
    port = parts.netloc.rpartition("@")[2].rpartition(":")[2]
    # Another text may be a password in the wrong place.
    actual = f", not {port}" if _NUMBER.fullmatch(port) else ""
    raise _bad(url, f"the port has to be a number from {MIN_PORT} to {MAX_PORT}{actual}")


def _require_texts(url: str) -> None:
    """Raise ConfigurationError for an option whose value is an object: as text it would fail later."""
    for name, _ in parse_qsl(urlsplit(url).query):
        if (
            name not in _TEXT_OPTIONS
            and name not in URL_QUERY_ARGUMENT_PARSERS
            and not name.startswith("ssl_")
        ):
            raise _bad_url(url, ValueError(f"the option {shortened(name)} cannot be set in a URL"))


def _bad_url(url: str, error: Exception) -> ConfigurationError:
    # Python's own complaints quote the part in question, which may hold the password.
    return _bad(url, without_passwords(str(error)) if shown_url(url) else "")


def _bad(url: str, reason: str) -> ConfigurationError:
    """Return the error for a URL, with a reason that contains no password."""
    shown = without_password(url)
    subject = "The URL (not shown, because it may contain a password)" if shown == "..." else repr(shown)
    return ConfigurationError(
        f"{subject} is not a Redis URL{': ' * bool(reason)}{reason.rstrip('.')}.",
        "Use redis://user:password@host:6379/0, rediss://... for TLS, or unix:///path/to.sock. "
        "Percent-encode special characters of the password (@ as %40).",
    )


def open_like(client: object) -> SyncDriver:
    """Return a driver on the server that a redis-py client talks to, whatever that client decodes or retries.

    Args:
        client: a `redis.Redis` or `redis.asyncio.Redis`, as a model's `Meta.database` names one.

    Raises:
        ConfigurationError: it is neither.
    """
    pool = pool_like(client)
    return SyncDriver(pool, where_of_pool(pool))


def sync_client(default_url: str, **options: Any) -> redis.Redis:
    """Return a redis-py client, connected when it is first used, without retries of its own.

    Args:
        options: `url`, or options of redis-py such as host and port; by default, the default URL is used.
    """
    client: redis.Redis = _client(redis.Redis, default_url, {"retry": Retry(NoBackoff(), 0)} | options)
    return client


def async_client(default_url: str, **options: Any) -> redis.asyncio.Redis:
    """Return a client for asyncio; see `sync_client`."""
    client: redis.asyncio.Redis = _client(
        redis.asyncio.Redis, default_url, {"retry": AsyncRetry(NoBackoff(), 0)} | options
    )
    return client


def _client(kind: Any, default_url: str, options: dict[str, Any]) -> Any:
    if any(name in options for name in ("host", "port", "unix_socket_path", "connection_pool")):
        client = kind(**options)
        if kind is redis.Redis and options.get("unix_socket_path"):
            client.connection_pool.connection_kwargs |= (
                SYNC_UNIX_SOCKET_OPTIONS  # redis-py 7 ignores the argument
            )
        return client
    chosen = options.pop("url", None) or default_url
    _require_good(chosen)
    defaults = _sync_options(chosen) if kind is redis.Redis else _options(chosen)
    client = kind.from_url(chosen, **defaults | options)
    bound_handshake(client.connection_pool)
    return client


def where_of_url(url: str) -> str:
    """Return which server a URL names, in the words of `where_of`. Raises ConfigurationError for a bad URL."""
    _require_good(url)
    return where_of(redis.ConnectionPool.from_url(url).connection_kwargs)
