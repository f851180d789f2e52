"""Meaning of the error replies of servers.

Only this module contains their codes and texts, which differ between servers and versions.
"""

import re
from enum import StrEnum
from typing import Final

from redstart.errors import CommandError

TEMPORARY_CODES: Final = frozenset({"BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "TRYAGAIN"})
"""Codes of temporary errors: the server did nothing, and will soon execute such commands again."""

REFUSAL_CODES: Final = TEMPORARY_CODES | {"MISCONF", "NOREPLICAS", "OOM", "READONLY"}
"""Codes of a server that does not execute such commands at present. They are not about the requested key."""

EMULATED: Final = "EMULATED"
"""The code of a command that failed in an emulated server, such as fakeredis."""

NO_CODE: Final = "ERR"
"""The generic code of an error."""

# Scripts say "Unknown Redis command called from script".
_UNKNOWN_COMMAND = re.compile(r"unknown (?:redis )?command\W*([\w.]*)", re.IGNORECASE)
_TOO_MANY_RESULTS = re.compile(r"(?:LIMIT|OFFSET) exceeds maximum of (\d+)")


class ScriptErrorCode(StrEnum):
    """The codes of errors that the scripts of `redstart/lua` reply with."""

    BEHIND = "BEHIND"
    """The undo log on the server lacks recent entries."""
    CUT = "CUT"
    """A pattern of a query matches more values than the server expands. Followed by its kind and its number."""
    FENCED = "FENCED"
    """Another run holds the lease."""
    FOREIGN = "FOREIGN"
    """A state key has another type. Followed by the actual type, the expected type, and the key."""
    RESTARTED = "RESTARTED"
    """The server has another run id."""
    UNFENCED = "UNFENCED"
    """No run holds the lease: it was removed."""


def script_error_code(error: CommandError) -> ScriptErrorCode | None:
    """Return the code of an error that a script of `redstart/lua` replied with; None for an error of the server."""
    try:
        return ScriptErrorCode(error.code)
    except ValueError:
        return None


def is_temporary(error: CommandError) -> bool:
    """Return whether the error is temporary: the server did nothing, and will soon execute such commands again."""
    return error.code in TEMPORARY_CODES


def is_refusal(error: CommandError) -> bool:
    """Return whether the server does not execute such commands at present: the error is not about the key."""
    return error.code in REFUSAL_CODES


def is_read_only(error: CommandError) -> bool:
    """Return whether the server is a replica, which does not write."""
    return error.code == "READONLY"


def is_noscript(error: CommandError) -> bool:
    """Return whether the server has not cached a script."""
    return error.code == "NOSCRIPT"


def is_wrong_type(error: CommandError) -> bool:
    """Return whether the key has a value of another type."""
    return error.code == "WRONGTYPE" or "wrong redis type" in error.message.lower()


def is_emulated(error: CommandError) -> bool:
    """Return whether a command failed in an emulated server, such as fakeredis."""
    return error.code == EMULATED


def has_no_code(error: CommandError) -> bool:
    """Return whether the error has the generic code: it is about this command and not about the server."""
    return error.code == NO_CODE


def is_unknown_index(error: CommandError) -> bool:
    """Return whether there is no such index."""
    text = error.message.lower()
    return any(words in text for words in ("no such index", "unknown index", "not found"))


def is_index_exists(error: CommandError) -> bool:
    """Return whether an index could not be created because it exists."""
    return "already exists" in error.message.lower()


def is_not_temporary_index(error: CommandError) -> bool:
    """Return whether `FT.DEBUG TTL` failed because the index was not created with TEMPORARY."""
    return "not temporary" in error.message.lower()


def max_results(error: CommandError) -> int | None:
    """Return MAXSEARCHRESULTS of the server if a query was rejected because it exceeds this limit; otherwise None."""
    found = _TOO_MANY_RESULTS.search(error.message)
    return int(found[1]) if found else None


def unknown_command(error: CommandError) -> str | None:
    """Return the command that the server does not know, empty if it names none; None for any other error."""
    found = _UNKNOWN_COMMAND.search(error.message)
    return found[1] if found else None


def is_unknown_key_type(error: CommandError) -> bool:
    """Return whether `SCAN` was asked for a type that the server does not have."""
    return "unknown type" in error.message


def is_save_under_way(error: CommandError) -> bool:
    """Return whether `BGSAVE` was rejected because a child process of the server is running."""
    text = error.message.lower()
    return "in progress" in text or "child process" in text


def is_database_out_of_range(text: str) -> bool:
    """Return whether an error means that the server has no database with this number."""
    return "DB index is out of range" in text


def names_no_index(text: str) -> bool:
    """Return whether an error means that the index does not exist."""
    return "no such index" in text.lower() or "unknown index" in text.lower()


def is_loading(reply: str) -> bool:
    """Return whether an error reply, as read from the socket, means that the server is loading its data."""
    return reply.startswith("-LOADING")
