"""Index migrations in the output of commands: estimates, progress of builds, results."""

import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from redstart.cli.output import Tone, counted, duration, line, warn
from redstart.cli.refused_cutover import DROP_OUT, LIST_BLOCKING, draw_blocking, draw_options
from redstart.display import MAX_EXAMPLES_SHOWN, shown_key
from redstart.migrations.context import Monitor
from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.data.plan import Plan
from redstart.migrations.failure import Failure
from redstart.migrations.indexes.coverage import Coverage
from redstart.migrations.indexes.expand import IndexOutcome, IndexResult
from redstart.migrations.indexes.migrator import IndexMigration
from redstart.migrations.indexes.preflight import IndexEstimate
from redstart.migrations.indexes.status import ActiveIndex, IndexStatus
from redstart.migrations.indexes.swap import CutoverResult
from redstart.migrations.lease_state import this_process
from redstart.next_steps import Command, Hint

RESULTS = {
    IndexOutcome.UP_TO_DATE: "up to date",
    IndexOutcome.CREATED: "created; the alias points to it",
    IndexOutcome.EXPANDED: "the new index is ready; the cutover follows the conversion",
    IndexOutcome.CUT_OVER: "cut over; the alias points to the new index",
    IndexOutcome.REBUILT: "rebuilt",
    IndexOutcome.REFUSED: "cutover refused",
}


def counted_indexes(count: int) -> str:
    """Return a number of indexes, as `2 indexes`."""
    return counted(count, "index", "indexes")


def pending_indexes(statuses: Sequence[IndexStatus]) -> list[IndexStatus]:
    """Return the indexes that differ from their models."""
    return [index for index in statuses if index.active is not ActiveIndex.UP_TO_DATE]


def index_migration(monitor: Monitor) -> IndexMigration:
    """Return the index migrations of this process, which report their progress to a monitor."""
    return IndexMigration(this_process(), uuid.uuid4().hex, time.monotonic, monitor)


def index_estimate_line(estimate: IndexEstimate) -> str:
    """Return the estimate for one index as a line."""
    documents = counted(estimate.documents, "document")
    active = f"{estimate.name}: {documents} in the active index{still_filling(estimate.filled_percent)}"
    if not estimate.to_build:
        return f"{active}; the new index is already built"
    size = f"about {estimate.megabytes:.1f} MB, {duration(estimate.seconds)}"
    return f"{active}; {counted_indexes(estimate.to_build)} to build ({size})"


def note_superseded(statuses: Sequence[IndexStatus]) -> None:
    """Warn of each index with a later definition than that of its model: the models may be old ones."""
    for index in statuses:
        if index.is_superseded:
            warn(superseded_message(index))


def superseded_message(index: IndexStatus) -> str:
    """Return what a run does with an index that has a later definition than that of its model."""
    return (
        f"{index.planned.name}: the active index has a newer definition than {index.planned.model}. A run would "
        "restore the older definition, which the new version of the application may not be able to query. If these "
        "are the models of the old version, give those of the new version with --models."
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
            "them, and the cutover removes aliases that you do not name."
        )


def index_estimate_report(estimate: IndexEstimate) -> dict[str, Any]:
    """Return the estimate for one index, for --json."""
    return {
        "model": estimate.model,
        "index": estimate.name,
        "documents": estimate.documents,
        "filled_percent": None if estimate.filled_percent is None else round(estimate.filled_percent, 1),
        "to_build": estimate.to_build,
        "megabytes": round(estimate.megabytes, 3),
        "seconds": round(estimate.seconds, 3),
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
    changed = [
        result for result in results if result.outcome is not IndexOutcome.UP_TO_DATE or result.repaired
    ]
    shown = list(results) if verbose else changed
    for before, result in zip([None, *shown], shown, strict=False):
        if before is not None and (result.is_refused or before.is_refused):
            line("")
        _draw_result(result, blocking.get(result.name, []), verbose=verbose)
    refused = any(result.is_refused for result in results)
    if blocking:
        line("")
        draw_options(blocking, plan, refused=refused, failure_mode=failure_mode)


def draw_lacking_results(results: Sequence[IndexResult]) -> None:
    """Print the indexes that were cut over or created without some documents, and how many."""
    draw_results(
        [one for one in results if not one.is_refused and one.coverage is not None and one.coverage.missing],
        {},
        Plan(()),
        verbose=False,
    )


def _draw_result(result: IndexResult, blocking: Sequence[Failure], *, verbose: bool) -> None:
    coverage = result.coverage
    text = f"{result.name}: {RESULTS[result.outcome]}"
    if result.is_refused and coverage is not None:
        text += f": {coverage.missing:,} of {counted(coverage.documents, 'document')} {DROP_OUT}"
    line(text)
    if result.repaired:
        line("  another tool had replaced or dropped the active index; repaired")
    if coverage is None:
        return
    is_incomplete = result.outcome is IndexOutcome.CUT_OVER or result.is_incomplete
    if coverage.missing and not result.is_refused and is_incomplete:
        _draw_not_indexed(coverage)
    if coverage.missing_from_both:
        documents = counted(coverage.missing_from_both, "document")
        line(f"  missing from both the original and the new index: {documents}")
    if result.is_refused and not blocking:
        _draw_examples(coverage)
    else:
        list_all = LIST_BLOCKING if result.is_refused else None
        draw_blocking(coverage.missing, blocking, verbose=verbose, list_all=list_all)


def draw_absent(names: Sequence[str]) -> None:
    """Print the indexes of models that do not exist, and what creates them."""
    for name in names:
        line(f"{name}: absent; queries raise IndexNotFoundError", Tone.WARNING)
    if names:
        line(Hint(f"Create {'it' if len(names) == 1 else 'them'} with: ", Command("migrate run")))


def are_ready(count: int) -> str:
    """Return that new indexes are built and wait for the conversion, as `2 new indexes are ready`."""
    return f"{counted(count, 'new index is', 'new indexes are')} ready; the cutover follows the conversion"


def indexes_are(count: int, state: str) -> str:
    """Return a number of indexes and their state, as `2 indexes are absent`."""
    return f"{counted_indexes(count)} {'is' if count == 1 else 'are'} {state}"


def draw_switched(name: str, switched: CutoverResult, result: str, *, accepted: bool = False) -> None:
    """Print the result of rolling back an index; if it would drop documents, how many and which.

    Args:
        accepted: whether it may drop them: then they are printed, too.
    """
    coverage = switched.coverage
    if switched.is_created:
        result = "kept: there was no index of this name before Redstart"
    if switched.is_dropped:
        result = "dropped: there was no index of this name before Redstart"
    if not switched.done:
        result = "refused" + (
            ""
            if coverage is None
            else f": {coverage.missing:,} of {counted(coverage.documents, 'document')} {DROP_OUT}"
        )
    line(f"{name}: {result}")
    if coverage is None:
        return
    if switched.done and accepted and coverage.missing:
        _draw_not_indexed(coverage)
    if not switched.done or (accepted and coverage.missing):
        _draw_examples(coverage)


def draw_lacking(name: str, coverage: Coverage, before: int) -> None:
    """Print that the restored index does not hold some documents, and how many it did not hold before."""
    line(
        f"{name}: {counted(coverage.missing, 'document')} missing from the original index now; before the migration "
        f"{before:,}"
    )
    _draw_examples(coverage)


def switched_report(name: str, switched: CutoverResult) -> dict[str, Any]:
    """Return the result of rolling back an index, for --json."""
    coverage = switched.coverage
    return {
        "index": name,
        "done": switched.done,
        "documents": coverage.documents if coverage else None,
        "missing": coverage.missing if coverage else None,
        "examples": [key.decode(errors="backslashreplace") for key in coverage.examples] if coverage else [],
    }


def _draw_not_indexed(coverage: Coverage) -> None:
    documents = counted(coverage.missing, "document")
    line(f"  missing from the new index: {documents}; stored, but not returned by queries")


def _draw_examples(coverage: Coverage) -> None:
    for key in coverage.examples[:MAX_EXAMPLES_SHOWN]:
        line(f"  {shown_key(key)}")
    if coverage.missing > MAX_EXAMPLES_SHOWN:
        line(f"  ... and {counted(coverage.missing - MAX_EXAMPLES_SHOWN, 'more document')}")


def result_report(result: IndexResult) -> dict[str, Any]:
    """Return the result of one index, for --json."""
    coverage = result.coverage
    return {
        "model": result.model,
        "index": result.name,
        "state": result.outcome.value,
        "repaired": result.repaired,
        "documents": coverage.documents if coverage else None,
        "missing": coverage.missing if coverage else None,
        "missing_from_both": coverage.missing_from_both if coverage else None,
    }
