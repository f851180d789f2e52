"""From a URL to a driver. The one place that builds redis-py pools."""

from urllib.parse import urlsplit

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
    try:
        pool = redis.ConnectionPool.from_url(
            url,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=ANSWER_TIMEOUT_SECONDS,
            **_options(url),
        )
    except ValueError as exc:
        raise _bad_url(url, exc) from exc
    return SyncDriver(pool, without_password(url))


def open_async(url: str) -> AsyncDriver:
    """A driver on its own asyncio pool. Raises ConfigurationError for a URL redis-py does not understand."""
    try:
        pool = redis.asyncio.ConnectionPool.from_url(
            url,
            retry=AsyncRetry(NoBackoff(), 0),
            socket_timeout=ANSWER_TIMEOUT_SECONDS,
            **_options(url),
        )
    except ValueError as exc:
        raise _bad_url(url, exc) from exc
    return AsyncDriver(pool, without_password(url))


def without_password(url: str) -> str:
    """The URL as it may be shown: scheme, user, host, port and database, never the password or the query."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    user = f"{parts.username}@" if parts.username else ""
    return f"{parts.scheme}://{user}{host}{parts.path}"


def _options(url: str) -> dict[str, float]:
    # A Unix socket has no connect timeout in redis-py 5.
    return {} if url.startswith("unix:") else {"socket_connect_timeout": CONNECT_TIMEOUT_SECONDS}


def _bad_url(url: str, error: ValueError) -> ConfigurationError:
    return ConfigurationError(
        f"{without_password(url)!r} is not a Redis URL: {error}",
        "It looks like redis://user:password@host:6379/0, rediss://... with TLS, or unix:///path/to.sock",
    )
