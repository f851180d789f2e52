"""The role of a server: primary, replica or node of a cluster."""

from redstart.commands.server_info import info
from redstart.effects import Op, call
from redstart.errors import CommandError, MigrationError, RedstartError, UnsupportedServerError


def require_server(*, writes: bool) -> Op[str | None]:
    """Refuse a server with only a part of the documents or, for work that writes, a read-only one. One read.

    Returns:
        A warning if the documents may be outdated: the server is a replica without a link to its primary.

    Raises:
        UnsupportedServerError: it is a node of a cluster.
        MigrationError: it is a replica, and `writes`; or a replica that has not received the data of its primary.
    """
    fields = yield from call(info())
    if fields.get("cluster_enabled") == "1":
        raise UnsupportedServerError(
            "This server is one node of a Redis Cluster and holds only a part of the documents. Clusters are not "
            "supported yet. Nothing was read or written.",
            "Name a server that holds all documents with --url, for example a copy of the data on a single server.",
        )
    if not is_replica(fields):
        return None
    if writes:
        raise replica_refuses(fields)
    if fields.get("slave_repl_offset") == "0" or fields.get("master_sync_in_progress") == "1":
        raise MigrationError(
            f"This server is a replica of {_primary(fields)} and has not received the data of that primary yet. Its "
            "content does not show the documents.",
            f"Wait until the link is up (redis-cli INFO replication), or name the primary: --url redis://{_primary(fields)}",
        )
    if fields.get("master_link_status") == "up":
        return None
    return (
        f"This server is a replica of {_primary(fields)}, and its link to that primary has been down for "
        f"{fields.get('master_link_down_since_seconds', '?')} s: its documents may be outdated. "
        f"Name the primary: --url redis://{_primary(fields)}"
    )


def is_replica(fields: dict[str, str]) -> bool:
    """Return whether a server is a replica, by its INFO."""
    return fields.get("role") == "slave"


def replica_refuses(fields: dict[str, str]) -> MigrationError:
    """Return the error of work that writes, on a replica."""
    link = "" if fields.get("master_link_status") == "up" else ", and its link to that primary is down"
    return MigrationError(
        f"This server is a replica of {_primary(fields)}{link}. A replica is read-only.",
        f"Name its primary: --url redis://{_primary(fields)}",
    )


def _primary(fields: dict[str, str]) -> str:
    return f"{fields.get('master_host', '?')}:{fields.get('master_port', '?')}"


def explained(error: CommandError) -> Op[RedstartError]:
    """Return the error of a refused command, with the primary if the server has become a replica. One read, or none."""
    if error.code != "READONLY":
        return error
    fields = yield from call(info())
    return replica_refuses(fields) if is_replica(fields) else error
