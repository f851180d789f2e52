"""From a URL to a driver. The one place that builds redis-py pools."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from redstart.errors import ConfigurationError
from redstart.server.async_driver import AsyncDriver
from redstart.server.sync_driver import SyncDriver

CONNECT_TIMEOUT_SECONDS = 5.0
ANSWER_TIMEOUT_SECONDS = 60.0
"""A server that needs longer for one request than this is taken for gone."""


def open_sync(url: str) -> SyncDriver:
    """A driver on its own pool. Raises ConfigurationError for a URL redis-py does not understand."""
    _check_url(url)
    pool = redis.ConnectionPool.from_url(
        url, retry=Retry(NoBackoff(), 0), socket_timeout=ANSWER_TIMEOUT_SECONDS, **_options(url)
    )
    return SyncDriver(pool, without_password(url))


def open_async(url: str) -> AsyncDriver:
    """A driver on its own asyncio pool. Raises ConfigurationError for a URL redis-py does not understand."""
    _check_url(url)
    pool = redis.asyncio.ConnectionPool.from_url(
        url, retry=AsyncRetry(NoBackoff(), 0), socket_timeout=ANSWER_TIMEOUT_SECONDS, **_options(url)
    )
    return AsyncDriver(pool, without_password(url))


def without_password(url: str) -> str:
    """The URL as it may be shown: scheme, user, host, port and database, never the password or the query.

    Where a raw / ? or # in a password hides the host, only the scheme. A name without a password is not shown
    either: it may well be a password that lacks its colon.
    """
    parts = _split(url)
    if parts is None or _has_raw_password(parts):
        return f"{url.partition('://')[0] if '://' in url else ''}://..."
    credentials, _, host = parts.netloc.rpartition("@")
    user, colon, _ = credentials.partition(":")
    scheme = f"{parts.scheme}://" if parts.scheme else ""
    return f"{scheme}{f'{user}@' if user and colon else ''}{host}{parts.path}"


def _split(url: str) -> SplitResult | None:
    """The URL's parts; None for what no part can be told of, as an open bracket in the host."""
    try:
        return urlsplit(url)
    except ValueError:
        return None


def _has_raw_password(parts: SplitResult) -> bool:
    """Whether a / ? or # in a password has moved the rest of it, and the host, out of their place."""
    behind = parts.path + parts.fragment + (parts.query if "@" not in parts.netloc else "")
    return parts.scheme != "unix" and "@" in behind


def _options(url: str) -> dict[str, float]:
    # A Unix socket has no connect timeout in redis-py 5.
    return {} if url.startswith("unix:") else {"socket_connect_timeout": CONNECT_TIMEOUT_SECONDS}


def _check_url(url: str) -> dict[str, Any]:
    """The connection settings that redis-py reads from a URL. Raises ConfigurationError if it cannot."""
    parts = _split(url)
    try:
        if parts is None or _has_raw_password(parts):
            raise ValueError
        pool = redis.ConnectionPool.from_url(url)
        pool.connection_class(**pool.connection_kwargs)  # connects to nothing; refuses unknown options
    except (ValueError, TypeError):
        # Not `from exc`, nor its words: they may quote a part of the password.
        raise ConfigurationError(
            f"{without_password(url)!r} is not a Redis URL.",
            "It looks like redis://user:password@host:6379/0, rediss://... with TLS, or unix:///path/to.sock. "
            "In a password write / ? # @ as %2F %3F %23 %40.",
        ) from None
    return pool.connection_kwargs


def open_like(client: object) -> SyncDriver:
    """A driver on the server that a redis-py client talks to, whatever that client decodes or retries.

    Args:
        client: a `redis.Redis` or `redis.asyncio.Redis`, as a model's `Meta.database` names one.

    Raises:
        ConfigurationError: it is neither.
    """
    pool = getattr(client, "connection_pool", None)
    if isinstance(pool, redis.ConnectionPool):
        return SyncDriver(pool, where_of(pool.connection_kwargs))
    if isinstance(pool, redis.asyncio.ConnectionPool):
        settings = {name: value for name, value in pool.connection_kwargs.items() if name in _SHARED_SETTINGS}
        kind = _SYNC_CONNECTIONS.get(pool.connection_class, redis.Connection)
        own = redis.ConnectionPool(connection_class=kind, retry=Retry(NoBackoff(), 0), **settings)
        return SyncDriver(own, where_of(settings))
    raise ConfigurationError(
        f"Meta.database is a {type(client).__name__}, not a client of redis-py.",
        "Give the server with --url instead.",
    )


def where_of_url(url: str) -> str:
    """Which server a URL names, in the words of `where_of`. Raises ConfigurationError for a bad URL."""
    return where_of(_check_url(url))


def where_of(settings: Mapping[str, Any]) -> str:
    """Which server connection settings name, as it may be shown."""
    place = settings.get("path") or f"{settings.get('host', 'localhost')}:{settings.get('port', 6379)}"
    return f"{place}/{settings.get('db', 0)}"


_SHARED_SETTINGS = {
    *("host", "port", "path", "db", "username", "password", "client_name", "protocol"),
    *("socket_timeout", "socket_connect_timeout"),
    *("ssl_keyfile", "ssl_certfile", "ssl_password", "ssl_cert_reqs", "ssl_check_hostname"),
    *("ssl_ca_certs", "ssl_ca_path", "ssl_ca_data"),
}
"""Connection settings that mean the same to an asyncio connection and to a synchronous one."""

_SYNC_CONNECTIONS: dict[type, Any] = {
    redis.asyncio.SSLConnection: redis.SSLConnection,
    redis.asyncio.UnixDomainSocketConnection: redis.UnixDomainSocketConnection,
}
