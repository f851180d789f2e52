"""`om migrate downgrade` and `reset`: schema migration files of redis-om, by their record."""

from collections.abc import Sequence
from pathlib import Path

import click

from redstart.cli.exit_codes import Exit
from redstart.cli.options import Settings, common, confirm, require_yes, verbose, without_effect, yes
from redstart.cli.output import Tone, counted, line, note, print_json
from redstart.cli.redis_om_execution import OUTSIDE, RedisOmFiles, files_lease, perform
from redstart.cli.redis_om_files import find, migrations_dir
from redstart.cli.session import open_session
from redstart.display import printable
from redstart.effects import Op
from redstart.migrations.files.declarations import SCHEMA
from redstart.migrations.files.redis_om_execution import last_applied
from redstart.migrations.files.redis_om_history import applied_ids
from redstart.migrations.lease import Lease, under_lease
from redstart.migrations.outcomes import Outcome


@click.command()
@click.option(
    "-n", "--steps", type=click.IntRange(1), default=1, show_default=True, metavar="N", help="How many files."
)
@migrations_dir(SCHEMA)
@click.option("--dry-run", is_flag=True, help="Show which files would be rolled back; write nothing.")
@verbose
@yes
@common
def downgrade(
    settings: Settings,
    steps: int,
    migrations_dir: Path | None,
    dry_run: bool,
    verbose: bool,
    yes: bool,
    as_json: bool,
) -> Exit:
    """Roll back the last schema migration files of redis-om, by id, with their own down().

    It ends at the first file that fails or has no down(). An id without a file is skipped and stays recorded. Files of
    `om migrate create` are rolled back by `om downgrade`.
    """
    with open_session(settings, writes=not dry_run, needs_models=False) as session:
        files = RedisOmFiles(session, settings, SCHEMA, find(SCHEMA, migrations_dir), [], verbose)
        ids = last_applied(session.run(files.execution().status()), steps)
        if ids:
            note(f"{counted(len(ids), 'migration file')} of redis-om to roll back:")
            for name in ids:
                note(f"  {printable(name)}")
            note(OUTSIDE)
        if dry_run or not ids:
            return _report_nothing(ids, dry_run=dry_run, as_json=as_json)
        confirm(f"Roll back {counted(len(ids), 'migration file')} on {session.where}?", assume_yes=yes)
        result = perform(session, settings, files.execution().downgrade(steps))
    if as_json and result.error is None:
        print_json(
            {"status": Outcome.DONE.value, "rolled_back": list(result.done), "skipped": list(result.left)}
        )
    elif not as_json:
        line(f"{counted(len(result.done), 'migration file')} rolled back.", Tone.DONE)
    if result.error is not None:
        raise result.error
    return Exit.PENDING if result.left else Exit.DONE


def _report_nothing(ids: Sequence[str], *, dry_run: bool, as_json: bool) -> Exit:
    if as_json:
        outcome = Outcome.DRY_RUN if dry_run else Outcome.NOTHING_TO_DO
        print_json({"status": outcome.value, "rolled_back": [], "skipped": []})
    elif ids:
        line(
            f"Dry run: {counted(len(ids), 'migration file')} would be rolled back; nothing was written.",
            Tone.DONE,
        )
    else:
        line("No schema migration file of redis-om is applied.", Tone.DONE)
    return Exit.DONE


@click.command()
@without_effect("--migrations-dir")
@yes
@common
def reset(settings: Settings, yes: bool, as_json: bool) -> None:
    """Clear the record of the schema migration files of redis-om. The next `om migrate run` runs them again.

    Indexes, documents and the record of the files of `om migrate create` do not change.
    """
    with open_session(settings, writes=True, needs_models=False) as session:
        ids = sorted(session.run(applied_ids(SCHEMA)))
        if ids:
            require_yes(
                "Clear the record?",
                consequence=f"All {counted(len(ids), 'schema migration file')} of redis-om will count as pending.",
                how="To clear the record, add --yes.",
                assume_yes=yes,
            )

            def clear(lease: Lease) -> Op[None]:
                _ = yield from lease.commit([["SREM", SCHEMA.record, *ids]])

            session.run(under_lease(files_lease(session), clear))
    if as_json:
        print_json({"status": (Outcome.DONE if ids else Outcome.NOTHING_TO_DO).value, "removed": ids})
        return
    for name in ids:
        line(f"Removed from the record: {printable(name)}", Tone.DONE)
    if not ids:
        line("No schema migration file of redis-om is recorded as applied.", Tone.DONE)
