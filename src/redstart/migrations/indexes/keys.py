"""Names: of the state on the server, and of the indexes built beside the one that queries use."""

from hashlib import sha1

from redstart.migrations.lease import LeaseKeys
from redstart.search.index import Index, create_arguments

LEASE = LeaseKeys("redstart:indexes:fence", "redstart:indexes:lease")
RECORDS = "redstart:indexes:records"
"""Hash: for each name that queries use, what served before and what is to serve."""


def built_name(name: str, index: Index) -> str:
    """The index built for `name` with this definition: the same each time, so that building it is repeatable."""
    words = create_arguments(index, name="")
    digest = sha1("\0".join(words).encode(), usedforsecurity=False).hexdigest()[:8]
    return f"{name}@{digest}"


def hash_key(name: str) -> str:
    """Where redis-om keeps the hash of the schema it believes in."""
    return f"{name}:hash"


def schema_key(name: str) -> str:
    """Where redis-om 1.x keeps that schema's text."""
    return f"{name}:schema"
