"""Creating one index from the text of its schema, as redis-om's migration files ask for it. None is ever replaced."""

from redstart.effects import Op
from redstart.errors import MigrationError
from redstart.migrations.indexes.build import find_index
from redstart.migrations.indexes.keys import hash_key, schema_key
from redstart.migrations.indexes.swap import fenced_script
from redstart.migrations.indexes.trial import MAX_WORDS, try_definition
from redstart.migrations.lease import Lease
from redstart.search.difference import difference
from redstart.search.index import Index

_CHANGES_SAID = 3


def create_index(lease: Lease, name: str, schema: str, schema_hash: str) -> Op[None]:
    """Create an index under its own name, unless the name leads to one of this schema.

    Args:
        schema: what FT.CREATE says behind the name, as `redisearch_schema()` of a model gives it.
        schema_hash: what redis-om keeps beside it, to tell whether a model has changed.

    Raises:
        LeaseLostError: another run took over; nothing was written.
        MigrationError: the name leads to an index of another schema, or the server does not take this one; nothing was
            written.

    Effects: a script that tries the schema on a scratch index, then one that creates and keeps schema and hash, the
        atomic unit; FT.INFO where there is an index. The server fills a new index by and by. Safe to repeat.
    """
    words = schema.split()
    if len(words) > MAX_WORDS:
        raise MigrationError(
            f"The schema of the index {name} has {len(words):,} words, and a script passes at most {MAX_WORDS:,} "
            "of them to FT.CREATE.",
            "Have the index made from its model, with: om migrate run",
        )
    tried = yield from try_definition(words)
    if isinstance(tried, str):
        raise _refused(name, schema, tried)
    script = fenced_script("create.lua")
    while True:
        outcome, *said = yield from lease.run(
            script, (hash_key(name), schema_key(name)), (name, schema_hash, schema, *words)
        )
        if outcome == b"created":
            return
        if outcome == b"refused":
            raise _refused(name, schema, said[0].decode(errors="replace"))
        found = yield from find_index(name)
        if found is not None:  # else it was dropped just now
            _require_same(name, found.index, tried)
            return


def _refused(name: str, schema: str, said: str) -> MigrationError:
    return MigrationError(
        f"The server does not create the index {name}: {said}.\nThe schema is: {schema}",
        "The index that a model asks for is made by: om migrate run",
    )


def _require_same(name: str, found: Index, wanted: Index) -> None:
    changes = difference(found, wanted).changes
    if changes:
        more = f", and {len(changes) - _CHANGES_SAID} more" if len(changes) > _CHANGES_SAID else ""
        raise MigrationError(
            f"There is an index {name} already, of another schema. With the one that is asked for, "
            f"{'; '.join(map(str, changes[:_CHANGES_SAID]))}{more}.",
            "It serves on, and nothing was changed. What a model asks for is built beside it, and takes over, with: "
            "om migrate run",
        )
