"""Failed values of a page, as failures to record: the value, the reason, and what replaced it."""

from collections.abc import Iterable, Mapping, Sequence

from redstart.effects import Op
from redstart.mapping.value_paths import display
from redstart.migrations.data.applier import Applied
from redstart.migrations.data.converter import Outcome
from redstart.migrations.data.converting.quarantine import leave_out_taken
from redstart.migrations.data.edit_builder import CLEARING_MODES, FailureMode, JudgedDocument, edits_for
from redstart.migrations.data.edits import DocumentEdits, Edit
from redstart.migrations.data.failures import (
    MOVED,
    NOT_MOVED,
    REPLACED,
    Failure,
    failure_at,
    failure_of,
    place_name,
)
from redstart.migrations.data.json_path import Location

_UNCONVERTIBLE = Outcome.UNCONVERTIBLE  # looking up a member of an enum costs as much as parsing a date


def failures_in(judged: Iterable[JudgedDocument]) -> list[Failure]:
    """Return the failed values."""
    return [
        failure_of(document, value, verdict.reason or "")
        for document, items in judged
        for value, verdict in items
        if verdict.outcome is _UNCONVERTIBLE
    ]


def failures_with_fates(
    judged: Sequence[JudgedDocument],
    made: Sequence[DocumentEdits],
    taken: Mapping[tuple[bytes, Location], Location],
) -> list[Failure]:
    """Return the failed values, each with what the failure mode did to it.

    Args:
        taken: quarantine targets that already hold a value, by key and location of the failed value.
    """
    failures = []
    for (document, items), edits in zip(judged, made, strict=True):
        bad = [(value, verdict) for value, verdict in items if verdict.outcome is _UNCONVERTIBLE]
        if not bad:
            continue
        fates = {edit.location: _fate(edit) for edit in edits.edits}
        for value, verdict in bad:
            fate = fates.get(value.location, "")
            if aside := taken.get((document.key, value.location)):
                fate = f"{NOT_MOVED}{display(aside)} exists already"
            failures.append(failure_of(document, value, f"{verdict.reason}{fate}"))
    return failures


def expected_failures(judged: Iterable[JudgedDocument], mode: FailureMode) -> Op[list[Failure]]:
    """Return the failures of some documents, and what a run would do with each. A read if it would quarantine any."""
    failing = [
        (document, bad)
        for document, items in judged
        if (bad := [(value, verdict) for value, verdict in items if verdict.outcome is _UNCONVERTIBLE])
    ]
    made = [edits_for(document, items, mode) for document, items in failing]
    return failures_with_fates(failing, made, (yield from leave_out_taken(made)))


def refused_by_server(applied: Applied) -> list[Failure]:
    """Return the values that the server did not write although nothing had changed."""
    edits = [(document, edit) for document in applied.failed for edit in document.edits]
    edits += [
        (document, edit) for document, edit, text in applied.altered if text is None and edit.new is not None
    ]
    return [
        failure_at(document.key, edit.location, edit.old or b"", "the server did not write it")
        for document, edit in edits
    ]


def corrected_since(judged: Sequence[JudgedDocument], mode: FailureMode) -> set[bytes]:
    """Return the names of values that can be converted now.

    A number counts only in modes that write none: otherwise it may be from our own script, whose reply was lost.
    """
    certain = (Outcome.CONVERTIBLE, Outcome.LOSSY)
    outcomes = certain if mode in CLEARING_MODES else (*certain, Outcome.ALREADY, Outcome.NULL)
    return {
        place_name(document.key, value.location)
        for document, items in judged
        for value, verdict in items
        if verdict.outcome in outcomes
    }


def _fate(edit: Edit) -> str:
    if edit.aside is not None:
        return f"{MOVED}{display(edit.aside)}"
    return f"{REPLACED}{(edit.new or b'').decode()}"
