"""`om migrate cleanup`: drop unused indexes, and complete migration files when the old version is stopped."""

from collections.abc import Sequence
from pathlib import Path
from random import Random

import click

from redstart.cli.exit_codes import EXIT_OF_OUTCOME, Exit
from redstart.cli.index_report import counted_indexes, index_migration
from redstart.cli.migrate.file_estimates import size_of
from redstart.cli.migrate.project_files import (
    file_migrations,
    load,
    look,
    migrations_root,
    require_intact_files,
    root_of,
)
from redstart.cli.migrate.undo_files import contract_files, draw_contracted
from redstart.cli.options import Settings, common, confirm, will_ask, yes
from redstart.cli.output import Tone, counted, line, note, print_json
from redstart.cli.session import Session, open_session
from redstart.migrations.data.damage import LISTS
from redstart.migrations.file_results import ContractResult
from redstart.migrations.files.project_history import ProjectFiles
from redstart.migrations.indexes.migrator import unused_indexes


@click.command()
@click.option("--dry-run", is_flag=True, help="List what would be dropped; write nothing.")
@migrations_root()
@yes
@common
def cleanup(settings: Settings, dry_run: bool, migrations_dir: Path | None, yes: bool, as_json: bool) -> int:
    """Drop the indexes that Redstart built and no alias points to.

    In a project with migration files, first change the documents that the version before them has written since, and
    remove the values that only that version needs, and the documents and indexes of removed models. Stop all processes
    of that version before. Other documents are never deleted.
    """
    is_with_files = load(root_of(migrations_dir)).are_in_use
    contracted: list[tuple[str, ContractResult]] = []
    with open_session(settings, writes=not dry_run, needs_models=False) as session:
        session.require_intact(exempt=LISTS)
        files = look(session, root_of(migrations_dir)) if is_with_files else None
        if files is not None:
            files.history.require_runnable()
            require_intact_files(session, files)
        to_contract = file_migrations(session, files).to_contract() if files is not None else []
        if files is not None and to_contract:
            _announce(session, files, to_contract, dry_run=dry_run, assume_yes=yes)
            contracted = [] if dry_run else contract_files(session, files)
        if dry_run:
            names = session.run(unused_indexes())
        else:
            if will_ask(assume_yes=yes) and (unused := session.run(unused_indexes())):
                confirm(
                    f"Drop {len(unused):,} unused {'index' if len(unused) == 1 else 'indexes'} on {session.where}? "
                    "No document is deleted. Do so when you no longer need to roll back.",
                    assume_yes=yes,
                )
            names = session.run(index_migration(session.context().monitor).cleanup())
    if as_json:
        print_json(
            {
                "dropped": [] if dry_run else names,
                "would_drop": names if dry_run else [],
                "contracted": [name for name, result in contracted if result.stopped is None],
                "would_contract": to_contract if dry_run else [],
            }
        )
        return _exit(contracted)
    draw_contracted(contracted)
    if dry_run and to_contract:
        line(
            f"Dry run: {', '.join(to_contract)}: documents that the old version has written since the run would be "
            "changed, and values that only the old version needs would be removed."
        )
    if not names:
        line("Nothing to drop: no unused indexes.", Tone.DONE)
    elif dry_run:
        line(f"Dry run: {counted_indexes(len(names))} would be dropped; nothing was written.")
    else:
        line(f"Dropped {counted_indexes(len(names))}.", Tone.DONE)
    for name in names:
        line(f"  {name}")
    return _exit(contracted)


def _announce(
    session: Session, files: ProjectFiles, to_contract: Sequence[str], *, dry_run: bool, assume_yes: bool
) -> None:
    """Print on stderr how many documents of removed models are removed; on a terminal also ask."""
    migrations = file_migrations(session, files)
    counts = session.run(migrations.count_removed([migrations.migration(name) for name in to_contract]))
    for model, number in counts.items():
        note(
            f"{model}: {counted(number, 'document')} and the index {'would' if dry_run else 'will'} be removed"
        )
    if dry_run or not will_ask(assume_yes=assume_yes):
        return
    work = session.run(migrations.estimate_cleanup(to_contract, Random()))
    confirm(
        f"Clean up {', '.join(to_contract)} on {session.where} ({size_of(work)})? This changes the documents that the "
        "old version has written since the run, and removes the values that only the old version needs. No process of "
        "the old version may be running.",
        assume_yes=assume_yes,
    )


def _exit(contracted: Sequence[tuple[str, ContractResult]]) -> Exit:
    return max((EXIT_OF_OUTCOME[result.outcome] for _, result in contracted), default=Exit.DONE)
