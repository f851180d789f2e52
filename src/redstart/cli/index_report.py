"""Index migrations in the output of commands: estimates, progress of builds, results."""

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from redstart.cli.output import Tone, counted, duration, line, warn
from redstart.display import MAX_EXAMPLES_SHOWN, shown_key
from redstart.migrations.blocking import STILL_TEXT, required_fields
from redstart.migrations.context import Monitor
from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.data.plan import Plan
from redstart.migrations.failure import Failure
from redstart.migrations.holder import this_process
from redstart.migrations.indexes.coverage import Coverage
from redstart.migrations.indexes.expand import IndexOutcome, IndexResult
from redstart.migrations.indexes.migrator import IndexMigration
from redstart.migrations.indexes.preflight import IndexEstimate
from redstart.migrations.indexes.status import IndexStatus
from redstart.migrations.indexes.swap import CutoverResult
from redstart.next_steps import Command, Hint

RESULTS = {
    IndexOutcome.UP_TO_DATE: "up to date",
    IndexOutcome.CREATED: "created; the alias points to it",
    IndexOutcome.EXPANDED: "the new index is ready; the cutover follows the conversion",
    IndexOutcome.CUT_OVER: "cut over: now serving queries",
    IndexOutcome.REFUSED: "cutover refused",
}
LIST_BLOCKING = Command("migrate run", "--verbose")
DROP_OUT = "would drop out of query results"


def index_migration(monitor: Monitor) -> IndexMigration:
    """Return the index migrations of this process, which report their progress to a monitor."""
    return IndexMigration(this_process(), uuid.uuid4().hex, time.monotonic, monitor)


def forecast_line(one: IndexEstimate) -> str:
    """Return the estimate for one index as a line."""
    documents = f"{counted(one.documents, 'document')} in the active index{still_filling(one.filled_percent)}"
    if not one.to_build:
        return f"{one.name}: {documents}; the new index is already built"
    builds = "1 index" if one.to_build == 1 else f"{one.to_build} indexes"
    return (
        f"{one.name}: {documents}; {builds} to build (about {one.megabytes:.1f} MB, {duration(one.seconds)})"
    )


def note_superseded(statuses: Sequence[IndexStatus]) -> None:
    """Warn of each index with a later definition than that of its model: the models may be old ones."""
    for one in statuses:
        if one.is_superseded:
            warn(superseded_message(one))


def superseded_message(one: IndexStatus) -> str:
    """Return what a run does with an index that has a later definition than that of its model."""
    return (
        f"{one.planned.name}: the active index has a newer definition than {one.planned.model}. A run restores the "
        "older one, which the new version of the application may not be able to query. If these are the models of the "
        "old version, give those of the new version with --models."
    )


def still_filling(percent: float | None) -> str:
    """Return a suffix for the number of documents in an index; empty if the index is complete.

    Args:
        percent: how much of the keyspace the server has scanned for it; None at the end.
    """
    return "" if percent is None else f" so far (the server is still indexing: {percent:.0f}%)"


def draw_unnamed_aliases(expected: Sequence[IndexEstimate], aliases: Sequence[str]) -> None:
    """Print, in a dry run, that aliases created by hand are lost unless they are named."""
    if expected and not aliases:
        line(
            "If you added aliases to these indexes (FT.ALIASADD), name each with --alias: the server cannot list "
            "them, and the cutover removes the others."
        )


def forecast_report(one: IndexEstimate) -> dict[str, Any]:
    """Return the estimate for one index, for --json."""
    return {
        "model": one.model,
        "index": one.name,
        "documents": one.documents,
        "filled_percent": None if one.filled_percent is None else round(one.filled_percent, 1),
        "to_build": one.to_build,
        "megabytes": round(one.megabytes, 3),
        "seconds": round(one.seconds, 3),
    }


def draw_results(
    results: Sequence[IndexResult],
    blocking: Mapping[str, Sequence[Failure]],
    plan: Plan,
    *,
    verbose: bool,
    failure_mode: FailureMode | None = None,
) -> None:
    """Print the result of each index; if a cutover was refused, the blocking values and the options to continue.

    Args:
        plan: names the fields in which models require a value.
        failure_mode: that of the run that was refused.
    """
    for number, one in enumerate(results):
        if number and (one.is_refused or results[number - 1].is_refused):
            line("")
        _draw_result(one, blocking.get(one.name, []), verbose=verbose)
    refused = any(one.is_refused for one in results)
    if blocking:
        line("")
        _draw_options(blocking, plan, refused=refused, failure_mode=failure_mode)


def _draw_result(one: IndexResult, blocking: Sequence[Failure], *, verbose: bool) -> None:
    found = one.membership
    text = f"{one.name}: {RESULTS[one.outcome]}"
    if one.is_refused and found is not None:
        text += f": {found.missing:,} of {counted(found.documents, 'document')} {DROP_OUT}"
    line(text)
    if one.repaired:
        line("  the active index had been replaced or dropped by another tool; repaired")
    if found is None:
        return
    if found.missing and not one.is_refused and (one.outcome is IndexOutcome.CUT_OVER or one.is_incomplete):
        _draw_not_indexed(found)
    if found.missing_from_both:
        line(
            f"  missing from both the original and the new index: {counted(found.missing_from_both, 'document')}"
        )
    shown = blocking if verbose else blocking[:MAX_EXAMPLES_SHOWN]
    for failure in shown:
        line(f"  blocking: {failure}")
    if one.is_refused and not blocking:
        _draw_examples(found)
    elif shown and found.missing > (named := len({failure.key for failure in shown})):
        more = f"  ... and {counted(found.missing - named, 'more document')}"
        line(more if verbose or not one.is_refused else Hint(more, "; list all with: ", LIST_BLOCKING))


def _draw_options(
    blocking: Mapping[str, Sequence[Failure]],
    plan: Plan,
    *,
    refused: bool,
    failure_mode: FailureMode | None,
) -> None:
    """Print what can be done about blocking values: each command, and below it what it does."""
    values = [failure for failures in blocking.values() for failure in failures if failure.path]
    if refused:
        line("The active index is unchanged, so queries lose no document.")
    if any(failure.reason == STILL_TEXT for failure in values):
        line(Hint("Some values are still text. Convert them with: ", Command("migrate-data run")))
    if refused:
        line("To finish the cutover, stop the old version, then do one of:")
    else:
        line("To index these documents, do one of:")
    for command, effect in _options(values, plan, failure_mode, refused=refused):
        line(Hint("  ", command))
        line(f"      {effect}")
    if not refused:
        line("Or leave these documents unindexed; nothing else is needed.")


def _options(
    values: Sequence[Failure], plan: Plan, failure_mode: FailureMode | None, *, refused: bool
) -> Iterator[tuple[Command, str]]:
    then = " and cuts over" if refused else ""
    if values:
        effect = "after you have corrected the values, as text or as numbers; converts them"
        yield Command("migrate-data run"), effect + then
    else:
        yield Command("migrate run"), "after you have corrected the documents"
    if any(failure.reason != STILL_TEXT for failure in values):
        yield from _failure_modes(values, plan, failure_mode)
    if refused:
        yield (
            Command("migrate run", "--accept-unindexed"),
            "cuts over; these documents drop out of query results",
        )


def _failure_modes(
    values: Sequence[Failure], plan: Plan, failure_mode: FailureMode | None
) -> list[tuple[Command, str]]:
    """Return the failure modes that index these documents; first the one after which models can read them."""
    required = required_fields(values, plan)
    effect = "moves failed values to <field>__invalid"
    if required:
        effect += (
            f"; models cannot read these documents, because these fields are required: {', '.join(required)}"
        )
    modes = {
        FailureMode.QUARANTINE: effect,
        FailureMode.DEFAULT: "stores 0.0 (1970-01-01) instead of failed values",
    }
    found = [
        (Command("migrate-data run", "--failure-mode", mode), text)
        for mode, text in modes.items()
        if mode is not failure_mode
    ]
    return found[::-1] if required else found


def draw_absent(names: Sequence[str]) -> None:
    """Print the indexes of models that do not exist, and what creates them."""
    for name in names:
        line(f"{name}: absent; queries raise IndexNotFoundError", Tone.WARNING)
    if names:
        line(Hint(f"Create {'it' if len(names) == 1 else 'them'} with: ", Command("migrate run")))


def indexes_are(count: int, state: str) -> str:
    """Return a number of indexes and their state, as `2 indexes are absent`."""
    return f"1 index is {state}" if count == 1 else f"{count:,} indexes are {state}"


def blocking_report(blocking: Mapping[str, Sequence[Failure]]) -> list[dict[str, str]]:
    """Return the blocking values of refused cutovers, for --json."""
    return [failure.as_dict() for failures in blocking.values() for failure in failures]


def draw_switched(name: str, switched: CutoverResult, result: str, *, accepted: bool = False) -> None:
    """Print the result of rolling back an index; if it would drop documents, how many and which.

    Args:
        accepted: whether it may drop them: then they are printed, too.
    """
    found = switched.membership
    if switched.is_created:
        result = "kept: there was no index of this name before Redstart"
    if switched.is_dropped:
        result = "dropped: there was no index of this name before Redstart"
    if not switched.done:
        result = "refused" + (
            ""
            if found is None
            else f": {found.missing:,} of {counted(found.documents, 'document')} {DROP_OUT}"
        )
    line(f"{name}: {result}")
    if found is None:
        return
    if switched.done and accepted and found.missing:
        _draw_not_indexed(found)
    if not switched.done or (accepted and found.missing):
        _draw_examples(found)


def draw_lacking(name: str, found: Coverage, before: int) -> None:
    """Print that the restored index does not hold some documents, and how many it did not hold before."""
    line(
        f"{name}: {counted(found.missing, 'document')} missing from the original index now; before the migration "
        f"{before:,}"
    )
    _draw_examples(found)


def switched_report(name: str, switched: CutoverResult) -> dict[str, Any]:
    """Return the result of rolling back an index, for --json."""
    found = switched.membership
    return {
        "index": name,
        "done": switched.done,
        "documents": found.documents if found else None,
        "missing": found.missing if found else None,
        "examples": [key.decode(errors="backslashreplace") for key in found.examples] if found else [],
    }


def _draw_not_indexed(found: Coverage) -> None:
    documents = counted(found.missing, "document")
    line(f"  missing from the new index: {documents}; stored, but not returned by queries")


def _draw_examples(found: Coverage) -> None:
    for key in found.examples[:MAX_EXAMPLES_SHOWN]:
        line(f"  {shown_key(key)}")
    if found.missing > MAX_EXAMPLES_SHOWN:
        line(f"  ... and {counted(found.missing - MAX_EXAMPLES_SHOWN, 'more document')}")


def result_report(one: IndexResult) -> dict[str, Any]:
    """Return the result of one index, for --json."""
    found = one.membership
    return {
        "model": one.model,
        "index": one.name,
        "state": one.outcome.value,
        "repaired": one.repaired,
        "documents": found.documents if found else None,
        "missing": found.missing if found else None,
        "missing_from_both": found.missing_from_both if found else None,
    }
