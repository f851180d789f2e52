# Generated from redstart/aio/checks.py: change that, then `python -m tools.generate_sync`.
"""What a server can do: `has_redisearch()`."""

from typing import TYPE_CHECKING

from redstart.commands.introspection import command_known
from redstart.effects import call
from redstart.sync.connections import get_redis_connection, server_of_client

if TYPE_CHECKING:
    import redis


def has_redis_json(conn: "redis.Redis | None" = None) -> bool:
    """Whether the server can store JSON documents. Raises ServerError, ConfigurationError.

    Args:
        conn: a client of the server; by default one for REDIS_OM_URL.

    Effects: COMMAND INFO; one round trip.
    """
    return check_for_command(conn, "JSON.SET")


def has_redisearch(conn: "redis.Redis | None" = None) -> bool:
    """Whether the server can answer queries. See `has_redis_json`."""
    return check_for_command(conn, "FT.SEARCH")


def supports_hash_field_expiration(conn: "redis.Redis | None" = None) -> bool:
    """Whether fields of hashes can expire. See `has_redis_json`."""
    return check_for_command(conn, "HEXPIRE")


def check_for_command(conn: "redis.Redis | None", cmd: str) -> bool:
    """Whether the server has a command. See `has_redis_json`."""
    server = server_of_client(get_redis_connection() if conn is None else conn)
    return server.run(call(command_known(cmd)))
