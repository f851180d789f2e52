"""From a URL to a driver. The one place that builds redis-py pools."""

from collections.abc import Mapping
from typing import Any
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

_SCHEMES = ("redis", "rediss", "unix")


def open_sync(url: str) -> SyncDriver:
    """A driver on its own pool. Raises ConfigurationError for a URL redis-py does not understand."""
    _require_good(url)
    pool = redis.ConnectionPool.from_url(
        url, retry=Retry(NoBackoff(), 0), socket_timeout=ANSWER_TIMEOUT_SECONDS, **_options(url)
    )
    return SyncDriver(pool, without_password(url))


def open_async(url: str) -> AsyncDriver:
    """A driver on its own asyncio pool. Raises ConfigurationError for a URL redis-py does not understand."""
    _require_good(url)
    pool = redis.asyncio.ConnectionPool.from_url(
        url, retry=AsyncRetry(NoBackoff(), 0), socket_timeout=ANSWER_TIMEOUT_SECONDS, **_options(url)
    )
    return AsyncDriver(pool, without_password(url))


def without_password(url: str) -> str:
    """The URL as it may be shown: scheme, user, host, port and database, never the password or the query.

    Of a URL that is not well formed only the scheme is shown: its password may stand anywhere in it.
    """
    return _shown(url) or next(
        (f"{scheme}://..." for scheme in _SCHEMES if url.startswith(f"{scheme}:")), "..."
    )


def _shown(url: str) -> str | None:
    """The URL without password and query; None when it cannot be told what is the password."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        place = f"[{host}]" if ":" in host else host
        place += f":{parts.port}" if parts.port is not None else ""
    except ValueError:  # a port that is no number, brackets, characters that no host has
        return None
    if parts.scheme not in _SCHEMES or "@" in parts.path + parts.query + parts.fragment:
        return None
    user = f"{parts.username}@" if parts.username else ""
    return f"{parts.scheme}://{user}{place}{parts.path}"


def _options(url: str) -> dict[str, float]:
    # A Unix socket has no connect timeout in redis-py 5.
    return {} if url.startswith("unix:") else {"socket_connect_timeout": CONNECT_TIMEOUT_SECONDS}


def _require_good(url: str) -> None:
    """Raises ConfigurationError where redis-py makes nothing of a URL, or not what was meant."""
    try:
        pool = redis.ConnectionPool.from_url(url)
        _ = pool.connection_class(**pool.connection_kwargs)  # connects to nothing; refuses unknown options
    except TypeError:
        raise _bad_url(url, ValueError("it has an option that no connection knows")) from None
    except ValueError as exc:
        raise _bad_url(url, exc) from None
    if _shown(url) is None:  # a raw / in the password: redis-py would try another host
        raise _bad_url(url, ValueError("a character of the password is not quoted"))


def _bad_url(url: str, error: ValueError) -> ConfigurationError:
    # Python's own complaints quote the part in question, which may hold the password.
    reason = f": {error}" if _shown(url) else ""
    return ConfigurationError(
        f"{without_password(url)!r} is not a Redis URL{reason}",
        "It looks like redis://user:password@host:6379/0, rediss://... with TLS, or unix:///path/to.sock; "
        "write special characters of a password as %40 and the like.",
    )


def open_like(client: object) -> SyncDriver:
    """A driver on the server that a redis-py client talks to, whatever that client decodes or retries.

    Args:
        client: a `redis.Redis` or `redis.asyncio.Redis`, as a model's `Meta.database` names one.

    Raises:
        ConfigurationError: it is neither.
    """
    pool = pool_like(client)
    return SyncDriver(pool, where_of(pool.connection_kwargs))


def pool_like(client: object) -> redis.ConnectionPool:
    """The pool of a client; of an asyncio one a new pool to the same server. Raises ConfigurationError."""
    pool = pool_of(client)
    if isinstance(pool, redis.ConnectionPool):
        return pool
    kind = _SYNC_CONNECTIONS.get(pool.connection_class, redis.Connection)
    return redis.ConnectionPool(connection_class=kind, retry=Retry(NoBackoff(), 0), **_shared_settings(pool))


def async_pool_like(client: object) -> redis.asyncio.ConnectionPool:
    """The pool of an asyncio client; of another one a new pool to the same server. Raises ConfigurationError."""
    pool = pool_of(client)
    if isinstance(pool, redis.asyncio.ConnectionPool):
        return pool
    kind = _ASYNC_CONNECTIONS.get(pool.connection_class, redis.asyncio.Connection)
    retry = AsyncRetry(NoBackoff(), 0)
    return redis.asyncio.ConnectionPool(connection_class=kind, retry=retry, **_shared_settings(pool))


def another_pool(pool: redis.asyncio.ConnectionPool) -> redis.asyncio.ConnectionPool:
    """A pool of the same settings, for another event loop: connections work in one only."""
    return type(pool)(
        connection_class=pool.connection_class, max_connections=pool.max_connections, **pool.connection_kwargs
    )


def pool_of(client: object) -> redis.ConnectionPool | redis.asyncio.ConnectionPool:
    """The pool of a client of either colour. Raises ConfigurationError if it is no client of redis-py."""
    pool = getattr(client, "connection_pool", None)
    if isinstance(pool, redis.ConnectionPool | redis.asyncio.ConnectionPool):
        return pool
    raise ConfigurationError(
        f"Meta.database is a {type(client).__name__}, not a client of redis-py.",
        "Give it redis.Redis(...) or redis.asyncio.Redis(...). To om, the server can be given with --url instead.",
    )


def _shared_settings(pool: redis.ConnectionPool | redis.asyncio.ConnectionPool) -> dict[str, Any]:
    settings = pool.connection_kwargs
    return {name: value for name, value in settings.items() if name in _SHARED_SETTINGS}


def sync_client(default_url: str, **options: Any) -> redis.Redis:
    """A redis-py client, connected when it is first used, without retries of its own.

    Args:
        options: `url`, or host, port and the like as redis-py takes them; without these the default URL counts.
    """
    client: redis.Redis = _client(redis.Redis, default_url, {"retry": Retry(NoBackoff(), 0)} | options)
    return client


def async_client(default_url: str, **options: Any) -> redis.asyncio.Redis:
    """As `sync_client`, for asyncio."""
    client: redis.asyncio.Redis = _client(
        redis.asyncio.Redis, default_url, {"retry": AsyncRetry(NoBackoff(), 0)} | options
    )
    return client


def _client(kind: Any, default_url: str, options: dict[str, Any]) -> Any:
    if any(name in options for name in ("host", "port", "unix_socket_path", "connection_pool")):
        return kind(**options)
    chosen = options.pop("url", None) or default_url
    _require_good(chosen)
    return kind.from_url(chosen, **options)


def where_of_url(url: str) -> str:
    """Which server a URL names, in the words of `where_of`. Raises ConfigurationError for a bad URL."""
    _require_good(url)
    return where_of(redis.ConnectionPool.from_url(url).connection_kwargs)


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

_ASYNC_CONNECTIONS: dict[type, Any] = {
    redis.SSLConnection: redis.asyncio.SSLConnection,
    redis.UnixDomainSocketConnection: redis.asyncio.UnixDomainSocketConnection,
}

_SYNC_CONNECTIONS: dict[type, Any] = {theirs: ours for ours, theirs in _ASYNC_CONNECTIONS.items()}
