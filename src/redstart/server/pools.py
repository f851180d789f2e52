"""Connection pools with the settings of a given client: sync or async, or for another event loop."""

import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from types import MappingProxyType
from typing import Any

import redis
import redis.asyncio
import redis.asyncio.sentinel
import redis.exceptions
import redis.sentinel
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from redstart.errors import ConfigurationError


class TlsHandshakeError(redis.exceptions.ConnectionError):
    """The TLS handshake failed."""

    def __init__(self, error: TimeoutError | ssl.SSLError, timeout_seconds: float | None) -> None:
        reason = (
            str(error) if isinstance(error, ssl.SSLError) else f"no reply within {timeout_seconds} seconds"
        )
        super().__init__(f"TLS handshake failed: {reason}")
        self.is_about_certificate = isinstance(error, ssl.SSLCertVerificationError)


class TlsConnection(redis.SSLConnection):
    """A connection whose handshake is limited by the connect timeout; redis-py uses the timeout of replies."""

    def _wrap_socket_with_ssl(self, sock: Any) -> Any:
        sock.settimeout(self.socket_connect_timeout)
        wrap: Any = super()._wrap_socket_with_ssl  # redis-py leaves it untyped
        try:
            wrapped = wrap(sock)
        except (TimeoutError, ssl.SSLError) as error:
            raise TlsHandshakeError(error, self.socket_connect_timeout) from error
        wrapped.settimeout(self.socket_timeout)
        return wrapped


class AsyncTlsConnection(redis.asyncio.SSLConnection):
    """The same for asyncio, where the connect timeout includes the handshake."""

    async def _connect(self) -> None:
        connect: Any = super()._connect  # redis-py leaves it untyped
        try:
            await connect()
        except (TimeoutError, ssl.SSLError) as error:
            raise TlsHandshakeError(error, self.socket_connect_timeout) from error


try:
    from redis.maint_notifications import MaintNotificationsConfig
except ImportError:  # before redis-py 7
    SYNC_UNIX_SOCKET_OPTIONS: Mapping[str, Any] = MappingProxyType({})
else:
    SYNC_UNIX_SOCKET_OPTIONS = MappingProxyType(
        {"maint_notifications_config": MaintNotificationsConfig(enabled=False)}
    )
"""Options of sync pools of Unix sockets. redis-py 7 and 8.0.0 request notifications of a host that a socket lacks."""

_OURS: dict[type, type] = {
    redis.SSLConnection: TlsConnection,
    redis.asyncio.SSLConnection: AsyncTlsConnection,
}


def bound_handshake(pool: Any) -> None:
    """Set the connection class of a new sync or async pool to that of this module, if it would use TLS."""
    pool.connection_class = _OURS.get(pool.connection_class, pool.connection_class)


def pool_of(client: object) -> "redis.ConnectionPool | redis.asyncio.ConnectionPool":
    """Return the pool of a sync or async client. Raises ConfigurationError if it is not a redis-py client."""
    pool = getattr(client, "connection_pool", None)
    if isinstance(pool, redis.ConnectionPool | redis.asyncio.ConnectionPool):
        return pool
    if type(client).__module__ == "unittest.mock":
        raise ConfigurationError(
            f"Meta.database is of the class {type(client).__name__}, which has no connection to a server. "
            "Redstart uses the connections of a client and does not call its methods.",
            'Mock methods of the model instead, for example with mock.patch.object(Model, "get"), or set '
            "Meta.database to fakeredis.FakeRedis() or fakeredis.FakeAsyncRedis().",
        )
    raise ConfigurationError(
        f"Meta.database is of the class {type(client).__name__}, not a redis-py client.",
        "Use redis.Redis(...) or redis.asyncio.Redis(...); for om, set the server with --url.",
    )


def is_client(value: object) -> bool:
    """Return whether a value is a sync or async client of redis-py. A pipeline, which also has a pool, is not."""
    pool = getattr(value, "connection_pool", None)
    is_pipeline = callable(getattr(value, "pipeline_execute_command", None))
    return isinstance(pool, redis.ConnectionPool | redis.asyncio.ConnectionPool) and not is_pipeline


def pool_like(client: object) -> redis.ConnectionPool:
    """Return the pool of a client; of an asyncio one a new pool to the same server. Raises ConfigurationError."""
    pool = pool_of(client)
    if isinstance(pool, redis.ConnectionPool):
        return pool
    made: redis.ConnectionPool = _new_pool(_SYNC, pool)
    return made


@contextmanager
def decoding_client(pool: "redis.ConnectionPool | redis.asyncio.ConnectionPool") -> Iterator[redis.Redis]:
    """Open a sync client of the server of a pool, with connections of its own.

    It decodes replies, as those of models do.
    """
    made: redis.ConnectionPool = _new_pool(_SYNC, pool, {"decode_responses": True})
    try:
        yield redis.Redis(connection_pool=made)
    finally:
        made.disconnect()


def new_async_pool(pool: redis.ConnectionPool | redis.asyncio.ConnectionPool) -> redis.asyncio.ConnectionPool:
    """Return a new asyncio pool to the same server, with all settings that an asyncio pool can have."""
    made: redis.asyncio.ConnectionPool = _new_pool(_ASYNC, pool)
    return made


def decoding_async_client(pool: redis.ConnectionPool) -> redis.asyncio.Redis:
    """Return an async client of the server of a pool that decodes replies. It is closed together with its pool."""
    return redis.asyncio.Redis(connection_pool=_new_pool(_ASYNC, pool, {"decode_responses": True}))


def _new_pool(flavour: "_Flavour", pool: Any, changed: Mapping[str, Any] = MappingProxyType({})) -> Any:
    kind: Any = type(pool)
    settings = {name: value for name, value in pool.connection_kwargs.items() if name != "connection_pool"}
    connection_class = pool.connection_class
    if not isinstance(pool, flavour.pool):
        if connection_class not in flavour.connections:
            # A plain connection could lead to another server: fakeredis has none at all.
            raise ConfigurationError(
                f"Meta.database uses the custom connection class {connection_class.__name__}, which has no "
                f"{'asyncio' if flavour is _ASYNC else 'synchronous'} counterpart.",
                "Use a redis.Redis for models of redstart, and a redis.asyncio.Redis for models of redstart.aio. "
                "For om, set the server with --url.",
            )
        kind, settings = flavour.pool, _shared(settings) | {"retry": flavour.no_retries()}
        connection_class = flavour.connections[connection_class]
    if flavour is _SYNC and connection_class is redis.UnixDomainSocketConnection:
        settings |= SYNC_UNIX_SOCKET_OPTIONS
    settings |= {"connection_class": connection_class, "max_connections": pool.max_connections, **changed}
    if isinstance(
        pool, redis.sentinel.SentinelConnectionPool | redis.asyncio.sentinel.SentinelConnectionPool
    ):
        return _new_sentinel_pool(flavour, pool, settings)
    return kind(**settings)


def _new_sentinel_pool(flavour: "_Flavour", pool: Any, settings: dict[str, Any]) -> Any:
    """Return a pool that asks the same sentinels for the server, on connections of its own."""
    known = pool.sentinel_manager
    at = [one.connection_pool.connection_kwargs for one in known.sentinels]
    sentinel = flavour.sentinel(
        [(one["host"], one["port"]) for one in at],
        min_other_sentinels=known.min_other_sentinels,
        sentinel_kwargs=_shared(known.sentinel_kwargs),
    )
    role = {"is_master": pool.is_master, "check_connection": pool.check_connection}
    return flavour.sentinel_pool(pool.service_name, sentinel, **settings, **role)


def _shared(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name in _SHARED_SETTINGS}


def where_of_pool(pool: redis.ConnectionPool | redis.asyncio.ConnectionPool) -> str:
    """Return which server a pool leads to, as it may be shown."""
    service: str | None = getattr(pool, "service_name", None)
    return where_of(pool.connection_kwargs) if service is None else f"{service} (Sentinel)"


def is_on_this_machine(pool: redis.ConnectionPool | redis.asyncio.ConnectionPool) -> bool:
    """Return whether a pool leads to a socket or a loopback address."""
    if getattr(pool, "service_name", None) is not None:
        return False
    host = str(pool.connection_kwargs.get("host", "localhost"))
    if "path" in pool.connection_kwargs or host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def database_of_pool(pool: redis.ConnectionPool | redis.asyncio.ConnectionPool) -> int:
    """Return the number of the database that a pool leads to."""
    return int(pool.connection_kwargs.get("db") or 0)


def where_of(settings: Mapping[str, Any]) -> str:
    """Return which server connection settings name, as it may be shown."""
    place = settings.get("path") or f"{settings.get('host', 'localhost')}:{settings.get('port', 6379)}"
    return f"{place}/{settings.get('db', 0)}"


_SHARED_SETTINGS = {
    *("host", "port", "path", "db", "username", "password", "client_name", "protocol"),
    *("socket_timeout", "socket_connect_timeout"),
    *("ssl_keyfile", "ssl_certfile", "ssl_password", "ssl_cert_reqs", "ssl_check_hostname"),
    *("ssl_ca_certs", "ssl_ca_path", "ssl_ca_data"),
}
"""Connection settings that mean the same to an asyncio connection and to a synchronous one."""


@dataclass(frozen=True, slots=True)
class _Flavour:
    """The sync or async classes of redis-py; connection classes by those of the other kind."""

    pool: Any
    connections: dict[type, Any]
    sentinel: Any
    sentinel_pool: Any
    no_retries: Callable[[], Any]


_PAIRS: tuple[tuple[Any, Any], ...] = (
    (redis.Connection, redis.asyncio.Connection),
    (redis.SSLConnection, redis.asyncio.SSLConnection),
    (TlsConnection, AsyncTlsConnection),
    (redis.UnixDomainSocketConnection, redis.asyncio.UnixDomainSocketConnection),
    (redis.sentinel.SentinelManagedConnection, redis.asyncio.sentinel.SentinelManagedConnection),
    (redis.sentinel.SentinelManagedSSLConnection, redis.asyncio.sentinel.SentinelManagedSSLConnection),
)

_SYNC = _Flavour(
    redis.ConnectionPool,
    {theirs: ours for ours, theirs in _PAIRS},
    redis.sentinel.Sentinel,
    redis.sentinel.SentinelConnectionPool,
    lambda: Retry(NoBackoff(), 0),
)

_ASYNC = _Flavour(
    redis.asyncio.ConnectionPool,
    dict(_PAIRS),
    redis.asyncio.sentinel.Sentinel,
    redis.asyncio.sentinel.SentinelConnectionPool,
    lambda: AsyncRetry(NoBackoff(), 0),
)
