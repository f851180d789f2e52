"""All indexes of a server, under the names that it lists; and which of them Redstart migrates."""

import re
from collections import Counter
from collections.abc import Iterator, Set
from dataclasses import dataclass
from itertools import islice, product

from redstart.commands.search import ft_list
from redstart.effects import Op, call
from redstart.errors import MigrationError
from redstart.migrations.indexes.build import find_index
from redstart.migrations.indexes.state import is_built_name, read_records, shown
from redstart.next_steps import Command, Hint
from redstart.search.index_info import IndexInfo

_MAX_SPELLINGS = 64


@dataclass(frozen=True, slots=True)
class ListedIndex:
    """An index of the server.

    Attributes:
        name: as the server lists it: line breaks are escaped.
        is_managed: whether Redstart migrates it.
    """

    name: str
    info: IndexInfo
    is_managed: bool


def list_indexes(names: Set[str], accept: Command | None) -> Op[list[ListedIndex]]:
    """Return all indexes, by name.

    Args:
        names: of the indexes of models, in addition to those that are recorded.
        accept: the command that accepts the loss of documents; None to omit indexes that cannot be inspected.

    Raises:
        MigrationError: an unmanaged index cannot be inspected, because its name is not listed as it is.

    Effects: a read for each index, and some.
    """
    records = (yield from read_records()).values()
    names = names | {record.name for record in records}
    # The active index of a name, and the one before the first `om migrate run`. Other copies stay as they are.
    managed = names | {record.legacy.name for record in records}
    for name in sorted(names):
        found = yield from find_index(name)
        managed |= set() if found is None else {found.name}
    indexes: list[ListedIndex] = []
    for name, count in sorted(Counter((yield from call(ft_list()))).items()):
        # Several indexes may be listed under one name, of which Redstart migrates one at most.
        is_managed = count == 1 and (name in managed or any(is_built_name(one, name) for one in names))
        infos = yield from indexes_listed_as(name)
        if not is_managed and accept is not None:
            yield from _require_inspected(name, len(infos), count, accept)
        indexes += (ListedIndex(name, info, is_managed) for info in infos)
    return indexes


def _require_inspected(name: str, inspected: int, count: int, accept: Command) -> Op[None]:
    """Raise MigrationError if an index cannot be inspected. A read if there is one, for it may be dropped by now."""
    if inspected < count <= (yield from call(ft_list())).count(name):
        raise MigrationError(
            f"The index that the server lists as {shown(name)} cannot be inspected: its name contains a character that "
            "the server does not list. It may lose documents when values change their type.",
            Hint("Drop the index, or accept this with: ", accept),
        )


def indexes_listed_as(name: str) -> Op[list[IndexInfo]]:
    """Return the indexes that the server may list under a name. A read for each of its spellings."""
    found = []
    for one in islice(_spellings(name), _MAX_SPELLINGS):
        info = yield from find_index(one)
        found += [] if info is None else [info]
    return found


def _spellings(name: str) -> Iterator[str]:
    """Return the names that a server lists like this one."""
    parts = re.split(r"(\\[nr])", name)
    breaks = {r"\n": "\n", r"\r": "\r"}
    return map("".join, product(*((part, breaks[part]) if part in breaks else (part,) for part in parts)))
