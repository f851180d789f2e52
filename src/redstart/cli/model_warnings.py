"""Warnings of documents without a model, and of models that cannot read their documents."""

from collections.abc import Mapping, Sequence
from typing import Any

from redstart.cli.output import counted, warn
from redstart.cli.session import Session
from redstart.cli.tables import table
from redstart.display import shown_key
from redstart.mapping.model_info import ModelDeclaration
from redstart.migrations.indexes.plan import planned_indexes
from redstart.migrations.model_fit import Unmanaged, unknown_fields, unmanaged, unreadable_fields
from redstart.values.types import Storage


def find_unmanaged(session: Session) -> list[Unmanaged]:
    """Return the indexes and documents on the server that do not belong to a model of this session."""
    names = [one.name for one in planned_indexes(session.declarations)]
    return session.run(unmanaged(session.declarations, names, session.keys))


def note_unmanaged(found: Sequence[Unmanaged]) -> None:
    """Warn of documents that are not converted or checked, by prefix. An index without documents loses nothing."""
    for one in found:
        if not one.documents:
            continue
        index = "" if one.index is None else f" (index {one.index})"
        documents = counted(one.documents, "document")
        are = "is" if one.documents == 1 else "are"
        warn(
            f"{documents} under {one.key_prefix}{index} {are} skipped: no model in --models has this key prefix. Name "
            "the module of their model with --models, or set Meta.model_key_prefix if the prefix has changed."
        )


def draw_unmanaged(found: Sequence[Unmanaged]) -> None:
    """Print a table of them, if there are any."""
    if found:
        rows = [[one.key_prefix, one.index or "-", one.documents] for one in found]
        table("Not in --models", ["key prefix", "index", "documents"], rows)


def unmanaged_report(found: Sequence[Unmanaged]) -> list[dict[str, Any]]:
    """Return them for --json."""
    return [{"key_prefix": one.key_prefix, "index": one.index, "documents": one.documents} for one in found]


def note_unreadable(session: Session) -> None:
    """Warn of each field that a model cannot read in most of its documents."""
    for text in _unreadable(session):
        warn(text)


def note_unknown_fields(session: Session) -> None:
    """Warn of each model whose fields seem to be stored under other names."""
    for one in session.run(unknown_fields(session.declarations)):
        warn(
            f"documents of {one.model} have fields that the model does not declare ({', '.join(one.names)}), and no "
            f"document in a sample has {', '.join(one.absent)}. Example: "
            f"{shown_key(one.key)}. {_if_renamed(one.is_json)}"
        )


def note_undeclared(declarations: Sequence[ModelDeclaration], counts: Mapping[tuple[str, str], int]) -> None:
    """Warn of each field in documents that their model does not declare."""
    json_models = {one.name for one in declarations if one.storage is Storage.JSON}
    for (model, field), count in sorted(counts.items()):
        name = shown_key(field.encode())
        warn(
            f"{counted(count, 'document')} {'has' if count == 1 else 'have'} a field that {model} does not declare: "
            f"{name}. "
            f"{_if_renamed(model in json_models)}"
        )


def _if_renamed(is_json: bool) -> str:
    after = "a save removes undeclared fields" if is_json else "until then the model reads its default"
    return f"If the field was renamed in the model, rename it in the documents, too: {after}."


def _unreadable(session: Session) -> list[str]:
    return [
        f"{one.model} cannot read its field {one.field} in {one.documents} of {one.looked_at} sampled documents. "
        f"Example: {shown_key(one.key)}: {one.reason}."
        for one in session.run(
            unreadable_fields(session.declarations, session.naive_timezone, session.context().transformation)
        )
    ]
