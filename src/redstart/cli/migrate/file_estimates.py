"""Estimates of pending migration files: what a run changes, how long it takes, and in which order to deploy."""

import shlex
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any

from redstart.cli.output import counted, duration, error_text, rounded
from redstart.cli.session import Session
from redstart.cli.value_tables import draw_failures
from redstart.display import escaped, printable
from redstart.migrations.file_estimate import FileEstimate, WorkEstimate, estimate_run
from redstart.migrations.file_migration import FileMigration
from redstart.migrations.files.migration_file import MigrationFile
from redstart.migrations.index_builds import IndexBuild
from redstart.migrations.operations.base import Operation, model_title
from redstart.migrations.project_migrations import FileMigrations
from redstart.next_steps import Command, Hint

APPLY = Command("upgrade")
CLEAN_UP = Command("migrate cleanup")

Write = Callable[[str | Hint], None]
"""Prints a line: `line` on stdout, or `note` on stderr."""


def estimates_of(
    session: Session,
    migrations: FileMigrations,
    pending: Sequence[FileMigration],
    *,
    reads_all: bool = False,
) -> list[FileEstimate]:
    """Return what a run of pending files would do.

    Args:
        reads_all: whether to read all documents, and to predict which cutovers are refused, instead of a sample.
    """
    return session.run(migrations.estimate_run(pending, None if reads_all else Random()))


def draw_operations(write: Write, title: str, description: str, operations: Sequence[Operation]) -> None:
    """Print a file and its operations. A description that repeats the only operation is omitted."""
    texts = [one.describe() for one in operations]
    shown = "" if texts == [description] else description
    write(f"{printable(title)}{': ' * bool(shown)}{shown}")
    for one, text in zip(operations, texts, strict=True):
        write(f"  {text}{'' if one.is_reversible else ' (not reversible)'}")
    if not operations:
        write("  no operations")


def draw_estimate(write: Write, one: FileEstimate) -> None:
    """Print a pending file with its operations, and what a run of it would do."""
    file = one.migration.file
    draw_operations(write, file.migration_id, file.description, file.operations)
    if one.migration.models:
        about = "" if one.is_exact else "about "
        number = sum(one.documents.values())
        keys = ", ".join(f"{prefix}*" for prefix in one.documents)
        failed = f"; {one.failed if one.is_exact else rounded(one.failed):,} cannot be changed" * bool(
            one.failed
        )
        values = counted(one.values if one.is_exact else rounded(one.values), "value")
        documents = f"{number if one.is_exact else rounded(number):,}"
        write(f"  Documents: {about}{documents} with keys {escaped(keys)}; {values} to change{failed}")
    for move, number in one.moves:
        documents = f"{counted(number, 'document')} of {model_title(move.before)}"
        write(f"  Move: {escaped(f'{documents} from the keys {move.source} to {move.target}')}")
    for change, found in one.storage:
        documents = f"{counted(found.documents, 'document')} of {model_title(change.move.before)}"
        storage = change.target.storage.name
        failed = f"; {counted(found.failed, 'document')} cannot be stored as {storage}" * bool(found.failed)
        target = f"{storage}, with the keys {change.target}"
        write(f"  Storage: {escaped(f'{documents} with the keys {change.source} as {target}')}{failed}")
    for index in one.indexes:
        _draw_index(write, index)
    write(f"  Time: {_expected(one.seconds)}")
    if one.lost_at_start:
        names = ", ".join(one.lost_at_start)
        write(f"  Queries of the old version by {names} fail from the start of the run.")
    if one.removed_by_cleanup:
        write(Hint(f"  Kept until cleanup: {', '.join(one.removed_by_cleanup)}"))
    for model, number in one.removed.items():
        write(Hint(f"  {stay_until_cleanup(model, number)}", CLEAN_UP))
    if one.not_reversible:
        write(
            "  Not reversible: a rollback restores the documents that the run changed, and leaves those that are "
            "written since as they are."
        )


def stay_until_cleanup(model: str, documents: int) -> str:
    """Return the sentence on the documents of a removed model, up to the command."""
    return f"{model}: {counted(documents, 'document')} and the index stay until you remove them with: "


def draw_failed_values(one: FileEstimate) -> None:
    """Print the values that cannot be changed, among those that were read."""
    if one.failures.count:
        draw_failures(one.failures, would=True)


def _draw_index(write: Write, index: IndexBuild) -> None:
    what = "to build next to the active one" if index.changes else "to create"
    if index.changes or index.documents:
        what += f": {counted(index.documents, 'document')}, about {index.megabytes:.1f} MB"
        what += f" for {index.to_build:,} indexes" * (index.to_build > 1)
    write(f"  Index {escaped(index.name)}, {what}")
    write(f"    {escaped(shlex.join(index.command))}")


def draw_deployment(write: Write, estimates: Sequence[FileEstimate]) -> None:
    """Print the order in which to deploy these files and the versions of the application."""
    if not estimates:
        return
    write("Deployment:")
    for number, step in enumerate(deployment(estimates), start=1):
        write(Hint(f"  {number}. ", *((step,) if isinstance(step, str) else step.parts)))


def deployment(estimates: Sequence[FileEstimate]) -> list[str | Hint]:
    """Return the steps of a deployment of pending files and of the version of the application that needs them."""
    apply = "Apply the files" if len(estimates) > 1 else "Apply the file"
    is_first = not estimates[0].migration.before.models
    if is_first and not any(one.has_documents for one in estimates):  # so there is no old version
        return [Hint(f"{apply}: ", APPLY), "Start the application."]
    in_place = _all(one.changed_in_place for one in estimates)
    lost = _all(one.lost_attributes for one in estimates)
    moved = _all(one.moved_models for one in estimates)
    awaited = _all(one.awaited_models for one in estimates)
    moves_changed = any(one.migration.moves_documents for one in estimates)
    steps: list[str | Hint] = []
    replaced = _all(one.replaced_models for one in estimates)
    is_stopped = bool(replaced or moves_changed or in_place)
    if replaced:
        steps.append(
            f"Stop the old version: it can neither read nor write documents of {', '.join(replaced)} in the new "
            "storage."
        )
    elif moves_changed:
        steps.append(
            f"Stop the old version: what it writes to documents of {', '.join(moved)} during the run would move to "
            "the new keys without the other changes."
        )
    elif in_place:
        names = ", ".join(in_place)
        steps.append(
            f"Stop the old version: it may not read the new values of {names}, which replace the old ones."
        )
    elif awaited:
        steps.append(
            f"Stop what writes {', '.join(awaited)} in the old version: the run cannot be completed while it writes "
            "such documents."
        )
    if lost and not is_stopped:
        steps.append(
            f"Stop what queries {', '.join(lost)}: these queries of the old version fail after the cutover."
        )
    steps.append(Hint(f"{apply}{'' if is_stopped or awaited else ' while the old version runs'}: ", APPLY))
    if moved:
        which = ", ".join(moved)
        steps.append(
            f"During the run, the old version does not find documents of {which} that have moved, and the new version "
            "does not find those that have not."
        )
    if is_stopped:
        steps.append("Start the new version.")
    elif moved:
        steps.append("Start the new version, and stop the old one, directly after the run.")
    else:
        steps.append("Start the new version, and stop the old one.")
    work = cleanup_work(estimates, is_stopped=is_stopped)
    if work:
        steps.append(Hint("When you no longer need the old version: ", CLEAN_UP, f". It {work}."))
    return steps


def cleanup_work(estimates: Sequence[FileEstimate], *, is_stopped: bool) -> str:
    """Return what a cleanup after pending files does; empty if it does nothing.

    Args:
        is_stopped: whether the old version is stopped before the run, so that it writes nothing since.
    """
    kept = _all(one.removed_by_cleanup for one in estimates)
    models = [model_title(one) for estimate in estimates for one in estimate.migration.steps.removed]
    last = estimates[-1].migration.after
    unused = _all(one.migration.steps.unused_indexes(last) for one in estimates)
    parts: list[str] = []
    if not is_stopped and any(one.migration.changes_at_cleanup for one in estimates):
        parts.append("changes documents that the old version wrote since")
    if any(one.replaced_models for one in estimates):
        parts.append("stores documents that the old version wrote since in the new storage")
    removed = [f"the values of {', '.join(kept)}"] * bool(kept)
    removed += [f"the documents of {', '.join(models)}"] * bool(models)
    if removed:
        parts.append(f"removes {' and '.join(removed)}")
    if unused:
        parts.append(f"drops the index {', '.join(map(escaped, unused))}")
    elif any(index.changes for one in estimates for index in one.indexes):
        parts.append("drops the previous index")
    return ", and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def _all(found: Iterable[Sequence[str]]) -> list[str]:
    return list(dict.fromkeys(name for names in found for name in names))


def question(estimates: Sequence[FileEstimate], where: str) -> str:
    """Return the prompt, with documents and time."""
    work = estimate_run(estimates)
    has_documents = any(one.changes_documents for one in estimates)
    size = size_of(work) if has_documents else _expected(work.seconds)
    return f"Apply {counted(len(estimates), 'migration file')} on {where} ({size})?"


def size_of(work: WorkEstimate) -> str:
    """Return the number of documents, and the time."""
    number = work.documents
    documents = (
        counted(number, "document") if work.is_exact else f"about {counted(rounded(number), 'document')}"
    )
    return f"{documents}, {_expected(work.seconds)}"


def first_refusal(estimates: Sequence[FileEstimate]) -> str | None:
    """Return why a run of these files would be refused; None if it would start."""
    return next((error_text(one.refusal) for one in estimates if one.refusal is not None), None)


def _expected(seconds: float) -> str:
    """Return an expected duration: a fraction of a second would look exact."""
    return "less than 1 s" if seconds < 1 else f"about {duration(seconds)}"


def estimate_report(one: FileEstimate) -> dict[str, Any]:
    """Return what a run of a file would do, for --json."""
    return {
        "documents": sum(one.documents.values()),
        "exact": one.is_exact,
        "values": one.values,
        "failed": one.failed,
        "estimated_seconds": round(one.seconds, 3),
        "moves": [
            {
                "model": move.before.name,
                "source": str(move.source),
                "target": str(move.target),
                "documents": number,
            }
            for move, number in one.moves
        ],
        "storage": [
            {
                "model": change.move.before.name,
                "before": change.source.storage.value,
                "after": change.target.storage.value,
                "documents": found.documents,
                "failed": found.failed,
            }
            for change, found in one.storage
        ],
        "removed": [{"model": model, "documents": number} for model, number in one.removed.items()],
        "indexes": [
            {
                "model": index.model,
                "index": index.name,
                "command": list(index.command),
                "changes": [str(change) for change in index.changes],
                "documents": index.documents,
                "megabytes": round(index.megabytes, 1),
            }
            for index in one.indexes
        ],
        "kept_until_cleanup": one.removed_by_cleanup,
        "changed_in_place": one.changed_in_place,
        "lost_attributes": one.lost_attributes,
        "lost_at_start": one.lost_at_start,
    }


def file_report(file: MigrationFile, found: FileEstimate | None) -> dict[str, Any]:
    """Return a pending file for --json.

    Args:
        found: what a run of it would do; None if this version of Redstart does not run it.
    """
    return {
        "id": file.migration_id,
        "description": file.description,
        "path": file.source,
        "operations": [{"text": one.describe(), "reversible": one.is_reversible} for one in file.operations],
        "estimate": None if found is None else estimate_report(found),
    }
