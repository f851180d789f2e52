"""`om migrate sync`: make the indexes fit the models without migration files, in development."""

from collections.abc import Sequence
from pathlib import Path

import click

from redstart.cli.exit_codes import Exit
from redstart.cli.index_report import (
    counted_indexes,
    draw_results,
    index_estimate_line,
    index_estimate_report,
    pending_indexes,
    result_report,
)
from redstart.cli.migrate.file_estimates import APPLY
from redstart.cli.migrate.index_run import draw_outcome, migrate_indexes, refused_among, require_possible_run
from redstart.cli.migrate.project_files import look, migrations_root, root_of
from redstart.cli.options import Settings, accept_unindexed, accept_unreadable, common, require_yes, yes
from redstart.cli.output import Tone, line, print_json, refusal_by
from redstart.cli.refused_cutover import blocking_report
from redstart.cli.session import Session, note_overlapping_prefixes, open_session
from redstart.cli.tables import next_step
from redstart.display import printable
from redstart.effects import Op
from redstart.errors import MigrationError
from redstart.migrations.coordinator import changing_indexes
from redstart.migrations.data.damage import LISTS
from redstart.migrations.data.plan import with_index_attributes
from redstart.migrations.data.record import converted_prefixes
from redstart.migrations.files.project_history import ProjectFiles
from redstart.migrations.indexes.expand import ExpansionOptions, IndexOutcome
from redstart.migrations.indexes.plan import PlannedIndex
from redstart.migrations.indexes.preflight import IndexEstimate, estimate_builds
from redstart.migrations.indexes.status import IndexStatus, index_statuses
from redstart.migrations.operations.models import AlterIndex, CreateModel, RenameModel
from redstart.migrations.phase import CONVERT
from redstart.migrations.server_checks import require_search
from redstart.next_steps import Hint
from redstart.server.pools import is_on_this_machine

_WITHOUT_DOCUMENTS = (AlterIndex, CreateModel, RenameModel)
"""Operations of migration files that change no document."""


@click.command()
@click.option("--dry-run", is_flag=True, help="Show what would be built; write nothing.")
@accept_unindexed
@accept_unreadable
@migrations_root()
@yes
@common
def sync(
    settings: Settings,
    dry_run: bool,
    accept_unindexed: bool,
    accept_unreadable: bool,
    migrations_dir: Path | None,
    yes: bool,
    as_json: bool,
) -> Exit:
    """Make the indexes fit the models, without a migration file: for development.

    Documents are not changed. If the models cannot read the documents, for example after a rename, the command is
    refused and names the operation that changes the documents. If the server is on another machine, it asks first;
    without a terminal, --yes is required.

    Before you deploy, write the changes of the models to a file with `om migrate create`. `om upgrade` then finds the
    indexes up to date, and records the file.
    """
    options = ExpansionOptions(accept_unindexed=accept_unindexed)
    with open_session(settings, writes=not dry_run, about_indexes=True) as session:
        session.run(require_search())
        session.require_intact(exempt=LISTS)
        _ = note_overlapping_prefixes(session)
        files = look(session, root_of(migrations_dir))
        planned = session.planned_indexes()
        pending = pending_indexes(session.run(index_statuses(planned)))
        estimates = session.run(estimate_builds(planned))

        def check() -> None:
            _require_documents_fit(session, files, planned)
            require_possible_run(session, planned, options, accept_unreadable=accept_unreadable)

        if dry_run:
            return _dry_run(pending, estimates, refusal_by(check), as_json=as_json)
        check()
        if pending and not is_on_this_machine(session.driver.pool):
            require_yes(
                "Continue?",
                consequence=f"{counted_indexes(len(pending))} on {session.where}, another machine, will be changed "
                "without a migration file.",
                how="To change them, add --yes.",
                assume_yes=yes,
            )
        results, blocking = migrate_indexes(session, planned, options)
    refused = refused_among(results, options)
    if as_json:
        report = [result_report(index) for index in results]
        print_json({"indexes": report, "blocking": blocking_report(blocking)})
    else:
        draw_outcome(results, refused)
        draw_results(results, blocking, session.plan, verbose=False)
        if any(index.outcome is IndexOutcome.EXPANDED for index in results):
            next_step("Convert the data and cut over with", CONVERT)
    return Exit.PENDING if refused else Exit.DONE


def _require_documents_fit(session: Session, files: ProjectFiles, planned: Sequence[PlannedIndex]) -> None:
    """Raise MigrationError if a pending file, or the conversion of dates, is to change documents first."""
    for file in files.history.pending if files.loaded.are_in_use else ():
        changes = [one for one in file.operations if not isinstance(one, _WITHOUT_DOCUMENTS)]
        if changes:
            raise MigrationError(
                f"{printable(file.migration_id)} is pending, and changes documents: {changes[0].describe()}",
                Hint("Apply it with: ", APPLY),
            )
    for index in session.run(_unconverted(session, planned)):
        raise MigrationError(
            f"The index {index.name} of {index.model} needs dates in numeric format, and the documents have text.",
            Hint("Convert the data and cut over with: ", CONVERT),
        )


def _unconverted(session: Session, planned: Sequence[PlannedIndex]) -> Op[list[PlannedIndex]]:
    changing = with_index_attributes(session.plan, session.context().transformation)
    concerned = yield from changing_indexes(planned, changing)
    converted = yield from converted_prefixes(session.keys, session.plan.models)
    return [one for one in concerned if one.key_prefix not in converted]


def _dry_run(
    pending: Sequence[IndexStatus], estimates: Sequence[IndexEstimate], refusal: str | None, *, as_json: bool
) -> Exit:
    if as_json:
        print_json({"index_estimates": [index_estimate_report(one) for one in estimates], "refusal": refusal})
        return Exit.DONE
    if refusal is not None:
        line(f"The command would be refused. {refusal}", Tone.WARNING)
    elif not pending:
        line("Dry run: no changes are needed; every index matches its model.", Tone.DONE)
    else:
        line(f"Dry run: {counted_indexes(len(pending))} would change; nothing was written.")
    for estimate in estimates:
        line(index_estimate_line(estimate))
    return Exit.DONE
