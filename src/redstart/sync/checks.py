# Generated from redstart/aio/checks.py: change that, then `python -m tools.generate_sync`.
"""Feature checks of a server."""

from typing import TYPE_CHECKING

from redstart.commands.server_info import command_known
from redstart.effects import call
from redstart.sync.connections import get_redis_connection, server_of_client

if TYPE_CHECKING:
    import redis


def has_redis_json(conn: "redis.Redis | None" = None) -> bool:
    """Return whether the server supports JSON documents.

    Args:
        conn: a client of the server; by default one for REDIS_OM_URL.

    Raises:
        ConfigurationError: the URL or the client is not valid.
        ServerError: the server did not reply, or rejected the command.

    Effects: COMMAND INFO; one round trip.
    """
    return check_for_command(conn, "JSON.SET")


def has_redisearch(conn: "redis.Redis | None" = None) -> bool:
    """Return whether the server supports queries. Arguments, errors and effects are those of `has_redis_json`."""
    return check_for_command(conn, "FT.SEARCH")


def supports_hash_field_expiration(conn: "redis.Redis | None" = None) -> bool:
    """Return whether the server supports the expiry of hash fields. See `has_redis_json`."""
    return check_for_command(conn, "HEXPIRE")


def check_for_command(conn: "redis.Redis | None", cmd: str) -> bool:
    """Return whether the server supports a command. See `has_redis_json`."""
    server = server_of_client(get_redis_connection() if conn is None else conn)
    return server.run(call(command_known(cmd)))
