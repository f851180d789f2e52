"""TLS connections with a timeout of the handshake, and an error for a port without TLS."""

import ssl
from typing import Any

import redis
import redis.asyncio
import redis.exceptions


class TlsHandshakeError(redis.exceptions.ConnectionError):
    """The TLS handshake failed."""

    def __init__(self, error: TimeoutError | ssl.SSLError, timeout_seconds: float | None) -> None:
        said = str(error) if isinstance(error, ssl.SSLError) else f"no reply within {timeout_seconds} seconds"
        super().__init__(f"TLS handshake failed: {said}")
        self.is_about_certificate = isinstance(error, ssl.SSLCertVerificationError)


class TlsConnection(redis.SSLConnection):
    """A connection whose handshake ends within the time to connect; redis-py gives it that of an answer."""

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
    """The same for asyncio, where the time to connect is that of both together."""

    async def _connect(self) -> None:
        connect: Any = super()._connect  # redis-py leaves it untyped
        try:
            await connect()
        except (TimeoutError, ssl.SSLError) as error:
            raise TlsHandshakeError(error, self.socket_connect_timeout) from error


_OURS: dict[type, type] = {
    redis.SSLConnection: TlsConnection,
    redis.asyncio.SSLConnection: AsyncTlsConnection,
}


def bound_handshake(pool: Any) -> None:
    """Set the connection class of a new sync or async pool to that of this module, if it would use TLS."""
    pool.connection_class = _OURS.get(pool.connection_class, pool.connection_class)
