"""Building an index beside the one that serves, and waiting until its scan is done."""

import shlex
from dataclasses import replace
from itertools import count

from redstart.commands.search import ft_create, ft_info, says_no_such_index
from redstart.effects import Op, call, pause
from redstart.errors import CommandError, MigrationError
from redstart.migrations.indexes.hidden import carry_synonyms
from redstart.migrations.indexes.keys import built_name, shown
from redstart.migrations.lease import Activity, Lease
from redstart.search.difference import same_definition
from redstart.search.index import Index, create_arguments
from redstart.search.info import IndexInfo, read_info

POLL_SECONDS = 0.05


def building(name: str, percent: float) -> Activity:
    """Return the activity of building an index for a name that queries use."""
    return Activity(f"building {shown(name)}", int(percent), 100, "%")


def find_index(name: str) -> Op[IndexInfo | None]:
    """What a name leads to, through an alias or directly; None when it leads nowhere. One read."""
    try:
        return read_info((yield from call(ft_info(name))))
    except CommandError as exc:
        if says_no_such_index(exc):
            return None
        raise


def find_built(served: str, index: Index) -> Op[tuple[str, IndexInfo | None]]:
    """Return the name of the index built for a name that queries use, and what the server reports of it.

    A name at which there is another definition by now (FT.ALTER changes an index in place), or an alias, is left to it.

    Args:
        index: its definition.

    Returns:
        The name it has or will have; None instead of the report where it is not built.

    Effects: a read, and another for each name that is left to something else.
    """
    for attempt in count():
        name = built_name(served, index, attempt)
        found = yield from find_index(name)
        if found is None or (found.name == name and same_definition(found.index, index)):
            return name, found
    raise AssertionError("count() has no end")


def build_beside(lease: Lease, served: str, index: Index) -> Op[str]:
    """Create an index for a name that queries use, unless it is there, and wait until it has scanned the keyspace.

    Args:
        served: the name it is to serve under; that of its definition does not count.

    Returns:
        Its own name.

    Raises:
        MigrationError: it was dropped meanwhile, or an alias has its name.

    Effects: FT.CREATE, the synonyms of what the name leads to, then FT.INFO until `indexing` is 0; the lease is kept
        meanwhile. Safe to repeat.
    """
    name, built = yield from find_built(served, index)
    if built is None:
        yield from lease.keep(building(served, 0))
        # Sent again after a lost answer it fails for the index exists, which is what is wanted.
        create = replace(ft_create(create_arguments(index, name=name)), repeatable=True)
        try:
            yield from call(create)
        except CommandError as exc:
            if "already exists" not in exc.message.lower():
                raise
    yield from carry_synonyms(served, name, index)
    while True:
        info = yield from find_index(name)
        if info is None:
            raise MigrationError(
                f"The index {name} was dropped while it was built.", "Run the command again."
            )
        if info.name != name:
            raise MigrationError(
                f"{name} is an alias of {shown(info.name)}, where an index of ours should be.",
                f"Remove it with: redis-cli FT.ALIASDEL {shlex.quote(name)}",
            )
        if not info.indexing:
            return name
        yield from lease.keep(building(served, info.percent))
        yield from pause(POLL_SECONDS)
