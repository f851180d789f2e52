"""Names of the state on the server, and of the indexes that Redstart builds."""

import re
from hashlib import sha1

from redstart.commands.search import name_bytes
from redstart.display import one_line
from redstart.migrations.data.failures import SHOWN_CHARACTERS
from redstart.migrations.lease import LeaseKeys
from redstart.search.schema import Index, create_arguments

LEASE = LeaseKeys("redstart:indexes:fence", "redstart:indexes:lease")
RECORDS = "redstart:indexes:records"
"""Hash: for each name that queries use, the previous and the final definition."""

SCRATCH = "redstart:indexes:probe:index"
"""An index that is created and dropped within one script, to test a definition."""

DIGEST_LETTERS = 8
_DIGEST = re.compile(f"[0-9a-f]{{{DIGEST_LETTERS}}}")


def built_name(name: str, index: Index, attempt: int = 0) -> str:
    """Return the name of the index built for `name` with this definition: the same each time, so a build is repeatable.

    Args:
        attempt: a number for another name, if an index of another definition has the first.
    """
    words = [*create_arguments(index, name=""), *([str(attempt)] if attempt else [])]
    digest = sha1("\0".join(words).encode(errors="surrogateescape"), usedforsecurity=False).hexdigest()[
        :DIGEST_LETTERS
    ]
    return f"{name}@{digest}"


def is_built_name(name: str, index: str) -> bool:
    """Return whether an index was built for `name` by Redstart, according to its name."""
    head, mark, digest = index.rpartition("@")
    return bool(mark) and head == name and _DIGEST.fullmatch(digest) is not None


def served_name(index: str) -> str | None:
    """Return the name that Redstart built an index for, according to its own name; None for any other index."""
    head = index.rpartition("@")[0]
    return head if head and is_built_name(head, index) else None


def settled_alias(index: str) -> str:
    """Return the alias that marks an index of Redstart that no longer needs a record."""
    return f"redstart:settled:{index}"


def is_text(name: str) -> bool:
    """Return whether a name on the server is UTF-8, like the index of a model: others may be any bytes."""
    return name.encode(errors="ignore").decode() == name


def shown(name: str) -> str:
    """Return the name of an index for a message: names on the server may contain anything."""
    return one_line(name_bytes(name), SHOWN_CHARACTERS)


def hash_key(name: str) -> str:
    """Return the key in which redis-om stores the hash of the schema."""
    return f"{name}:hash"


def schema_key(name: str) -> str:
    """Return the key in which redis-om 1.x stores the text of the schema."""
    return f"{name}:schema"
