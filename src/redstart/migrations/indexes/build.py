"""Build an index next to the active one, wait for its initial scan, and test a definition beforehand."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from itertools import count

from redstart.commands.scripts import load, run_script
from redstart.commands.search import ft_create, ft_info, name_bytes
from redstart.commands.server_errors import is_index_exists, is_unknown_index
from redstart.effects import Op, call, pause
from redstart.errors import AuthenticationError, CommandError, MigrationError
from redstart.migrations.indexes.hidden_options import carry_synonyms
from redstart.migrations.indexes.state import SCRATCH, built_name, shown
from redstart.migrations.lease import Lease
from redstart.migrations.lease_state import Activity
from redstart.search.index_info import IndexInfo, read_info
from redstart.search.schema import Index, create_arguments
from redstart.search.schema_diff import difference, same_definition

FIRST_POLL_SECONDS = 0.001
"""A small index is built in a few milliseconds."""
POLL_SECONDS = 0.05


def building(name: str, percent: float) -> Activity:
    """Return the activity of building an index for a name that queries use."""
    return Activity(f"building {shown(name)}", int(percent), 100, "%")


def find_index(name: str) -> Op[IndexInfo | None]:
    """Return the index of this name or alias; None if there is none. One read."""
    try:
        return read_info((yield from call(ft_info(name))))
    except CommandError as exc:
        if is_unknown_index(exc):
            return None
        raise


def find_built(
    served: str, index: Index, *, except_name: str | None = None
) -> Op[tuple[str, IndexInfo | None]]:
    """Return the name of the index built for a name that queries use, and what the server reports of it.

    A name that has another definition since (FT.ALTER changes an index in place), or that is an alias, is skipped.

    Args:
        index: its definition.
        except_name: a name to skip, too.

    Returns:
        Its existing or future name; None instead of the report if it is not built.

    Effects: a read, and another for each skipped name.
    """
    for attempt in count():
        name = built_name(served, index, attempt)
        if name == except_name:
            continue
        found = yield from find_index(name)
        if found is None or (found.name == name and same_definition(found.index, index)):
            return name, found
    raise AssertionError("count() has no end")


def build_beside(lease: Lease, served: str, index: Index, *, except_name: str | None = None) -> Op[str]:
    """Create an index for a name that queries use, unless it exists, and wait for its initial scan.

    Args:
        served: the name that queries use; the name in the definition is ignored.
        except_name: a name that the index must not have.

    Returns:
        The name of the index itself.

    Raises:
        MigrationError: it was dropped during the build, or an alias has its name.

    Effects: FT.CREATE, the synonyms of the active index, then FT.INFO until `indexing` is 0; the lease is renewed.
        Safe to repeat.
    """
    name, built = yield from find_built(served, index, except_name=except_name)
    if built is None:
        yield from lease.keep(building(served, 0))
        # Sent again after a lost answer it fails for the index exists, which is what is wanted.
        create = replace(ft_create(create_arguments(index, name=name)), repeatable=True)
        try:
            yield from call(create)
        except CommandError as exc:
            if not is_index_exists(exc):
                raise
    yield from carry_synonyms(served, name, index)
    poll_seconds = FIRST_POLL_SECONDS
    while True:
        info = yield from find_index(name)
        if info is None:
            raise MigrationError(f"The index {name} was dropped during its build.", "Run the command again.")
        if info.name != name:
            raise MigrationError(
                f"{name} is an alias of {shown(info.name)}, but Redstart needs an index of this name.",
                f"Remove the alias with: redis-cli FT.ALIASDEL {shlex.quote(name)}",
            )
        if not info.indexing:
            return name
        yield from lease.keep(building(served, info.percent))
        yield from pause(poll_seconds)
        poll_seconds = min(2 * poll_seconds, POLL_SECONDS)


MAX_WORDS = 7_900
"""Lua has room for 8,000 arguments of a command. An index of 1,024 fields may have more."""


def try_definition(words: Sequence[str]) -> Op[Index | str]:
    """Return the index that FT.CREATE creates from the arguments after the name, or the error of the server.

    Effects: one script, which creates and drops an index without documents.
    """
    script = load("drop_index.lua", "probe_definition.lua")
    outcome, reply = yield from run_script(script, (), (SCRATCH, *map(name_bytes, words)))
    return str(reply, errors="replace") if outcome == b"refused" else read_info(reply).index


def try_index(index: Index) -> Op[str | None]:
    """Return why the server rejects the definition of an index; None if it accepts it.

    Raises:
        AuthenticationError: this user may not create or drop indexes.

    Effects: see `try_definition`; none for an index of more words than a script can pass.
    """
    words = create_arguments(index, name=index.name)[1:]
    if len(words) > MAX_WORDS:
        return None
    tried = yield from try_definition(words)
    if isinstance(tried, str):
        if "permission" in tried:
            raise AuthenticationError(
                f"This user may not create or drop a scratch index: {tried}",
                'Grant the permissions listed under "Permissions" in the documentation.',
            )
        return tried
    changes = difference(index, tried).changes
    return f"it creates a different index from that definition: {changes[0]}" if changes else None
