"""Build an index next to the active one, wait for its initial scan, and test a definition beforehand.

An index has options that FT.INFO does not show: TEMPORARY, PHONETIC, vector tuning, and synonyms.
"""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from itertools import count

from redstart.commands.scripts import load, run_script
from redstart.commands.search import (
    ft_create,
    ft_debug_ttl,
    ft_debug_vector,
    ft_explain,
    ft_info,
    ft_syndump,
    ft_synupdate,
    name_bytes,
)
from redstart.commands.server_errors import (
    is_index_exists,
    is_not_temporary_index,
    is_unknown_index,
    unknown_command,
)
from redstart.effects import Op, call, pause
from redstart.errors import AuthenticationError, CommandError, MigrationError, UnsafeServerError
from redstart.migrations.indexes.state import SCRATCH, built_name, shown
from redstart.migrations.lease import Lease
from redstart.migrations.lease_state import Activity
from redstart.next_steps import Command, Hint
from redstart.search.index_info import IndexInfo, read_info
from redstart.search.query_field import term_of
from redstart.search.schema import (
    PHONETIC,
    FieldKind,
    Index,
    IndexField,
    create_arguments,
    difference,
    same_definition,
)

_SCRATCH_PREFIX = "redstart:indexes:probe:"

_SPOKEN_WORD = "phonetics"
"""A word of sufficient length for phonetic matching on every server (MIN_PHONETIC_TERM_LEN)."""

_PHONETIC_MARK = "<"
"""The mark of a phonetic term in FT.EXPLAIN."""

_PHONETIC_WORDS = (PHONETIC, "dm:en")
"""The server treats all phonetic languages alike, and does not show which one was given."""

_TUNING = ("EF_RUNTIME", "EPSILON")
_TUNING_OF_FLAT = ("BLOCK_SIZE",)
"""Attributes of vectors that tune the search without changing the definition."""


def require_droppable(found: IndexInfo) -> Op[None]:
    """Raise if the server would delete the documents of an index together with it.

    Raises:
        MigrationError: the index was created with TEMPORARY: it expires, and then deletes its documents.
        UnsafeServerError: this cannot be determined, and the server cannot drop such an index alone.

    Effects: one read; a script on a scratch document if the server does not answer it.
    """
    try:
        seconds = yield from call(ft_debug_ttl(found.name))
    except CommandError as exc:
        if is_not_temporary_index(exc) or is_unknown_index(exc):
            return
    except AuthenticationError:
        pass
    else:
        raise MigrationError(
            f"The index {shown(found.name)} was created with TEMPORARY: {seconds} seconds without a query, or dropping "
            f"it, would delete its {found.documents:,} documents.",
            Hint(
                (
                    "Drop it with FT.DROPINDEX and its option _FORCEKEEPDOCS, which keeps the documents, "
                    "then create it with: "
                ),
                Command("migrate run"),
                ". Queries fail in between.",
            ),
        )
    script = load("drop_index.lua", "probe_temporary.lua")
    keeps = yield from run_script(script, (f"{_SCRATCH_PREFIX}1",), (SCRATCH, _SCRATCH_PREFIX))
    if not keeps:
        raise UnsafeServerError(
            f"Index {shown(found.name)} may have been created with TEMPORARY; then dropping it would delete its "
            "documents. This user may not check it.",
            "Permit the check with: redis-cli ACL SETUSER USER +ft.debug|ttl",
        )


def with_hidden_options(found: IndexInfo) -> Op[IndexInfo]:
    """Return the report of an index, with the options of its fields that FT.INFO does not show.

    Effects: a read if the index has text fields, one for each of them if any is phonetic; one for each vector.
    """
    kinds = {field.kind for field in found.index.fields}
    has_phonetic = FieldKind.TEXT in kinds and (yield from _is_phonetic(found.name, _SPOKEN_WORD))
    if not has_phonetic and FieldKind.VECTOR not in kinds:
        return found
    fields = []
    for field in found.index.fields:
        if field.kind is FieldKind.VECTOR:
            fields.append((yield from _with_tuning(found.name, field)))
        elif has_phonetic and field.kind is FieldKind.TEXT:
            fields.append((yield from _with_phonetic(found.name, field)))
        else:
            fields.append(field)
    return replace(found, index=replace(found.index, fields=tuple(fields)))


def read_synonyms(name: str, index: Index) -> Op[dict[bytes, set[bytes]]]:
    """Return the groups of synonyms of an index; only one with text has any. One read."""
    if not any(field.kind is FieldKind.TEXT for field in index.fields):
        return {}
    try:
        return (yield from call(ft_syndump(name)))
    except CommandError as exc:
        if _has_none(exc):
            return {}
        raise


def carry_synonyms(source: str, target: str, index: Index) -> Op[None]:
    """Add the synonyms of one index to another, which the server then scans again.

    Args:
        source: a name of the index with the synonyms; nothing happens if it does not exist.
        index: the definition of the target; only text fields have synonyms.

    Effects: two reads, and a write for each group that the target lacks. Safe to repeat.
    """
    wanted = yield from read_synonyms(source, index)
    if not wanted:
        return
    known = yield from call(ft_syndump(target))
    for group, terms in sorted(wanted.items()):
        missing = terms - known.get(group, set())
        if missing:
            yield from call(ft_synupdate(target, group, missing))


def _has_none(error: CommandError) -> bool:
    """Return whether the index does not exist, or the server lacks the command."""
    return is_unknown_index(error) or unknown_command(error) is not None


def _is_phonetic(index: str, query: str) -> Op[bool]:
    try:
        explained = yield from call(ft_explain(index, query))
    except CommandError as exc:
        if _has_none(exc):
            return False
        raise
    return _PHONETIC_MARK in explained


def _with_phonetic(index: str, field: IndexField) -> Op[IndexField]:
    if not (yield from _is_phonetic(index, f"{term_of(field.attribute)}:{_SPOKEN_WORD}")):
        return field
    return replace(field, options=(*field.options, *_PHONETIC_WORDS))


def _with_tuning(index: str, field: IndexField) -> Op[IndexField]:
    """Add the tuning of a vector, as far as the server shows it to this user."""
    if field.vector is None:
        return field
    try:
        known = yield from call(ft_debug_vector(index, field.attribute))
    except (CommandError, AuthenticationError):
        return field
    names = _TUNING if field.vector.algorithm == "HNSW" else _TUNING_OF_FLAT
    tuning = tuple((name, known[name]) for name in names if name in known)
    return replace(field, vector=replace(field.vector, attributes=(*field.vector.attributes, *tuning)))


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
        # Repeated after a lost reply, it fails because the index exists, as intended.
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
            raise MigrationError(
                f"The new index {name} was dropped by another client during its build. The active index is unchanged.",
                "Run the same command again.",
            )
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
