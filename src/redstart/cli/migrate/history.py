"""`om migrate history`, `current` and `show`: the migration files, and their records on the server."""

from pathlib import Path
from typing import Any

import click

from redstart.cli.migrate.project_files import (
    Row,
    draw_differences,
    look,
    migrations_root,
    problem_report,
    root_of,
    row_of,
    rows_of,
    when,
)
from redstart.cli.migration_kinds import item_of
from redstart.cli.options import Settings, common
from redstart.cli.output import counted, duration, line, print_json
from redstart.cli.session import open_session
from redstart.cli.tables import pairs, table
from redstart.cli.value_tables import draw_all_failures, draw_failures
from redstart.display import printable
from redstart.migrations.data.failures import FailureLog
from redstart.migrations.failure import FailureSummary
from redstart.migrations.files.project_history import DifferenceKind, HistoryItem, ProjectFiles
from redstart.migrations.state_keys import StateKeys
from redstart.next_steps import Command, Hint

CREATE_FIRST = Hint("Write the first one with: ", Command("migrate create", "NAME"))


@click.command()
@migrations_root()
@common
def history(settings: Settings, migrations_dir: Path | None, as_json: bool) -> None:
    """List all migration files in the order in which they are applied, and when each was applied.

    Includes the files of redis-om in the subdirectories schema-migrations and data-migrations. Writes nothing.
    """
    with open_session(settings, needs_models=False) as session:
        files = look(session, root_of(migrations_dir))
    rows, found = rows_of(files), files.history
    if as_json:
        print_json(
            {
                "where": found.where,
                "migrations": [row.report() for row in rows],
                "heads": list(found.heads),
                "problems": [problem_report(problem) for problem in found.problems],
            }
        )
        return
    _draw_rows(found.where, rows)
    draw_differences([one for one in found.differences() if one.kind is not DifferenceKind.PENDING])


def _draw_rows(where: str, rows: list[Row]) -> None:
    if not rows:
        line(f"There are no migration files in {printable(where)}.")
        line(CREATE_FIRST)
        return
    with_kind = any(row.kind != "redstart" for row in rows)
    columns = ["migration", *(["kind"] if with_kind else []), "state", "applied at", "by", "description"]
    table(f"Migration files in {printable(where)}", columns, [_cells(row, with_kind) for row in rows])
    pending = sum(not row.is_applied for row in rows)
    line(f"Total migrations: {len(rows):,}; {pending:,} pending")


def _cells(row: Row, with_kind: bool) -> list[object]:
    at, by = ("", "") if row.entry is None else (when(row.entry.applied_ms), printable(row.entry.applied_by))
    kind = [row.kind] if with_kind else []
    return [printable(row.migration_id), *kind, row.state_text(), at, by, row.description]


@click.command()
@migrations_root()
@common
def current(settings: Settings, migrations_dir: Path | None, as_json: bool) -> None:
    """Show the last applied migration file, and how many are pending. Writes nothing.

    If there are branches that no file joins, each has a last applied file.
    """
    with open_session(settings, needs_models=False) as session:
        found = look(session, root_of(migrations_dir)).history
    pending = [file.migration_id for file in found.pending]
    found.require_usable()
    if as_json:
        print_json({"current": list(found.current), "heads": list(found.heads), "pending": pending})
        return
    for name in found.current:
        line(f"{printable(name)}{' (head)' if name in found.heads else ''}")
    if not found.current:
        line("No migration file is applied.")
    if pending:
        count = counted(len(pending), "migration file")
        line(Hint(f"{count} pending. See the changes with: ", Command("migrate plan")))


@click.command()
@click.argument("migration_id", metavar="ID")
@click.option("-v", "--verbose", is_flag=True, help="Show each value that a run could not change.")
@migrations_root()
@common
def show(
    settings: Settings, migration_id: str, verbose: bool, migrations_dir: Path | None, as_json: bool
) -> None:
    """Show the migration file ID: what it changes, what it depends on, and when it was applied. Writes nothing.

    Values that its last run could not change are listed by reason. The beginning of the id, or a part after the time,
    is enough if no other id has it.
    """
    with open_session(settings, needs_models=False) as session:
        files = look(session, root_of(migrations_dir))
        item = item_of(files, migration_id)
        failures = FailureSummary(session.run(FailureLog(StateKeys(item.migration_id)).all()))
    if as_json:
        print_json(_report(files, item, failures))
        return
    _draw(files, item)
    if failures.count and verbose:
        draw_all_failures(failures)
    elif failures.count:
        draw_failures(failures)
        line(Hint("List each of them with: ", Command("migrate show", item.migration_id, "--verbose")))


def _report(files: ProjectFiles, item: HistoryItem, failures: FailureSummary) -> dict[str, Any]:
    return {
        **row_of(item).report(),
        "required_by": _required_by(files, item),
        "operations": [{"text": text, "reversible": reversible} for text, reversible in _operations(item)],
        "checksum": item.file.checksum if item.file else None,
        "applied_checksum": item.entry.checksum if item.entry else None,
        "problem": None if item.problem is None else problem_report(item.problem),
        "failed": failures.count,
        "failures": [failure.as_dict() for failure in failures.first],
    }


def _required_by(files: ProjectFiles, item: HistoryItem) -> list[str]:
    return [
        other.migration_id
        for other in files.history.items
        if other.file is not None and item.migration_id in other.file.dependencies
    ]


def _operations(item: HistoryItem) -> list[tuple[str, bool | None]]:
    """Return what a migration does, and whether it is reversible: None if only its record is known."""
    if item.file is not None:
        return [(one.describe(), one.is_reversible) for one in item.file.operations]
    return [(printable(text), None) for text in (item.entry.operations if item.entry else ())]


def _draw(files: ProjectFiles, item: HistoryItem) -> None:
    row, entry = row_of(item), item.entry
    rows: list[tuple[str, object]] = [("migration", printable(row.migration_id)), ("state", row.state_text())]
    if row.description:
        rows.append(("description", row.description))
    if row.path is not None:
        rows.append(("file", printable(row.path)))
    rows.append(("depends on", ", ".join(map(printable, row.dependencies)) or "nothing"))
    rows.append(("required by", ", ".join(_required_by(files, item)) or "nothing"))
    if entry is not None:
        rows.append(("applied", f"{when(entry.applied_ms)} by {printable(entry.applied_by)}"))
        took = "recorded without being run"
        rows.append(("duration", took if entry.duration_ms is None else duration(entry.duration_ms / 1_000)))
    pairs(rows)
    operations = _operations(item)
    line("Operations:" if operations else "Operations: none")
    for number, (text, reversible) in enumerate(operations, start=1):
        line(f"  {number}. {text}{'' if reversible is not False else ' (not reversible)'}")
    draw_differences([one for one in files.history.differences() if one.migration_id == item.migration_id])
