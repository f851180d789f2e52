"""Models that find each other's documents, as commands tell of them."""

from redstart.cli.output import note
from redstart.cli.session import Session
from redstart.mapping.declaration import overlapping


def note_overlapping_prefixes(session: Session) -> list[dict[str, str]]:
    """For each pair a warning on stderr; the pairs for --json. Documents of another type are in no such index."""
    found = []
    for outer, inner in overlapping(session.declarations):
        if outer.storage is not inner.storage:
            continue
        note(
            f"Warning: queries of {outer.name} find documents of {inner.name} as well, for the keys of the one "
            f"begin with {outer.key_prefix} and those of the other with {inner.key_prefix}. Give one of them another "
            "Meta.model_key_prefix; what is stored keeps the keys it has."
        )
        found.append(
            {
                "model": outer.name,
                "key_prefix": outer.key_prefix,
                "holds_model": inner.name,
                "holds_key_prefix": inner.key_prefix,
            }
        )
    return found
