"""The commands of `om migrate`."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from redstart.cli.deployment import draw_order
from redstart.cli.drawing import table
from redstart.cli.exits import Exit
from redstart.cli.indexes import (
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
from redstart.cli.model_fit import (
    draw_unclaimed,
    find_unclaimed,
    note_unclaimed,
    note_unknown_fields,
    require_readable,
    unclaimed_report,
)
from redstart.cli.options import (
    accept_unindexed,
    accept_unreadable,
    aliases,
    common,
    confirm,
    keep_old_index,
    verbose,
    yes,
)
from redstart.cli.output import as_typed, draw_refusal, line, note, print_json, refusal_by
from redstart.cli.overlapping_prefixes import note_overlapping_prefixes
from redstart.cli.session import open_session
from redstart.cli.settings import Settings
from redstart.migrations.back import rollback_indexes
from redstart.migrations.data.running.context import DATETIME_MIGRATION
from redstart.migrations.data.running.status import status as read_status
from redstart.migrations.data.state.damage import LISTS
from redstart.migrations.data.state.record import converted_prefixes
from redstart.migrations.files.kinds import SCHEMA
from redstart.migrations.forward import blocking
from redstart.migrations.indexes.expand import ExpansionOptions
from redstart.migrations.indexes.forecast import IndexForecast, forecast
from redstart.migrations.indexes.migrate import unused_indexes
from redstart.migrations.indexes.preflight import require_aliases, require_possible, require_search
from redstart.migrations.indexes.status import IndexStatus, Standing, index_statuses
from redstart.migrations.phase import cut_over_to_come, phase_with_indexes

TAKEN_OVER = (
    "{}: another tool, as redis-om's Migrator, put its own index in place of the one that served. "
    "No document is lost, but queries may miss some."
)


@click.command()
@click.option("--check", is_flag=True, help="Exit with 3 when something is pending.")
@migrations_dir(SCHEMA)
@common
def status(settings: Settings, check: bool, migrations_dir: Path | None, as_json: bool) -> int:
    """What each model's index is and what differs from the model; which migration files are applied. Writes nothing."""
    with open_session(settings, about_indexes=True) as session:
        session.run(require_search())
        session.require_intact(exempt=LISTS)
        overlaps = note_overlapping_prefixes(session)
        found = session.run(index_statuses(session.planned_indexes()))
        files = look(session, SCHEMA, migrations_dir)
        rest = find_unclaimed(session)
    pending = [one for one in found if one.standing is not Standing.UP_TO_DATE]
    if as_json:
        print_json(
            {
                "indexes": [_status_report(one) for one in found],
                "pending": [one.planned.name for one in pending],
                "files": files_report(files),
                "unclaimed": unclaimed_report(rest),
                "overlapping_prefixes": overlaps,
            }
        )
    else:
        line("Schema Migration Status:")
        line(f"Total migrations: {files.total} in files")
        _draw_indexes(found, pending)
        draw_unclaimed(rest)
        line(as_typed(_next(pending)))
        draw_files(files)
    return Exit.PENDING if check and (pending or waits(files)) else Exit.DONE


def _draw_indexes(found: Sequence[IndexStatus], pending: Sequence[IndexStatus]) -> None:
    rows = [[one.planned.model, one.planned.name, one.standing.value, one.documents] for one in found]
    table("Indexes", ["model", "index", "state", "documents"], rows)
    for one in pending:
        if one.standing is Standing.TAKEN_OVER:
            line(TAKEN_OVER.format(one.planned.name))
        if one.is_superseded:
            line(superseded_message(one))
        for change in one.pending.changes if one.pending is not None else ():
            line(f"{one.planned.name}: {change}")
    for one in found:
        if one.filled_percent is not None:
            line(f"{one.planned.name}: {one.documents:,} documents{still_filling(one.filled_percent)}")


def _next(pending: Sequence[IndexStatus]) -> str:
    if not pending:
        return "No pending schema changes detected"
    if all(one.standing is Standing.EXPANDED for one in pending):
        return "They are ready, and take over when the data is converted: om migrate-data run"
    return "Bring them up to date with: om migrate run"


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what would be built; write nothing.")
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
    """Bring the indexes as far as the data allows. One whose dates change from tags to numbers is built beside and
    fills while `om migrate-data run` converts; that run cuts it over, or this command, given again. Migration files
    are not run; pending ones are said, with exit code 3."""
    with open_session(settings, writes=not dry_run, about_indexes=True) as session:
        session.run(require_search())
        session.require_intact(exempt=LISTS)
        overlaps = note_overlapping_prefixes(session)
        files = pending_files(session, SCHEMA, migrations_dir)
        planned = session.planned_indexes()
        expected = session.run(forecast(planned, keep_old_index=keep_old_index))
        note_superseded(session.run(index_statuses(planned)))
        rest = find_unclaimed(session)
        note_unclaimed(rest)

        def check() -> None:
            if not accept_unreadable:
                require_readable(session)
            note_unknown_fields(session)
            _ = session.run(require_possible(planned, keep_old_index=keep_old_index))
            session.run(require_aliases(aliases, planned))

        if dry_run:
            refusal = refusal_by(check)
            about = {
                "pending_files": files,
                "refusal": refusal,
                "unclaimed": unclaimed_report(rest),
                "overlapping_prefixes": overlaps,
            }
            return _dry_run(expected, aliases, refusal, about, as_json)
        check()
        for one in expected:
            note(forecast_line(one))
        confirm(f"Migrate {len(planned)} indexes on {session.where}?", assume_yes=yes)
        context = session.context()
        options = ExpansionOptions(
            accept_unindexed=accept_unindexed, keep_old_index=keep_old_index, aliases=aliases
        )
        converted = partial(converted_prefixes, session.keys, session.plan.models)
        results = session.run(index_migration().run(planned, converted, options))
        in_the_way = session.run(blocking(context, session.plan, results))
        state = session.run(read_status(session.keys, session.plan))
        phase, to_come = session.run(phase_with_indexes(state)), session.run(cut_over_to_come(state))
    refused = any(one.is_refused or (one.is_incomplete and not accept_unindexed) for one in results)
    if as_json:
        print_json(
            {
                "indexes": [result_report(one) for one in results],
                "blocking": blocking_report(in_the_way),
                "phase": phase.value,
                "pending_files": files,
                "unclaimed": unclaimed_report(rest),
                "overlapping_prefixes": overlaps,
            }
        )
    else:
        draw_results(results, in_the_way, verbose=verbose)
        draw_order(phase, cut_over_to_come=to_come)
    return exit_with_files(Exit.FOUND if refused else Exit.DONE, files, SCHEMA)


def _dry_run(
    expected: Sequence[IndexForecast],
    aliases: Sequence[str],
    refusal: str | None,
    about: dict[str, Any],
    as_json: bool,
) -> int:
    if as_json:
        print_json({"index_forecast": [forecast_report(one) for one in expected]} | about)
        return Exit.DONE
    for one in expected:
        line(forecast_line(one))
    draw_unnamed_aliases(expected, aliases)
    line(
        "Dry run: nothing was written." if expected else "Every index that serves is what its model asks for."
    )
    draw_refusal(refusal)
    return Exit.DONE


class _RedisOmIds(click.Argument):
    """The argument of redis-om's command of the same name, absent from `--help`."""

    def get_usage_pieces(self, _: click.Context) -> list[str]:
        """Return nothing."""
        return []


def _refuse_migration_file(_: click.Context, __: click.Parameter, value: tuple[str, ...]) -> None:
    if value:
        raise click.UsageError(
            f"Migration file {value[0]!r} was not rolled back: this command rolls back indexes and takes no ID. {FILES}"
        )


@click.command()
@click.argument("ids", cls=_RedisOmIds, nargs=-1, expose_value=False, callback=_refuse_migration_file)
@accept_unindexed
@click.option(
    "--drop-created",
    is_flag=True,
    help="When the data is undone: also drop the indexes of names that had none before Redstart.",
)
@yes
@common
def rollback(settings: Settings, accept_unindexed: bool, drop_created: bool, yes: bool, as_json: bool) -> int:
    """Let indexes serve again that accept dates in both forms, or, when the data is undone, the definitions that
    served before Redstart. `om migrate-data rollback` does both; this is for doing it by hand. Each is proven before;
    one that would lose documents is refused, with exit code 6. Where none served before Redstart, its index stays."""
    with open_session(settings, writes=True, needs_models=False) as session:
        session.require_intact(exempt=LISTS)
        confirm(f"Swap the indexes back on {session.where}?", assume_yes=yes)
        swapping = rollback_indexes(
            session.context(), index_migration(), accept_unindexed=accept_unindexed, drop_created=drop_created
        )
        undone, done = session.run(swapping)
        undoable = session.run(read_status(session.keys, session.plan)).record.plan is not None
    refused = [name for name, switched in done.items() if not switched.done]
    if as_json:
        swapped = [name for name, switched in done.items() if switched.done and not switched.is_created]
        indexes = [switched_report(name, switched) for name, switched in done.items()]
        print_json({"swapped": swapped, "refused": refused, "indexes": indexes})
    else:
        for name, switched in done.items():
            result = "as before the migration" if undone else "accepts both forms"
            draw_switched(name, switched, result, accepted=accept_unindexed)
        if refused:
            line(
                "Correct these documents, and run the same command again; or leave them out of the index, with:"
            )
            line(as_typed("om migrate rollback --accept-unindexed"))
        elif not done:
            line("No index was migrated.")
        elif not undone and undoable:
            line(as_typed(f"Undo the data with: om migrate-data rollback {DATETIME_MIGRATION}"))
    return Exit.FOUND if refused else Exit.DONE


@click.command()
@click.option("--dry-run", is_flag=True, help="List what would be dropped; write nothing.")
@yes
@common
def cleanup(settings: Settings, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Drop indexes that were built beside and serve no name. Documents are never touched."""
    with open_session(settings, writes=not dry_run, needs_models=False) as session:
        session.require_intact(exempt=LISTS)
        if dry_run:
            _draw_unused(session.run(unused_indexes()), as_json)
            return
        confirm(f"Drop unused indexes on {session.where}?", assume_yes=yes)
        dropped = session.run(index_migration().cleanup())
    if as_json:
        print_json({"dropped": dropped, "would_drop": []})
        return
    for name in dropped:
        line(f"dropped {name}")
    if not dropped:
        line("There was nothing to drop.")


def _draw_unused(names: Sequence[str], as_json: bool) -> None:
    """What a cleanup would drop."""
    if as_json:
        print_json({"dropped": [], "would_drop": list(names)})
        return
    for name in names:
        line(f"would drop {name}")
    line("Dry run: nothing was written." if names else "There is nothing to drop.")


def _status_report(one: IndexStatus) -> dict[str, Any]:
    return {
        "model": one.planned.model,
        "index": one.planned.name,
        "state": one.standing.value,
        "serving": one.serving,
        "documents": one.documents,
        "filled_percent": one.filled_percent,
        "superseded": one.is_superseded,
        "changes": [str(change) for change in one.pending.changes] if one.pending is not None else [],
    }
