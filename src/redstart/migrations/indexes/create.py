"""Create one index from the text of its schema, as redis-om's migration files do. An existing index is kept."""

from redstart.effects import Op
from redstart.errors import MigrationError
from redstart.migrations.indexes.build import find_index
from redstart.migrations.indexes.keys import hash_key, schema_key
from redstart.migrations.indexes.swap import fenced_script
from redstart.migrations.indexes.trial import MAX_WORDS, try_definition
from redstart.migrations.lease import Lease
from redstart.search.schema import Index
from redstart.search.schema_diff import difference

_CHANGES_SAID = 3


def create_index(lease: Lease, name: str, schema: str, schema_hash: str) -> Op[None]:
    """Create an index under its own name, unless an index or alias of this name has the schema.

    Args:
        schema: the arguments of FT.CREATE after the name, as `redisearch_schema()` of a model returns them.
        schema_hash: the hash by which redis-om detects a changed model.

    Raises:
        LeaseLostError: this run lost its lease; nothing was written.
        MigrationError: an index of this name has another schema, or the server rejects this one; nothing was
            written.

    Effects: a script that tries the schema on a scratch index, then one that creates the index and stores schema
        and hash, the atomic unit; FT.INFO if the index exists. The server fills a new index in the background.
        Safe to repeat.
    """
    words = schema.split()
    if len(words) > MAX_WORDS:
        raise MigrationError(
            f"The schema of the index {name} has {len(words):,} words; a script can pass at most {MAX_WORDS:,} to "
            "FT.CREATE.",
            "Create the index from its model with: om migrate run",
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
        f"The server rejected the index {name}: {said}.\nThe schema is: {schema}",
        "Create the index from its model with: om migrate run",
    )


def _require_same(name: str, found: Index, wanted: Index) -> None:
    changes = difference(found, wanted).changes
    if changes:
        more = f", and {len(changes) - _CHANGES_SAID} more" if len(changes) > _CHANGES_SAID else ""
        raise MigrationError(
            f"Index {name} already exists with a different schema "
            f"({'; '.join(map(str, changes[:_CHANGES_SAID]))}{more}). Nothing was changed.",
            "Migrate it with: om migrate run",
        )
