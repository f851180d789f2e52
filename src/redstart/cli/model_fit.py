"""Documents without a model, and models that cannot read their documents, as commands report them."""

from collections.abc import Mapping, Sequence
from typing import Any

from redstart.cli.drawing import table
from redstart.cli.output import note
from redstart.cli.session import Session
from redstart.display import one_line
from redstart.errors import MigrationError
from redstart.mapping.declaration import ModelDeclaration
from redstart.migrations.data.state.failures import SHOWN_KEY_CHARACTERS
from redstart.migrations.indexes.plan import planned_indexes
from redstart.migrations.model_fit import Unclaimed, unclaimed, unknown_fields, unreadable_fields
from redstart.values.kinds import Storage


def find_unclaimed(session: Session) -> list[Unclaimed]:
    """The indexes and documents on the server that are of no model of this session."""
    names = [one.name for one in planned_indexes(session.declarations)]
    return session.run(unclaimed(session.declarations, names))


def note_unclaimed(found: Sequence[Unclaimed]) -> None:
    """A warning on stderr for each."""
    for one in found:
        index = "" if one.index is None else f", and the index {one.index}"
        note(
            f"Warning: {one.documents:,} documents under {one.key_prefix}{index} belong to no model that was named. "
            "No command converts or checks them, and no model reads them. If the model has another key prefix now, "
            "give it the old one with Meta.global_key_prefix and Meta.model_key_prefix."
        )


def draw_unclaimed(found: Sequence[Unclaimed]) -> None:
    """A table of them; nothing where there are none."""
    if found:
        rows = [[one.key_prefix, one.index or "-", one.documents] for one in found]
        table("Of no model that was named", ["key prefix", "index", "documents"], rows)


def unclaimed_report(found: Sequence[Unclaimed]) -> list[dict[str, Any]]:
    """The same for --json."""
    return [{"key_prefix": one.key_prefix, "index": one.index, "documents": one.documents} for one in found]


def require_readable(session: Session) -> None:
    """Raise MigrationError if a model cannot read a field of most of its documents, as after a rename."""
    found = _unreadable(session)
    if found:
        raise MigrationError(
            "\n".join(found),
            "Write the field in the stored documents, or give it the name it has there. To change the indexes all "
            "the same: om migrate run --accept-unreadable",
        )


def note_unreadable(session: Session) -> None:
    """A warning on stderr for each field that a model cannot read in most of its documents."""
    for text in _unreadable(session):
        note(f"Warning: {text}")


def note_unknown_fields(session: Session) -> None:
    """A warning on stderr for each model whose fields seem to be stored under other names."""
    for one in session.run(unknown_fields(session.declarations)):
        note(
            f"Warning: documents of {one.model} hold {', '.join(one.names)}, which the model does not have, and none "
            f"of those that were looked at holds {', '.join(one.absent)}, for example "
            f"{one_line(one.key, SHOWN_KEY_CHARACTERS)}. {_if_renamed(one.is_json)}"
        )


def note_undeclared(declarations: Sequence[ModelDeclaration], counts: Mapping[tuple[str, str], int]) -> None:
    """A warning on stderr for each field in documents that their model does not declare."""
    json_models = {one.name for one in declarations if one.storage is Storage.JSON}
    for (model, field), count in sorted(counts.items()):
        name = one_line(field.encode(), SHOWN_KEY_CHARACTERS)
        note(
            f"Warning: {count:,} documents have a field that {model} does not declare: {name}. "
            f"{_if_renamed(model in json_models)}"
        )


def _if_renamed(is_json: bool) -> str:
    after = (
        "a save removes what a JsonModel does not declare"
        if is_json
        else "a HashModel reads its default instead"
    )
    return f"If a field was renamed, copy it in the stored documents first: {after}."


def _unreadable(session: Session) -> list[str]:
    return [
        f"{one.model} cannot read its field {one.field} in {one.documents} of {one.looked_at} documents that were "
        f"looked at, for example {one_line(one.key, SHOWN_KEY_CHARACTERS)}: {one.reason}."
        for one in session.run(unreadable_fields(session.declarations, session.naive_timezone))
    ]
