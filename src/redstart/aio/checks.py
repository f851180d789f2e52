"""Feature checks of a server."""

from typing import TYPE_CHECKING

from redstart.aio.connections import get_redis_connection, server_of_client
from redstart.commands.server_info import command_known
from redstart.effects import call

if TYPE_CHECKING:
    import redis.asyncio


async def has_redis_json(conn: "redis.asyncio.Redis | None" = None) -> bool:
    """Return whether the server supports JSON documents.

    Args:
        conn: a client of the server; by default one for REDIS_OM_URL.

    Raises:
        ConfigurationError: the URL or the client is not valid.
        ServerError: the server did not reply, or rejected the command.

    Effects: COMMAND INFO; one round trip.
    """
    return await check_for_command(conn, "JSON.SET")


async def has_redisearch(conn: "redis.asyncio.Redis | None" = None) -> bool:
    """Return whether the server supports queries. Arguments, errors and effects are those of `has_redis_json`."""
    return await check_for_command(conn, "FT.SEARCH")


async def supports_hash_field_expiration(conn: "redis.asyncio.Redis | None" = None) -> bool:
    """Return whether the server supports the expiry of hash fields. See `has_redis_json`."""
    return await check_for_command(conn, "HEXPIRE")


async def check_for_command(conn: "redis.asyncio.Redis | None", cmd: str) -> bool:
    """Return whether the server supports a command. See `has_redis_json`."""
    server = server_of_client(get_redis_connection() if conn is None else conn)
    return await server.run(call(command_known(cmd)))
