"""`om migrate run`: build the indexes of the models, and cut over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from redstart.cli.exit_codes import Exit
from redstart.cli.index_report import (
    are_ready,
    counted_indexes,
    draw_results,
    draw_unnamed_aliases,
    index_estimate_line,
    index_estimate_report,
    note_superseded,
    pending_indexes,
    result_report,
)
from redstart.cli.migrate.apply_files import apply_files, typed_again
from redstart.cli.migrate.index_run import (
    draw_outcome,
    migrate_indexes,
    question_about,
    refused_among,
    require_possible_run,
    status_of_dates,
)
from redstart.cli.migrate.project_files import load, root_of
from redstart.cli.migrate.project_files import look as look_at_files
from redstart.cli.migrate.undeclared_changes import models_to_check
from redstart.cli.model_warnings import (
    find_unmanaged,
    unmanaged_report,
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
    yes,
)
from redstart.cli.output import Tone, counted, line, note, print_json, refusal_by
from redstart.cli.phase_guidance import draw_phase_guidance
from redstart.cli.progress import progress_display
from redstart.cli.redis_om_execution import (
    RedisOmFiles,
    draw_executed,
    exit_with_files,
    open_files,
    run_first,
)
from redstart.cli.redis_om_files import migrations_dir
from redstart.cli.refused_cutover import blocked_report, blocking_report, draw_prediction
from redstart.cli.session import Session, note_overlapping_prefixes, open_session
from redstart.cli.tables import next_step
from redstart.migrations.context import Monitor
from redstart.migrations.cutover_prediction import ExpectedCutover, blocked_now, expected_cutovers
from redstart.migrations.data.damage import LISTS
from redstart.migrations.data.record import converted_prefixes
from redstart.migrations.failure import BlockedDocuments
from redstart.migrations.files.declarations import SCHEMA
from redstart.migrations.indexes.expand import ExpansionOptions, IndexOutcome, IndexResult
from redstart.migrations.indexes.plan import PlannedIndex
from redstart.migrations.indexes.preflight import (
    IndexEstimate,
    estimate_builds,
)
from redstart.migrations.indexes.status import ActiveIndex, IndexStatus, index_statuses
from redstart.migrations.model_fit import Unmanaged
from redstart.migrations.phase import CONVERT, MigrationPhase, MigrationStatus
from redstart.migrations.server_checks import require_search


@dataclass(frozen=True, slots=True)
class _Inspection:
    """What is read before a run or dry run.

    Attributes:
        files: the migration files of redis-om.
        overlaps: pairs of models with overlapping key prefixes, for --json.
    """

    planned: list[PlannedIndex]
    estimates: list[IndexEstimate]
    statuses: list[IndexStatus]
    files: RedisOmFiles
    unmanaged: list[Unmanaged]
    overlaps: list[dict[str, str]]

    @property
    def pending(self) -> list[IndexStatus]:
        """The indexes that a run changes."""
        return pending_indexes(self.statuses)

    @property
    def to_build(self) -> int:
        """The number of indexes that a run builds."""
        absent = sum(index.active is ActiveIndex.ABSENT for index in self.statuses)
        return absent + sum(estimate.to_build for estimate in self.estimates)

    def report(self, applied_files: Sequence[str] = ()) -> dict[str, Any]:
        """Return the keys of --json that runs and dry runs share. `applied_files`: ids of files that a run applied."""
        return {
            "pending_files": [name for name in self.files.ids() if name not in applied_files],
            "unmanaged": unmanaged_report(self.unmanaged),
            "overlapping_prefixes": self.overlaps,
        }


@click.command()
@click.option("--dry-run", is_flag=True, help="Show what would be built; write nothing.")
@click.option("--limit", type=click.IntRange(0), metavar="N", help="Apply at most N migration files.")
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
    limit: int | None,
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
    cuts over. A cutover that would drop documents from query results is refused, with exit code 3.

    In a project with migration files, apply the pending ones instead, like `om upgrade`. Pending schema migration files
    of redis-om run first, in order; they are outside the undo log.
    """
    options = ExpansionOptions(
        accept_unindexed=accept_unindexed, keep_old_index=keep_old_index, aliases=aliases
    )
    if load(root_of(None)).are_in_use:
        if accept_unreadable:
            raise click.UsageError("--accept-unreadable is for a project without migration files.")
        return _apply_files(
            settings,
            options,
            limit,
            directory=migrations_dir,
            dry_run=dry_run,
            verbose=verbose,
            assume_yes=yes,
            as_json=as_json,
        )
    with open_session(settings, writes=not dry_run, about_indexes=True) as session:
        redis_om = open_files(session, settings, SCHEMA, migrations_dir, verbose=verbose)
        inspection = _inspect(session, redis_om, options)
        chosen = redis_om.announce(limit)
        check = partial(
            require_possible_run, session, inspection.planned, options, accept_unreadable=accept_unreadable
        )
        if dry_run:
            return _dry_run(session, inspection, options, refusal_by(check), verbose=verbose, as_json=as_json)
        check()
        _ask(inspection, len(chosen), session.where, assume_yes=yes)
        executed = redis_om.run(limit)
        if executed.error is not None:
            raise executed.error
        phase_before = status_of_dates(session).phase
        results, blocking_values = migrate_indexes(session, inspection.planned, options)
        status = status_of_dates(session)
    refused = refused_among(results, options)
    if as_json:
        indexes = {
            "indexes": [result_report(index) for index in results],
            "blocking": blocking_report(blocking_values),
            "phase": status.phase.value,
        }
        applied = {"applied_files": list(executed.done)}
        print_json(indexes | applied | inspection.report(executed.done))
    else:
        draw_executed(executed)
        draw_outcome(results, refused, were_ready=not inspection.to_build)
        draw_results(results, blocking_values, session.plan, verbose=verbose)
        if not refused:
            _draw_guidance(results, status, phase_before)
    return exit_with_files(Exit.PENDING if refused else Exit.DONE, executed, SCHEMA)


def _apply_files(
    settings: Settings,
    options: ExpansionOptions,
    limit: int | None,
    *,
    directory: Path | None,
    dry_run: bool,
    verbose: bool,
    assume_yes: bool,
    as_json: bool,
) -> int:
    """Apply the migration files of the project, those of redis-om first.

    Args:
        directory: that of the files of redis-om; by default a subdirectory of that of the project.
    """
    redis_om_directory = directory or SCHEMA.directory(str(root_of(None)))
    with open_session(settings, writes=not dry_run, needs_models=False) as session:
        run_first(
            session,
            settings,
            SCHEMA,
            redis_om_directory,
            dry_run=dry_run,
            assume_yes=assume_yes,
            verbose=verbose,
        )
        files = look_at_files(session, root_of(None))
        return apply_files(
            session,
            files,
            options,
            limit=limit,
            resume=typed_again(),
            models=models_to_check(settings),
            dry_run=dry_run,
            verbose=verbose,
            assume_yes=assume_yes,
            as_json=as_json,
        )


def _draw_guidance(
    results: Sequence[IndexResult], status: MigrationStatus, phase_before: MigrationPhase
) -> None:
    """Print which versions of the application may run, if the run has changed that, and the next command."""
    is_expanded = any(index.outcome is IndexOutcome.EXPANDED for index in results)
    if is_expanded or status.is_cutover_pending or status.phase is not phase_before:
        draw_phase_guidance(status)
        if status.phase is MigrationPhase.EXPANDED:
            next_step("Convert and cut over with", CONVERT)


def _inspect(session: Session, files: RedisOmFiles, options: ExpansionOptions) -> _Inspection:
    """Read indexes, and print warnings."""
    session.run(require_search())
    session.require_intact(exempt=LISTS)
    overlaps = note_overlapping_prefixes(session)
    planned = session.planned_indexes()
    estimates = session.run(estimate_builds(planned, keep_old_index=options.keep_old_index))
    statuses = session.run(index_statuses(planned))
    note_superseded(statuses)
    unmanaged = find_unmanaged(session)
    return _Inspection(planned, estimates, statuses, files, unmanaged, overlaps)


def _dry_run(
    session: Session,
    inspection: _Inspection,
    options: ExpansionOptions,
    refusal: str | None,
    *,
    verbose: bool,
    as_json: bool,
) -> Exit:
    """Print what a run would do."""
    estimates = inspection.estimates
    cutovers, blocked = _predict(session, inspection.planned)
    if as_json:
        indexes = {
            "index_estimates": [index_estimate_report(estimate) for estimate in estimates],
            "refusal": refusal,
            **blocked_report(blocked),
        }
        print_json(indexes | inspection.report())
        return Exit.DONE
    pending = inspection.pending
    if refusal is not None:
        line(f"A run would be refused. {refusal}", Tone.WARNING)
    elif not pending:
        line("Dry run: no changes are needed; every index matches its model.", Tone.DONE)
    elif not cutovers and not inspection.to_build:
        line(f"Dry run: nothing to build; {are_ready(len(pending))}.", Tone.DONE)
    else:
        _draw_dry_outcome(pending, blocked, accept_unindexed=options.accept_unindexed)
    to_cut_over = {one.name for one in cutovers}
    for estimate in estimates:
        later = "" if estimate.name in to_cut_over else "; the cutover follows the conversion"
        line(f"{index_estimate_line(estimate)}{later}")
    absent = [index.planned.name for index in pending if index.active is ActiveIndex.ABSENT]
    for name in absent:
        if name not in blocked:
            line(f"{name}: would be created")
    draw_unnamed_aliases(estimates, options.aliases)
    if blocked and refusal is None:
        line("")
        draw_prediction(
            blocked,
            session.plan,
            typed_again("dry_run", "verbose"),
            absent=absent,
            accept_unindexed=options.accept_unindexed,
            verbose=verbose,
        )
    return Exit.DONE


def _predict(
    session: Session, planned: Sequence[PlannedIndex]
) -> tuple[list[ExpectedCutover], dict[str, BlockedDocuments]]:
    """Return the indexes that a run would cut over, and by index the documents because of which it would not."""
    with progress_display() as show:
        context = session.context(Monitor(progress=show))
        converted = session.run(converted_prefixes(session.keys, session.plan.models))
        cutovers = session.run(expected_cutovers(planned, converted))
        return cutovers, session.run(blocked_now(context, session.plan, cutovers))


def _draw_dry_outcome(
    pending: Sequence[IndexStatus], blocked: Mapping[str, BlockedDocuments], *, accept_unindexed: bool
) -> None:
    total = counted_indexes(len(pending))
    absent = {index.planned.name for index in pending if index.active is ActiveIndex.ABSENT}
    refused = blocked.keys() - absent
    if refused and not accept_unindexed:
        line(
            f"Dry run: the cutover would be refused for {len(refused):,} of {total}; nothing was written.",
            Tone.WARNING,
        )
    else:
        line(f"Dry run: {total} would change; nothing was written.", Tone.WARNING if blocked else None)


def _ask(inspection: _Inspection, files: int, where: str, *, assume_yes: bool) -> None:
    """Print the estimates, and ask on a terminal if files of redis-om are to run, or indexes to be changed."""
    for estimate in inspection.estimates:
        note(index_estimate_line(estimate))
    if files:
        confirm(f"Run {counted(files, 'migration file')} of redis-om on {where}?", assume_yes=assume_yes)
    if inspection.pending:
        confirm(question_about(inspection.pending, inspection.estimates, where), assume_yes=assume_yes)
