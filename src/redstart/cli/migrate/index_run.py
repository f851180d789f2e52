"""Run index migrations, and print their outcome: for `om migrate run`, `om migrate sync` and `om index`."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

from redstart.cli.index_report import are_ready, counted_indexes, index_migration
from redstart.cli.migrate.undeclared_changes import require_no_undeclared_changes
from redstart.cli.output import Tone, counted, expected_duration, line
from redstart.cli.progress import progress_display
from redstart.cli.session import Session
from redstart.migrations.context import Monitor
from redstart.migrations.coordinator import blocking
from redstart.migrations.data.damage import LISTS
from redstart.migrations.data.record import converted_prefixes
from redstart.migrations.data.run import require_no_interrupted_rollback
from redstart.migrations.failure import Failure
from redstart.migrations.indexes.expand import ExpansionOptions, IndexOutcome, IndexResult
from redstart.migrations.indexes.plan import PlannedIndex
from redstart.migrations.indexes.preflight import (
    IndexEstimate,
    require_aliases,
    require_migratable,
)
from redstart.migrations.indexes.status import ActiveIndex, IndexStatus
from redstart.migrations.phase import MigrationStatus, migration_status


def require_possible_run(
    session: Session,
    planned: Sequence[PlannedIndex],
    options: ExpansionOptions,
    *,
    accept_unreadable: bool,
) -> None:
    """Raise the error with which a run would be refused before its first write."""
    session.run(require_no_interrupted_rollback(session.keys))
    require_no_undeclared_changes(session, {one.model for one in planned}, accept=accept_unreadable)
    _ = session.run(
        require_migratable(planned, keep_old_index=options.keep_old_index, rebuild=options.rebuild)
    )
    session.run(require_aliases(options.aliases, planned))


def question_about(pending: Sequence[IndexStatus], estimates: Sequence[IndexEstimate], where: str) -> str:
    """Return the prompt, with documents and time where indexes are to be built."""
    seconds = sum(estimate.seconds for estimate in estimates)
    documents = counted(sum(estimate.documents for estimate in estimates), "document")
    size = f" ({documents}, {expected_duration(seconds)})" if estimates else ""
    all_absent = all(index.active is ActiveIndex.ABSENT for index in pending)
    verb = "Create" if all_absent else "Change"
    name = f" ({pending[0].planned.name})" if len(pending) == 1 else ""
    return f"{verb} {counted_indexes(len(pending))}{name} on {where}{size}?"


def migrate_indexes(
    session: Session, planned: Sequence[PlannedIndex], options: ExpansionOptions
) -> tuple[list[IndexResult], Mapping[str, Sequence[Failure]]]:
    """Build and cut over. Return the results, and the blocking values of refused cutovers."""
    with progress_display() as show:
        context = session.context(Monitor(progress=show))
        converted = partial(converted_prefixes, session.keys, session.plan.models)
        results = session.run(index_migration(context.monitor).run(planned, converted, options))
    return results, session.run(blocking(context, session.plan, results))


def refused_among(results: Sequence[IndexResult], options: ExpansionOptions) -> list[IndexResult]:
    """Return the indexes that were not cut over, or were created without documents that were not accepted."""
    return [
        index
        for index in results
        if index.is_refused or (index.is_incomplete and not options.accept_unindexed)
    ]


def status_of_dates(session: Session) -> MigrationStatus:
    """Return the status of the conversion of dates."""
    return session.run(migration_status(session.context().transformation, session.plan, exempt=LISTS))


def draw_outcome(
    results: Sequence[IndexResult], refused: Sequence[IndexResult], *, were_ready: bool = False
) -> None:
    """Print the outcome of all indexes in one line.

    Args:
        were_ready: whether all new indexes were built before this run.
    """
    counts = Counter(index.outcome for index in results)
    total = counted_indexes(len(results))
    if counts[IndexOutcome.REFUSED]:
        line(f"Cutover refused for {counts[IndexOutcome.REFUSED]:,} of {total}.", Tone.WARNING)
    elif refused:
        line(f"{len(refused):,} of {total} created without some documents.", Tone.WARNING)
    elif counts[IndexOutcome.UP_TO_DATE] == len(results):
        line("No changes: every index matches its model.", Tone.DONE)
    elif were_ready and not counts[IndexOutcome.CUT_OVER] and not any(index.repaired for index in results):
        line(f"Nothing to build: {are_ready(counts[IndexOutcome.EXPANDED])}.", Tone.DONE)
    else:
        texts = {
            IndexOutcome.CREATED: "created",
            IndexOutcome.CUT_OVER: "cut over",
            IndexOutcome.REBUILT: "rebuilt",
            IndexOutcome.EXPANDED: "built, not cut over yet",
        }
        parts = [
            f"{counted_indexes(counts[outcome])} {text}" for outcome, text in texts.items() if counts[outcome]
        ]
        line(f"{'; '.join(parts)}.", Tone.DONE)
