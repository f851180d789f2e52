"""Warn of models whose queries return documents of another model."""

from redstart.cli.output import warn
from redstart.cli.session import Session
from redstart.mapping.model_info import overlapping


def note_overlapping_prefixes(session: Session) -> list[dict[str, str]]:
    """Warn of each pair of models of one storage type with overlapping key prefixes. Return the pairs for --json."""
    found = []
    for outer, inner in overlapping(session.declarations):
        if outer.storage is not inner.storage:
            continue
        warn(
            f"prefix {outer.key_prefix} ({outer.name}) also matches the keys of {inner.name} ({inner.key_prefix}): "
            f"queries on {outer.name} return its documents. Set another Meta.model_key_prefix in one of the models; "
            "stored documents keep their keys."
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
