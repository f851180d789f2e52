"""Blocking values: the fields that keep documents out of a new index, and the reasons."""

from collections.abc import Sequence

from redstart.effects import Op
from redstart.migrations.data.edit_builder import classify
from redstart.migrations.data.edits import StoredDocument
from redstart.migrations.data.failures import failure_at, failure_of
from redstart.migrations.data.plan import Plan, router
from redstart.migrations.data.reader import read_documents
from redstart.migrations.failure import Failure
from redstart.migrations.transformation import Conversion, Outcome, Transformation
from redstart.values.types import Storage

EMPTY = "empty string, not a number"
STILL_TEXT = "still text"
NO_MODEL = "indexed today, but its key belongs to no given model"
DOES_NOT_FIT = "rejected by the index: a field has the wrong type"
UNEXPLAINED = "rejected by the index: its dates are numeric, but another field has the wrong type"


def blocking_values(
    keys: Sequence[bytes],
    key_prefix: str,
    plan: Plan,
    changing: Sequence[str],
    transformation: Transformation,
) -> Op[list[Failure]]:
    """Return why a numeric index does not contain some documents.

    Args:
        keys: of documents that are missing from it.
        key_prefix: of the model of the index.
        changing: the changing attributes.

    Returns:
        At least one entry for each that still exists.

    Effects: a read of all of them.
    """
    route = router(plan)
    routed = [(key, model) for key in keys if (model := route(key)) is not None]
    known = {key for key, _ in routed}
    # A plan holds the models with dates only: a key of a model without any is not routed either.
    own = key_prefix.encode()
    found = [
        failure_at(key, "", b"", DOES_NOT_FIT if key.startswith(own) else NO_MODEL)
        for key in keys
        if key not in known
    ]
    for document in (yield from read_documents(routed)):
        reasons = [
            failure_of(document, value, reason)
            for value, conversion in classify(document, transformation)
            if transformation.index_attribute(value.path) in changing
            and (reason := _reason(document, conversion)) is not None
        ]
        found += reasons or [failure_at(document.key, "", b"", UNEXPLAINED)]
    return found


def does_not_fit(document: StoredDocument, conversion: Conversion) -> bool:
    """Return whether a value keeps its document out of a numeric index."""
    return _reason(document, conversion) is not None


def _reason(document: StoredDocument, conversion: Conversion) -> str | None:
    if conversion.outcome is Outcome.UNCONVERTIBLE:
        return conversion.reason
    if conversion.outcome is Outcome.NULL:
        # JSON's null is no value to an index; a hash has only empty text for it.
        return EMPTY if document.model.storage is Storage.HASH else None
    return None if conversion.outcome is Outcome.ALREADY else STILL_TEXT
