"""What keeps documents out of a new index, in words: which value of which field, and why."""

from collections.abc import Sequence

from redstart.effects import Op
from redstart.migrations.data.judging.convert import Outcome, Verdict
from redstart.migrations.data.judging.transform import judge
from redstart.migrations.data.planned.documents import StoredDocument
from redstart.migrations.data.planned.plan import Plan, router
from redstart.migrations.data.reading.read import read_documents
from redstart.migrations.data.state.failures import Failure, failure_at, failure_of
from redstart.migrations.indexes.plan import attribute_of
from redstart.values.kinds import Storage
from redstart.values.timezones import NaiveTimezone

EMPTY = "empty, and no number"
STILL_TEXT = "still text"
NO_MODEL = "found by the index of today, and its key is of no model that was named"
DOES_NOT_FIT = "not taken by the index: a field does not fit its type there"
UNEXPLAINED = "not taken by the index, though its dates are numbers: another field does not fit"


def blocking_values(
    keys: Sequence[bytes], key_prefix: str, plan: Plan, moving: Sequence[str], zone: NaiveTimezone
) -> Op[list[Failure]]:
    """Why an index of numbers does not take some documents.

    Args:
        keys: of documents that it does not hold.
        key_prefix: of the index's own model.
        moving: what the index calls its dates.

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
            for value, verdict in judge(document, zone)
            if attribute_of(value.path) in moving and (reason := _reason(document, verdict)) is not None
        ]
        found += reasons or [failure_at(document.key, "", b"", UNEXPLAINED)]
    return found


def _reason(document: StoredDocument, verdict: Verdict) -> str | None:
    if verdict.outcome is Outcome.UNCONVERTIBLE:
        return verdict.reason
    if verdict.outcome is Outcome.NULL:
        # JSON's null is no value to an index; a hash has only empty text for it.
        return EMPTY if document.model.storage is Storage.HASH else None
    return None if verdict.outcome is Outcome.ALREADY else STILL_TEXT
