"""The commands of `om migrate`."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from redstart.cli.exit_codes import Exit
from redstart.cli.index_report import (
    blocking_report,
    draw_results,
    draw_switched,
    draw_unnamed_aliases,
    forecast_line,
    forecast_report,
    index_migration,
    note_superseded,
    result_report,
    still_filling,
    superseded_message,
    switched_report,
)
from redstart.cli.migrate.group import FILES
from redstart.cli.migration_files import (
    draw_files,
    exit_with_files,
    files_report,
    look,
    migrations_dir,
    pending_files,
    waits,
)
from redstart.cli.model_warnings import (
    draw_unclaimed,
    find_unclaimed,
    note_unclaimed,
    note_unknown_fields,
    require_readable,
    unclaimed_report,
)
from redstart.cli.options import (
    Settings,
    accept_unindexed,
    accept_unreadable,
    aliases,
    common,
    confirm,
    keep_old_index,
    verbose,
    will_ask,
    yes,
)
from redstart.cli.output import Tone, counted, duration, line, note, print_json, refusal_by, rendered
from redstart.cli.phase_guidance import draw_phase_guidance
from redstart.cli.progress import progress_display
from redstart.cli.session import Session, note_overlapping_prefixes, open_session
from redstart.cli.tables import table
from redstart.migrations.context import Monitor
from redstart.migrations.coordinator import blocking, rollback_indexes
from redstart.migrations.data.damage import LISTS
from redstart.migrations.data.record import converted_prefixes, read_record
from redstart.migrations.data.run import require_no_interrupted_rollback
from redstart.migrations.files.declarations import SCHEMA
from redstart.migrations.indexes.build import find_index
from redstart.migrations.indexes.expand import ExpansionOptions, IndexOutcome, IndexResult
from redstart.migrations.indexes.migrator import unused_indexes
from redstart.migrations.indexes.preflight import (
    IndexEstimate,
    estimate_builds,
    require_aliases,
    require_migratable,
)
from redstart.migrations.indexes.state import read_records
from redstart.migrations.indexes.status import ActiveIndex, IndexStatus, index_statuses
from redstart.migrations.indexes.swap import CutoverResult
from redstart.migrations.phase import MigrationStatus, migration_status
from redstart.migrations.server_checks import require_search
from redstart.migrations.state_keys import DATETIME_MIGRATION
from redstart.next_steps import Command, Hint

REPLACED_EXTERNALLY = (
    "{}: another tool (for example redis-om's Migrator) replaced the active index. No data is lost, but queries may "
    "miss documents."
)


@click.command()
@click.option("--check", is_flag=True, help="Exit with 3 if a change is pending.")
@migrations_dir(SCHEMA)
@common
def status(settings: Settings, check: bool, migrations_dir: Path | None, as_json: bool) -> int:
    """Show the index of each model, how it differs from the model, and which migration files are applied.

    Writes nothing.
    """
    with open_session(settings, about_indexes=True) as session:
        session.run(require_search())
        session.require_intact(exempt=LISTS)
        overlaps = note_overlapping_prefixes(session)
        statuses = session.run(index_statuses(session.planned_indexes()))
        files = look(session, SCHEMA, migrations_dir)
        unmanaged = find_unclaimed(session)
        pending = _pending(statuses)
        are_built = bool(pending) and all(one.active is ActiveIndex.EXPANDED for one in pending)
        is_cutover_pending = are_built and _migration_status(session).is_cutover_pending
    if as_json:
        print_json(
            {
                "indexes": [_status_report(one) for one in statuses],
                "pending": [one.planned.name for one in pending],
                "files": files_report(files),
                "unmanaged": unclaimed_report(unmanaged),
                "overlapping_prefixes": overlaps,
            }
        )
    else:
        _draw_indexes(statuses, pending)
        if is_cutover_pending:
            line(
                Hint(
                    "The data is converted. Cut over, or list the blocking values, with: ",
                    Command("migrate run"),
                )
            )
        elif are_built:
            line(
                Hint(
                    "The new indexes are built. Convert the data and cut over with: ",
                    Command("migrate-data run"),
                )
            )
        elif pending:
            line(Hint("Apply these changes with: ", Command("migrate run")))
        draw_unclaimed(unmanaged)
        if files.total:
            line(f"Total migrations: {files.total} in files")
        draw_files(files)
    return Exit.PENDING if check and (pending or waits(files)) else Exit.DONE


def _pending(statuses: Sequence[IndexStatus]) -> list[IndexStatus]:
    return [one for one in statuses if one.active is not ActiveIndex.UP_TO_DATE]


def _draw_indexes(statuses: Sequence[IndexStatus], pending: Sequence[IndexStatus]) -> None:
    if pending:
        have = "has" if len(pending) == 1 else "have"
        line(f"{len(pending):,} of {_indexes(len(statuses))} {have} pending changes.", Tone.WARNING)
    else:
        line("No pending schema changes detected", Tone.DONE)
    rows = [[one.planned.model, one.planned.name, one.active.value, one.documents] for one in statuses]
    table("Schema Migration Status:", ["model", "index", "state", "documents"], rows)
    for one in pending:
        if one.active is ActiveIndex.REPLACED_EXTERNALLY:
            line(REPLACED_EXTERNALLY.format(one.planned.name), Tone.WARNING)
        if one.is_superseded:
            line(superseded_message(one), Tone.WARNING)
        for change in one.pending.changes if one.pending is not None else ():
            line(f"{one.planned.name}: {change}")
    for one in statuses:
        if one.filled_percent is not None:
            line(f"{one.planned.name}: {one.documents:,} documents{still_filling(one.filled_percent)}")


def _indexes(count: int) -> str:
    return "1 index" if count == 1 else f"{count:,} indexes"


@click.command()
@click.option("--dry-run", is_flag=True, help="Show what would be built; write nothing.")
@migrations_dir(SCHEMA)
@accept_unindexed
@accept_unreadable
@keep_old_index
@aliases
@verbose
@yes
@common
def run(
    settings: Settings,
    dry_run: bool,
    migrations_dir: Path | None,
    accept_unindexed: bool,
    accept_unreadable: bool,
    keep_old_index: bool,
    aliases: tuple[str, ...],
    verbose: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Build the indexes that models require, check that each contains every document, and cut over.

    If dates change from TAG to NUMERIC, the new index is only built: `om migrate-data run` converts the data and
    cuts over. A cutover that would drop documents from query results is refused, with exit code 3. Migration files
    are not run; pending ones are listed, with exit code 3.
    """
    with open_session(settings, writes=not dry_run, about_indexes=True) as session:
        session.run(require_search())
        session.require_intact(exempt=LISTS)
        overlaps = note_overlapping_prefixes(session)
        files = pending_files(session, SCHEMA, migrations_dir)
        planned = session.planned_indexes()
        estimates = session.run(estimate_builds(planned, keep_old_index=keep_old_index))
        statuses = session.run(index_statuses(planned))
        note_superseded(statuses)
        unmanaged = find_unclaimed(session)
        note_unclaimed(unmanaged)

        def check() -> None:
            session.run(require_no_interrupted_rollback(session.keys))
            if not accept_unreadable:
                require_readable(session)
            note_unknown_fields(session)
            _ = session.run(require_migratable(planned, keep_old_index=keep_old_index))
            session.run(require_aliases(aliases, planned))

        if dry_run:
            refusal = refusal_by(check)
            report = {
                "index_estimates": [forecast_report(one) for one in estimates],
                "pending_files": files,
                "refusal": refusal,
                "unmanaged": unclaimed_report(unmanaged),
                "overlapping_prefixes": overlaps,
            }
            if as_json:
                print_json(report)
            else:
                _draw_dry_run(statuses, estimates, aliases, refusal)
            return Exit.DONE
        check()
        for one in estimates:
            note(forecast_line(one))
        if pending := _pending(statuses):
            confirm(_question(pending, estimates, session.where), assume_yes=yes)
        options = ExpansionOptions(
            accept_unindexed=accept_unindexed, keep_old_index=keep_old_index, aliases=aliases
        )
        phase_before = _migration_status(session).phase
        with progress_display() as show:
            context = session.context(Monitor(progress=show))
            converted = partial(converted_prefixes, session.keys, session.plan.models)
            results = session.run(index_migration(context.monitor).run(planned, converted, options))
        blocking_values = session.run(blocking(context, session.plan, results))
        found = _migration_status(session)
    refused = [one for one in results if one.is_refused or (one.is_incomplete and not accept_unindexed)]
    if as_json:
        print_json(
            {
                "indexes": [result_report(one) for one in results],
                "blocking": blocking_report(blocking_values),
                "phase": found.phase.value,
                "pending_files": files,
                "unmanaged": unclaimed_report(unmanaged),
                "overlapping_prefixes": overlaps,
            }
        )
    else:
        _draw_outcome(results, refused)
        changed = [one for one in results if one.outcome is not IndexOutcome.UP_TO_DATE or one.repaired]
        draw_results(results if verbose else changed, blocking_values, session.plan, verbose=verbose)
        is_expanded = any(one.outcome is IndexOutcome.EXPANDED for one in results)
        if not refused and (is_expanded or found.is_cutover_pending or found.phase is not phase_before):
            draw_phase_guidance(found.phase, cut_over_to_come=found.is_cutover_pending)
    return exit_with_files(Exit.PENDING if refused else Exit.DONE, files, SCHEMA)


def _migration_status(session: Session) -> MigrationStatus:
    return session.run(migration_status(session.keys, session.plan))


def _question(pending: Sequence[IndexStatus], estimates: Sequence[IndexEstimate], where: str) -> str:
    """Return the prompt, with documents and time where indexes are to be built."""
    seconds = sum(one.seconds for one in estimates)
    size = f" ({sum(one.documents for one in estimates):,} documents, about {duration(seconds)})"
    all_absent = all(one.active is ActiveIndex.ABSENT for one in pending)
    verb = "Create" if all_absent else "Change"
    name = f" ({pending[0].planned.name})" if len(pending) == 1 else ""
    return f"{verb} {_indexes(len(pending))}{name} on {where}{size if estimates else ''}?"


def _draw_outcome(results: Sequence[IndexResult], refused: Sequence[IndexResult]) -> None:
    counts = Counter(one.outcome for one in results)
    if counts[IndexOutcome.REFUSED]:
        line(
            f"Cutover refused for {counts[IndexOutcome.REFUSED]:,} of {_indexes(len(results))}.", Tone.WARNING
        )
    elif refused:
        line(f"{len(refused):,} of {_indexes(len(results))} created without some documents.", Tone.WARNING)
    elif counts[IndexOutcome.UP_TO_DATE] == len(results):
        line("No changes: every index matches its model.", Tone.DONE)
    else:
        texts = {
            IndexOutcome.CREATED: "created",
            IndexOutcome.CUT_OVER: "cut over",
            IndexOutcome.EXPANDED: "built, not cut over yet",
        }
        parts = [f"{_indexes(counts[outcome])} {text}" for outcome, text in texts.items() if counts[outcome]]
        line(f"{'; '.join(parts)}.", Tone.DONE)


def _draw_dry_run(
    statuses: Sequence[IndexStatus],
    estimates: Sequence[IndexEstimate],
    aliases: Sequence[str],
    refusal: str | None,
) -> None:
    pending = _pending(statuses)
    if refusal is not None:
        line(f"A run would be refused. {refusal}", Tone.WARNING)
    elif not pending:
        line("Dry run: no changes are needed; every index matches its model.", Tone.DONE)
    else:
        line(f"Dry run: {_indexes(len(pending))} would change; nothing was written.")
    for one in estimates:
        line(forecast_line(one))
    for status in pending:
        if status.active is ActiveIndex.ABSENT:
            line(f"{status.planned.name}: would be created")
    draw_unnamed_aliases(estimates, aliases)


class _RedisOmIds(click.Argument):
    """The argument of redis-om's command of the same name, absent from `--help`."""

    def get_usage_pieces(self, _: click.Context) -> list[str]:
        """Return nothing."""
        return []


def _refuse_migration_file(_: click.Context, __: click.Parameter, value: tuple[str, ...]) -> None:
    if value:
        raise click.UsageError(
            f"Migration file {value[0]!r} was not rolled back: this command rolls back indexes and takes no ID. "
            f"{rendered(FILES)}"
        )


@click.command()
@click.argument("ids", cls=_RedisOmIds, nargs=-1, expose_value=False, callback=_refuse_migration_file)
@accept_unindexed
@click.option(
    "--drop-created",
    is_flag=True,
    help="After a data rollback: also drop indexes that did not exist before Redstart created them.",
)
@yes
@common
def rollback(settings: Settings, accept_unindexed: bool, drop_created: bool, yes: bool, as_json: bool) -> int:
    """Switch back to the dual-format indexes or, after a data rollback, to the original ones.

    `om migrate-data rollback` includes this step. Each index is checked first; one that would drop documents from
    query results is refused, with exit code 3. An index that Redstart was the first to create is kept.
    """
    with open_session(settings, writes=True, needs_models=False) as session:
        session.require_intact(exempt=LISTS)
        if will_ask(assume_yes=yes):
            confirm(_rollback_question(session), assume_yes=yes)
        with progress_display() as show:
            context = session.context(Monitor(progress=show))
            undone, results = session.run(
                rollback_indexes(
                    context,
                    index_migration(context.monitor),
                    accept_unindexed=accept_unindexed,
                    drop_created=drop_created,
                )
            )
        has_data = session.run(read_record(session.keys)).plan is not None
    refused = [name for name, switched in results.items() if not switched.done]
    if as_json:
        swapped = [name for name, switched in results.items() if switched.done and not switched.is_created]
        indexes = [switched_report(name, switched) for name, switched in results.items()]
        print_json({"swapped": swapped, "refused": refused, "indexes": indexes})
    else:
        _draw_rollback(results, refused, undone=undone, accept_unindexed=accept_unindexed)
        if results and not refused and not undone and has_data:
            line(Hint("Roll back the data with: ", Command("migrate-data rollback", DATETIME_MIGRATION)))
    return Exit.PENDING if refused else Exit.DONE


def _rollback_question(session: Session) -> str:
    """Return the prompt, with documents and time: at most what the server needed to build the active indexes."""
    infos = [session.run(find_index(name)) for name in session.run(read_records())]
    documents = sum(info.documents for info in infos if info is not None)
    seconds = sum(info.indexing_seconds for info in infos if info is not None)
    size = f" ({counted(documents, 'document')}, about {duration(seconds)})" if infos else ""
    return f"Roll back {_indexes(len(infos))} on {session.where}{size}?"


def _draw_rollback(
    results: Mapping[str, CutoverResult], refused: Sequence[str], *, undone: bool, accept_unindexed: bool
) -> None:
    if not results:
        line("Nothing to roll back: no index was migrated.", Tone.DONE)
        return
    if refused and len(refused) == len(results):
        unchanged = "No index was changed." if len(refused) > 1 else "It was not changed."
        line(
            f"Rollback refused for {_indexes(len(refused))}: queries would lose documents. {unchanged}",
            Tone.WARNING,
        )
    elif refused:
        line(
            f"Rollback refused for {len(refused):,} of {_indexes(len(results))}: queries would lose documents.",
            Tone.WARNING,
        )
    else:
        kept = sum(switched.is_created for switched in results.values())
        dropped = sum(switched.is_dropped for switched in results.values())
        definition = "original" if undone else "dual-format"
        counts = {
            f"rolled back to the {definition} definition": len(results) - kept - dropped,
            "kept": kept,
            "dropped": dropped,
        }
        line(
            "; ".join(f"{_indexes(count)} {what}" for what, count in counts.items() if count) + ".", Tone.DONE
        )
    for name, switched in results.items():
        result = "as before the migration" if undone else "dual-format index active"
        draw_switched(name, switched, result, accepted=accept_unindexed)
    if refused:
        line(Hint("Fix the documents listed above, then type again: ", Command("migrate rollback")))
        line(Hint("Or roll back without them, with: ", Command("migrate rollback", "--accept-unindexed")))


@click.command()
@click.option("--dry-run", is_flag=True, help="List what would be dropped; write nothing.")
@yes
@common
def cleanup(settings: Settings, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Drop the indexes that Redstart built and no alias points to. Never deletes documents."""
    with open_session(settings, writes=not dry_run, needs_models=False) as session:
        session.require_intact(exempt=LISTS)
        if dry_run:
            names = session.run(unused_indexes())
        else:
            if will_ask(assume_yes=yes) and (unused := session.run(unused_indexes())):
                confirm(
                    f"Drop {len(unused):,} unused {'index' if len(unused) == 1 else 'indexes'} on {session.where}? "
                    "No document is deleted; it takes less than a second.",
                    assume_yes=yes,
                )
            names = session.run(index_migration(session.context().monitor).cleanup())
    if as_json:
        print_json({"dropped": [] if dry_run else names, "would_drop": names if dry_run else []})
    elif not names:
        line("Nothing to drop: no unused indexes.", Tone.DONE)
    elif dry_run:
        line(f"Dry run: {_indexes(len(names))} would be dropped; nothing was written.")
    else:
        line(f"Dropped {_indexes(len(names))}.", Tone.DONE)
    for name in () if as_json else names:
        line(f"  {name}")


def _status_report(one: IndexStatus) -> dict[str, Any]:
    return {
        "model": one.planned.model,
        "index": one.planned.name,
        "state": one.active.value,
        "active_index": one.active_name,
        "documents": one.documents,
        "filled_percent": one.filled_percent,
        "superseded": one.is_superseded,
        "changes": [str(change) for change in one.pending.changes] if one.pending is not None else [],
    }
