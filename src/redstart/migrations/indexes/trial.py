"""Test a definition on a scratch index before it is used."""

from collections.abc import Sequence

from redstart.commands.scripts import load, run_script
from redstart.commands.search import name_bytes
from redstart.effects import Op
from redstart.errors import AuthenticationError
from redstart.migrations.indexes.keys import SCRATCH
from redstart.migrations.indexes.swap import PACKAGE
from redstart.search.index_info import read_info
from redstart.search.schema import Index, create_arguments
from redstart.search.schema_diff import difference

MAX_WORDS = 7_900
"""Lua has room for 8,000 arguments of a command. An index of 1,024 fields may have more."""


def try_definition(words: Sequence[str]) -> Op[Index | str]:
    """Return the index that FT.CREATE creates from the arguments after the name, or the error of the server.

    Effects: one script, which creates and drops an index without documents.
    """
    script = load(PACKAGE, "drop_index.lua", "understand.lua")
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
