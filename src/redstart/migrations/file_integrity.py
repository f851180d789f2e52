"""Check that the state of migration files on the server is complete, readable and consistent."""

from collections.abc import Iterable
from typing import Any

from redstart.commands.keyspace import hgetall, xlen, xrevrange
from redstart.display import printable
from redstart.effects import Op, batch, gather
from redstart.errors import MigrationError, StateDamagedError, UndoLogCorruptError
from redstart.migrations.data.damage import find_data_damage
from redstart.migrations.data.record import read_record
from redstart.migrations.file_migration import FileMigration
from redstart.migrations.files.project_history import FileState, HistoryItem
from redstart.migrations.state_keys import (
    ORIGINALS,
    Damage,
    StateKeys,
    confirmed,
    of_other_types,
    require_none,
)
from redstart.migrations.steps.file_steps import FileSteps
from redstart.migrations.steps.record import DROPPED, GIVEN_UP, StepRecord, read_steps, steps_from, steps_hint
from redstart.next_steps import Command, Hint


def require_intact_files(files: Iterable[tuple[HistoryItem, FileMigration]]) -> Op[None]:
    """Raise StateDamagedError if a key of one of these files is missing or damaged.

    Args:
        files: those that are applied, or whose run was started, and their migrations.

    Effects: reads only, four or five reads for each file; twice if there is any damage.
    """
    for item, migration in files:
        require_none((yield from find_file_damage(item, migration)))


def find_file_damage(item: HistoryItem, migration: FileMigration) -> Op[list[Damage]]:
    """Return the damage of the keys of one file. Reads only."""
    keys = StateKeys(item.migration_id)
    damage = (yield from find_data_damage(keys)) if migration.models else []
    return damage + (yield from confirmed(lambda: _damage_of_steps(item, migration.steps, keys)))


def require_undo_log_of_file(item: HistoryItem, migration: FileMigration) -> Op[None]:
    """Raise MigrationError if a rollback of an applied file could restore nothing, and would report that it is done.

    Raises:
        MigrationError: the file was recorded without a run, its undo log is lost, or its undo log was dropped with the
            copies of removed documents.

    Effects: two reads.
    """
    if item.entry is None or item.started is not None:
        return
    keys = StateKeys(item.migration_id)
    dropped = (yield from read_steps(keys)).count(DROPPED)
    if dropped:
        documents = "1 removed document" if dropped == 1 else f"{dropped:,} removed documents"
        raise MigrationError(
            f"Cannot roll back {printable(item.migration_id)}: its undo log was dropped, which had {documents}.",
            "To restore the documents, use a backup.",
        )
    if not migration.models:
        return
    if (yield from read_record(keys)).is_new:
        name = printable(item.migration_id)
        raise MigrationError(
            f"{name} cannot be rolled back: {keys.record} does not exist. The file was recorded without a run, or its "
            "undo log was lost. Nothing was changed.",
            Hint(
                "Restore the key from a backup; or leave the documents as they are, and remove the file from the "
                "record with: ",
                Command("migrate stamp", "--remove", name),
            ),
        )


def _damage_of_steps(item: HistoryItem, steps: FileSteps, keys: StateKeys) -> Op[list[Damage]]:
    found = yield from of_other_types(
        [
            ("steps", keys.steps, "hash"),
            ("removed", keys.removed, "stream"),
            ("originals", keys.originals, "stream"),
        ]
    )
    if found:
        return found
    replies: list[Any] = yield from batch(
        gather(
            [
                hgetall(keys.steps),
                xlen(keys.removed),
                xlen(keys.originals),
                xrevrange(keys.removed, before=None, count=1),
                xrevrange(keys.originals, before=None, count=1),
            ]
        )
    )
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    fields, removed, originals, *newest = replies
    try:
        record = steps_from(keys, fields)
    except StateDamagedError as error:
        return [Damage("steps", error.message, error.next_step)]
    found = _missing_fields(item, steps, keys, record)
    for part, key, entries, counted, entry in (
        ("removed", keys.removed, removed, record.removed, newest[0]),
        ("originals", keys.originals, originals, record.count(ORIGINALS), newest[1]),
    ):
        if entries < counted:
            message = f"{key} has {entries:,} documents; {keys.steps} counts {counted:,}."
            found.append(Damage(part, message, keys.restore_hint(), UndoLogCorruptError))
        elif entry and not _is_readable(entry[0].fields):
            message = f"The newest entry of {key} cannot be read."
            found.append(Damage(part, message, keys.restore_hint(), UndoLogCorruptError))
    return found


def _is_readable(fields: dict[bytes, bytes]) -> bool:
    """Return whether an entry has a document as DUMP writes it, which ends with a version and a checksum."""
    return b"key" in fields and len(fields.get(b"dump", b"")) > 10


def _missing_fields(item: HistoryItem, steps: FileSteps, keys: StateKeys, record: StepRecord) -> list[Damage]:
    """Return the damage of a record without the steps of a file that a run has completed."""
    was_run = item.entry is not None and item.entry.duration_ms is not None
    is_complete = item.started is None and was_run and item.state is FileState.APPLIED
    if not is_complete or GIVEN_UP in record.fields:
        return []
    missing = sorted(steps.recorded_names - record.fields.keys())
    if not missing:
        return []
    what = f"lacks {', '.join(map(printable, missing[:3]))}" if record.fields else "is missing"
    return [
        Damage(
            "steps",
            f"{keys.steps}, the record of the steps of {printable(item.migration_id)}, {what}.",
            steps_hint(keys),
        )
    ]
