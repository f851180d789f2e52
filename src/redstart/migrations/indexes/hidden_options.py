"""Options of an index that FT.INFO does not show: TEMPORARY, PHONETIC, vector tuning, and synonyms."""

from dataclasses import replace

from redstart.commands.scripts import load, run_script
from redstart.commands.search import (
    ft_debug_ttl,
    ft_debug_vector,
    ft_explain,
    ft_syndump,
    ft_synupdate,
)
from redstart.commands.server_errors import is_not_temporary_index, is_unknown_index, unknown_command
from redstart.effects import Op, call
from redstart.errors import AuthenticationError, CommandError, MigrationError, UnsafeServerError
from redstart.migrations.indexes.state import SCRATCH, shown
from redstart.next_steps import Command, Hint
from redstart.search.index_info import IndexInfo
from redstart.search.query_field import term_of
from redstart.search.schema import PHONETIC, FieldKind, Index, IndexField

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
