"""Roll back applied migration files of the project, for `om downgrade` and `om migrate rollback`, and clean up."""

from collections.abc import Sequence
from typing import Any

from redstart.cli.exit_codes import EXIT_OF_OUTCOME, Exit
from redstart.cli.index_report import draw_lacking_results, draw_results, result_report
from redstart.cli.migrate.apply_files import typed_again
from redstart.cli.migrate.file_estimates import size_of
from redstart.cli.migrate.project_files import file_migrations
from redstart.cli.options import confirm, will_ask
from redstart.cli.output import Tone, counted, line, note, print_json
from redstart.cli.progress import progress_display
from redstart.cli.refused_cutover import DROP_OUT
from redstart.cli.session import Session, resume_hint, stop_on_signal
from redstart.display import printable
from redstart.migrations.context import Monitor
from redstart.migrations.data.plan import Plan
from redstart.migrations.data.results import RunOptions
from redstart.migrations.failure import MAX_EXAMPLES, Failure
from redstart.migrations.file_results import ContractResult, FileRollbackResult
from redstart.migrations.files.project_history import ProjectFiles
from redstart.migrations.indexes.expand import ExpansionOptions
from redstart.migrations.outcomes import Outcome
from redstart.next_steps import Command, Hint

BASE = "base"
"""In place of an id: before the first file."""


def roll_back_files(
    session: Session,
    files: ProjectFiles,
    ids: Sequence[str],
    options: ExpansionOptions,
    *,
    verbose: bool = False,
    assume_yes: bool,
    as_json: bool,
) -> Exit:
    """Roll back applied files in the given order, up to the first that is not complete. Return the exit code.

    Args:
        ids: the last applied file first.
        verbose: whether to print a line for each step.

    Raises:
        See `FileMigrations.roll_back`. Nothing is asked if the first rollback would be refused.
    """
    if ids:
        file_migrations(session, files).require_rollback(ids[0])
        note(f"{counted(len(ids), 'migration file')} to roll back:")
        for name in ids:
            note(f"  {printable(name)}")
        if will_ask(assume_yes=assume_yes):
            size = size_of(session.run(file_migrations(session, files).estimate_rollback(ids)))
            confirm(
                f"Roll back {counted(len(ids), 'migration file')} on {session.where} ({size})?",
                assume_yes=assume_yes,
            )
    resume = typed_again()
    with progress_display(every_step=verbose) as show:
        monitor = Monitor(progress=show, resumed_by=resume)
        with stop_on_signal(monitor), resume_hint(resume):
            migrations = file_migrations(session, files, monitor)
            results = session.run(migrations.roll_back_all(files, ids, options))
    outcome = _outcome(results)
    if as_json:
        print_json({"status": outcome.value, "migrations": [rollback_report(one) for one in results]})
    else:
        _draw(results, outcome, resume)
    return EXIT_OF_OUTCOME[outcome]


def _outcome(results: Sequence[FileRollbackResult]) -> Outcome:
    """Return the outcome of all rollbacks: that of the first one that is not done."""
    outcomes = [one.outcome for one in results]
    if not outcomes:
        return Outcome.NOTHING_TO_DO
    return next((one for one in reversed(outcomes) if one is not Outcome.DONE), Outcome.DONE)


def _draw(results: Sequence[FileRollbackResult], outcome: Outcome, resume: Command) -> None:
    complete = [one for one in results if one.is_complete]
    if not results:
        line("Nothing to roll back.", Tone.DONE)
    elif len(complete) == len(results):
        line(f"{counted(len(results), 'migration file')} rolled back.", Tone.DONE)
    elif outcome is Outcome.STOPPED:
        line(
            f"Rollback of {printable(results[-1].migration_id)} stopped; its progress is saved.", Tone.WARNING
        )
    else:
        line(
            f"Rollback of {printable(results[-1].migration_id)} is not complete: documents {DROP_OUT}.",
            Tone.WARNING,
        )
    for one in results:
        _draw_one(one)
    if outcome is Outcome.STOPPED:
        line(Hint("Resume with: ", resume))
    elif outcome is Outcome.CUTOVER_REFUSED:
        line(Hint("Correct the documents listed above, then run again: ", resume))
        line(Hint("Or continue without them in query results: ", resume.adding("--accept-unindexed")))


def _draw_one(one: FileRollbackResult) -> None:
    line(f"  {printable(one.migration_id)}: {'; '.join(_parts(one))}")
    for change in one.storage:
        stay = "stays" if change.left == 1 else "stay"
        _draw_left(
            f"{counted(change.left, 'document')} written since cannot be stored as before and {stay} unchanged",
            change.left,
            change.failures,
        )
    data = one.data
    if data is not None:
        what = (
            "1 value written since has no equivalent in the previous format and stays unchanged"
            if data.kept == 1
            else f"{data.kept:,} values written since have no equivalent in the previous format and stay unchanged"
        )
        _draw_left(what, data.kept, data.examples)
    number, examples = _unrestored(one)
    _draw_left(
        f"{counted(number, 'original')} could not be restored and stay on the server", number, examples
    )
    if any(index.is_refused for index in one.indexes):
        draw_results(one.indexes, {}, Plan(()), verbose=False)
    else:
        draw_lacking_results(one.indexes)


def _unrestored(one: FileRollbackResult) -> tuple[int, list[Failure]]:
    """Return how many originals could not be restored, and the first of them."""
    data = one.data
    number, examples = (data.unrestored, data.unrestored_examples) if data is not None else (0, [])
    return number + len(one.unrestored), [*examples, *one.unrestored][:MAX_EXAMPLES]


def _draw_left(what: str, number: int, examples: Sequence[Failure]) -> None:
    if number:
        line(f"  {what}:", Tone.WARNING)
        for failure in examples:
            line(f"    {failure}")


def _parts(one: FileRollbackResult) -> list[str]:
    """Return what was rolled back."""
    documents = {
        "moved back": [move.moved for move in one.moves],
        "restored": [one.originals] if one.storage else [],
        "written since and stored as before": [change.replaced for change in one.storage if change.replaced],
    }
    parts = [f"{counted(number, 'document')} {what}" for what, some in documents.items() for number in some]
    if one.restored_documents:
        parts.append(f"{counted(one.restored_documents, 'removed document')} restored")
    if one.data is not None:
        newer = f", {one.data.reformatted:,} written since and changed back" if one.data.reformatted else ""
        parts.append(f"{counted(one.data.restored_exactly, 'value')} restored{newer}")
    return parts or ["indexes only" if one.indexes else "no documents or indexes to change"]


def rollback_report(one: FileRollbackResult) -> dict[str, Any]:
    """Return the rollback of one file for --json."""
    data = one.data
    unrestored, examples = _unrestored(one)
    return {
        "id": one.migration_id,
        "status": one.outcome.value,
        "reason": data.stopped if data else None,
        "restored_exactly": data.restored_exactly if data else 0,
        "moved_back": sum(move.moved for move in one.moves),
        "restored_documents": one.restored_documents + one.originals,
        "stored_back": sum(change.replaced for change in one.storage),
        "not_stored_back": [failure.as_dict() for change in one.storage for failure in change.failures],
        "changed_back": data.reformatted if data else 0,
        "not_reversible": data.kept if data else 0,
        "not_reversible_values": [failure.as_dict() for failure in data.examples] if data else [],
        "unrestored": unrestored,
        "unrestored_values": [failure.as_dict() for failure in examples],
        "indexes": [result_report(index) for index in one.indexes],
    }


def contract_files(session: Session, files: ProjectFiles) -> list[tuple[str, ContractResult]]:
    """Complete the files whose cleanup is pending, and return the result of each."""
    with progress_display() as show:
        migrations = file_migrations(session, files, Monitor(progress=show))
        return session.run(migrations.contract(RunOptions()))


def draw_contracted(results: Sequence[tuple[str, ContractResult]]) -> None:
    """Print what was changed and removed."""
    for name, result in results:
        if result.stopped is not None:
            line(f"{printable(name)}: stopped: {result.stopped}. Run the same command again.", Tone.WARNING)
            continue
        if result.data is not None:
            values = counted(result.data.converted, "value")
            failed = f"; {result.data.errors:,} could not be changed" * bool(result.data.errors)
            tone = Tone.WARNING if failed else Tone.DONE
            line(f"{printable(name)}: {values} changed or removed{failed}", tone)
        for change in result.storage:
            documents = counted(change.replaced_now, "document")
            line(
                f"{printable(name)}: changed the storage of {documents} of {change.model}, written since the run",
                Tone.DONE,
            )
        for one in result.removed:
            if one.owner:
                line(
                    f"{printable(name)}: documents of {one.model} stay: {one.owner} has the same keys",
                    Tone.WARNING,
                )
                continue
            documents = counted(one.documents, "document")
            line(
                f"{printable(name)}: {documents} of {one.model} removed; a rollback restores them", Tone.DONE
            )
