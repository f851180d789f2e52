"""Rollback of all runs since the last rollback: replay the undo log backwards, then scan the keyspace.

First, the undo log is replayed from its end: a value that is unchanged since it was written gets its original bytes.
An original that cannot be converted and cannot be restored is moved out of the log, kept, and reported. Then passes
over the keyspace convert the remaining values in the new format, which are newer, back, except for pre-existing ones.
With `reformat_preexisting`, pre-existing values are rewritten, too, because a new version of the application may have
written them before the run. The plan is the one stored with the undo log; the current models are not used.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from redstart.commands.server_info import server_time
from redstart.effects import Op, call
from redstart.errors import CheckpointCorruptError, MigrationError
from redstart.migrations.context import Context, Progress
from redstart.migrations.data.applier import Applier
from redstart.migrations.data.checkpoint import Checkpoint, RunStage, load_checkpoint
from redstart.migrations.data.damage import LISTS, require_intact_data
from redstart.migrations.data.originals import Restoring, Unrestored
from redstart.migrations.data.plan import Plan, with_prefixes
from redstart.migrations.data.record import (
    REFORMATTED,
    REPLAYED,
    RESTORED,
    Record,
    check_census,
    count_undone_anew,
    counted,
    end_rollback,
    is_recorded_without_state,
    mark_not_applied,
    milestone,
    read_record,
)
from redstart.migrations.data.rollback_sweep import PageReverter, left_out_of, values_left_out
from redstart.migrations.data.scan_passes import Passes
from redstart.migrations.data.scanner import server_run_id
from redstart.migrations.data.undo_log import check_journal, entries_backwards, require_readable_journal
from redstart.migrations.data.undo_replay import Field, Undoing, undo_entry
from redstart.migrations.data.unrestored import (
    UnrestoredDocument,
    add_unrestored,
    all_unrestored,
    unrestored_count,
)
from redstart.migrations.failure import Failure
from redstart.migrations.lease import Activity, Lease, ServerRestartedError, server_is_behind
from redstart.migrations.server_checks import server_facts
from redstart.migrations.state_keys import APPLIED_MIGRATIONS, StateKeys
from redstart.migrations.transformation import Transformation
from redstart.next_steps import Command, Hint


@dataclass(frozen=True, slots=True)
class DataRollbackResult:
    """The result of a rollback.

    Attributes:
        stopped: why it stopped early, with its progress saved; None if it is complete.
        documents: number of written documents.
        restored_exactly: values whose original bytes are restored.
        reformatted: newer values, rewritten in the old format.
        kept: values without an equivalent in the old format, left unchanged; `examples`: the first of them.
        unrestored: originals that stay on the server, because the value that the run wrote in their place was
            changed or deleted since; `unrestored_examples`: the first of them.
        preexisting_numbers: pre-existing values, left unchanged; `number_examples`: the first of them. Covers the
            whole keyspace only if the rollback is complete.
        forgotten: values that were converted before the undo log was dropped, and stay converted.
        nothing_to_do: whether there was no run to roll back.
    """

    stopped: str | None = None
    documents: int = 0
    restored_exactly: int = 0
    reformatted: int = 0
    kept: int = 0
    examples: list[Failure] = field(default_factory=list)
    unrestored: int = 0
    unrestored_examples: list[Failure] = field(default_factory=list)
    preexisting_numbers: int = 0
    number_examples: list[Failure] = field(default_factory=list)
    forgotten: int = 0
    nothing_to_do: bool = False
    seconds: float = 0.0


def rollback(
    context: Context,
    *,
    exclude_prefixes: Collection[str] = (),
    reformat_preexisting: bool = False,
    batch_documents: int = 1_000,
) -> Op[DataRollbackResult]:
    """Roll back all runs since the last rollback.

    Args:
        exclude_prefixes: longer key prefixes whose keys belong to no model of the runs: values there stay. Those of
            documents that a run converted are reported, unless they get their original bytes.
        reformat_preexisting: convert pre-existing values back, too.
        batch_documents: keys scanned per batch.

    Raises:
        LeaseHeldError, LeaseLostError: a run is in progress, or another run has acquired the lease.
        UndoLogCorruptError: the undo log or the census has lost entries; nothing was written.
        ConfigurationError: the runs used settings that this process cannot use; nothing was written.

    Effects: one script per chunk of documents. Only at the end are the undo log, the census and the record
    removed, in one unit; the record of values that stay converted is kept. Safe to repeat after a stop at any point.
    """
    yield from require_intact_for_undo(context.keys)
    if not (yield from _is_something_left(context)):
        return DataRollbackResult(nothing_to_do=True)

    def work(lease: Lease) -> Op[DataRollbackResult]:
        # Again, under the lease: a run that ended since may have converted more models.
        yield from require_intact_for_undo(context.keys)
        record = yield from read_record(context.keys)
        if record.plan is None:
            return (yield from _retry(context, lease))
        return (
            yield from _Rollback(
                context, record, record.plan, lease, exclude_prefixes, batch_documents, reformat_preexisting
            ).run()
        )

    return (yield from context.under_lease(work))


def require_undoable(context: Context) -> Op[None]:
    """Raise the error that a rollback would be refused with, without writing anything but the lease.

    Raises:
        See `rollback`.
    """

    def work(_lease: Lease) -> Op[None]:
        record = yield from read_record(context.keys)
        if record.plan is not None:
            _ = yield from _require_whole(context, record, record.plan)
        else:
            yield from require_undo_log(context.keys, record)

    yield from context.under_lease(work)


def require_undo_log(keys: StateKeys, record: Record) -> Op[None]:
    """Raise MigrationError if no original is left to restore, and values are converted, or recorded as converted.

    Raises:
        MigrationError: the undo log was dropped; or redis-om's record has the migration as applied, and there is no
            state of it.
    """
    if record.plan is not None or (yield from unrestored_count(keys)):
        return
    if record.forgotten:
        raise MigrationError(
            f"Cannot roll back {keys.migration_id}: its undo log was dropped. "
            f"{record.forgotten:,} values stay converted.",
            "To restore the originals, use a backup.",
        )
    if (yield from is_recorded_without_state(keys, record)):
        raise MigrationError(
            f"Cannot roll back {keys.migration_id}: {APPLIED_MIGRATIONS} lists it as applied, but the "
            f"state of Redstart ({keys.record} and others) is missing. It was lost, or redis-om converted the data.",
            Hint(
                "To restore the originals, use a backup. See which format the data has with: ",
                Command("migrate-data verify"),
            ),
        )


def begin_rollback(context: Context) -> Op[None]:
    """Record on the server that a rollback is in progress and nothing is converted, before work that precedes it.

    Raises:
        See `rollback`.

    Effects: acquires and releases the lease; writes the checkpoint and removes the applied models, as one unit, unless
        there is nothing to roll back. Documents are not changed. Safe to repeat.
    """

    def work(lease: Lease) -> Op[None]:
        yield from require_intact_for_undo(context.keys)
        record = yield from read_record(context.keys)
        if record.plan is not None:
            _, total = yield from _require_whole(context, record, record.plan)
            _ = yield from _begun(context, record, record.plan, lease, total)

    yield from context.under_lease(work)


def require_intact_for_undo(keys: StateKeys) -> Op[None]:
    """Raise StateDamagedError if a key that a rollback needs is missing or damaged. Reads only."""
    yield from require_intact_data(keys, exempt=("lease", *LISTS))


def _is_something_left(context: Context) -> Op[bool]:
    record = yield from read_record(context.keys)
    return record.plan is not None or (yield from unrestored_count(context.keys)) > 0


def _retry(context: Context, lease: Lease) -> Op[DataRollbackResult]:
    """Try again to restore the originals of an earlier rollback, without an undo log."""
    if not (yield from unrestored_count(context.keys)):
        return DataRollbackResult(nothing_to_do=True)
    began = context.clock()
    facts = yield from server_facts()
    yield from lease.commit([count_undone_anew(context.keys)])
    undoing = Undoing(context.keys, None, context.transformation)
    applier = Applier(lease, context.keys, fields_expire=facts.fields_expire, counted_as=RESTORED)
    yield from Restoring(undoing).restore_all(context.keys, lease, applier)
    left = yield from _unrestored(context, undoing)
    record = yield from read_record(context.keys)
    undone = record.undone
    ended = [count_undone_anew(context.keys)]
    if not left.count:
        ended.append(["HDEL", context.keys.record, "unrestored_members"])
    yield from lease.commit(ended)
    return DataRollbackResult(
        documents=undone["undone_documents"],
        restored_exactly=undone[RESTORED],
        unrestored=left.count,
        unrestored_examples=left.examples,
        forgotten=record.forgotten,
        seconds=context.clock() - began,
    )


def _unrestored(
    context: Context, undoing: Undoing, replaced: Iterable[Field] = (), moved: Iterable[Field] = ()
) -> Op[Unrestored]:
    """Return the unrestored originals on the server. A read for each 200 documents."""
    found = Unrestored(replaced=set(replaced), moved=set(moved))
    for document in (yield from all_unrestored(context.keys)):
        found.add(document, undoing)
    return found


def _require_whole(context: Context, record: Record, plan: Plan) -> Op[tuple[Transformation, int]]:
    """Return the transformation of the runs and the number of undo log entries.

    Raises:
        ConfigurationError, StateDamagedError: see `Transformation.as_recorded`.
        UndoLogCorruptError: the undo log or the census has lost entries.
    """
    transformation = context.transformation.as_recorded(plan.settings, plan.kinds)
    total = yield from check_journal(context.keys)
    yield from check_census(context.keys, record)
    return transformation, total


class _Rollback:
    def __init__(
        self,
        context: Context,
        record: Record,
        plan: Plan,
        lease: Lease,
        exclude_prefixes: Collection[str],
        batch_documents: int,
        reformat_preexisting: bool,
    ) -> None:
        self._context = context
        self._keys = context.keys
        self._record = record
        self._plan = plan
        self._lease = lease
        self._swept_plan = with_prefixes(plan, excluded=exclude_prefixes)
        self._batch_documents = batch_documents
        self._reformat_preexisting = reformat_preexisting

    def run(self) -> Op[DataRollbackResult]:
        began = self._context.clock()
        facts = yield from server_facts()
        transformation, total = yield from _require_whole(self._context, self._record, self._plan)
        checkpoint = yield from _begun(self._context, self._record, self._plan, self._lease, total)
        resumed = checkpoint.stage is RunStage.SWEEP
        undoing = Undoing(self._keys, self._plan, transformation)
        stopped: str | None = None
        while checkpoint.stage is RunStage.REPLAY and stopped is None:
            applier = Applier(
                self._lease,
                self._keys,
                fields_expire=facts.fields_expire,
                counted_as=RESTORED,
                under=checkpoint.run_id,
            )
            stopped = yield from self._replay(checkpoint, applier, undoing, total)
        applier = Applier(
            self._lease,
            self._keys,
            fields_expire=facts.fields_expire,
            after=REPLAYED,
            counted_as=REFORMATTED,
        )
        left = (
            Unrestored()
            if stopped is not None
            else (yield from _unrestored(self._context, undoing, checkpoint.replaced, checkpoint.moved))
        )
        reverter = PageReverter(
            self._keys,
            self._lease,
            applier,
            transformation,
            self._record.other_style_fields,
            left,
            reformat_preexisting=self._reformat_preexisting,
        )
        if stopped is None:
            passes = Passes(self._context, self._lease, self._swept_plan, self._batch_documents, reverter)
            stopped = yield from passes.run(checkpoint, resumed=resumed)
        left_out = left_out_of(self._swept_plan, self._plan)
        if stopped is None and left_out is not None:
            reverter.kept |= yield from values_left_out(
                self._keys,
                left_out,
                transformation,
                reformat_preexisting=self._reformat_preexisting,
                lease=self._lease,
            )
        record = yield from read_record(self._keys)
        if stopped is None:
            if record.milestone != REPLAYED:
                raise server_is_behind()
            yield from self._lease.commit(
                end_rollback(self._keys, record, self._plan.settings, has_unrestored=left.count > 0),
                under=checkpoint.run_id,
            )
        return DataRollbackResult(
            stopped,
            record.undone["undone_documents"],
            record.undone[RESTORED],
            record.undone[REFORMATTED],
            len(reverter.kept),
            list(reverter.kept.values()),
            left.count,
            left.examples,
            reverter.preexisting.count,
            reverter.preexisting.examples,
            record.forgotten,
            seconds=self._context.clock() - began,
        )

    def _replay(
        self, checkpoint: Checkpoint, applier: Applier, undoing: Undoing, total: int
    ) -> Op[str | None]:
        """Replay the undo log from the checkpoint on. After a restart of the server, the next call starts from its end.

        A restarted server may hold documents in the state of some entries before, so every write is for one run of the
        server: otherwise the value of a later entry would be taken for that of an earlier one.
        """
        try:
            stopped = yield from self._replay_entries(checkpoint, applier, undoing, total)
            if stopped is not None:
                return stopped
            if checkpoint.done != total:
                raise CheckpointCorruptError(
                    f"{checkpoint.done:,} entries of the undo log {self._keys.journal} were undone, but it has "
                    f"{total:,}: the checkpoint {self._keys.checkpoint} is wrong.",
                    Hint(
                        "Roll back from the end of the log: ",
                        Command("migrate-data clear-progress"),
                        ", then the same command again",
                    ),
                )
            restoring = Restoring(undoing, under=checkpoint.run_id)
            yield from restoring.restore_all(self._keys, self._lease, applier)
            checkpoint.stage, checkpoint.cursor = RunStage.SWEEP, "0"
            checkpoint.done, checkpoint.total = 0, checkpoint.counts.get("to_sweep", 0)
            yield from self._lease.commit(
                [checkpoint.command(self._keys), milestone(self._keys, REPLAYED)], under=checkpoint.run_id
            )
        except ServerRestartedError:
            _start_over(checkpoint, (yield from server_run_id()))
            yield from self._lease.commit([checkpoint.command(self._keys), milestone(self._keys, "")])
        return None

    def _replay_entries(
        self, checkpoint: Checkpoint, applier: Applier, undoing: Undoing, total: int
    ) -> Op[str | None]:
        checkpoint.total = total
        yield from self._lease.keep(Activity("replaying the undo log"))
        while entries := (yield from entries_backwards(self._keys, checkpoint.cursor or None)):
            outstanding: list[UnrestoredDocument] = []
            for entry in entries:
                outstanding += yield from undo_entry(applier, entry, undoing)
                checkpoint.replaced = sorted({*checkpoint.replaced, *undoing.replaced_in(entry)})
                checkpoint.moved = sorted({*checkpoint.moved, *undoing.moved_in(entry)})
                checkpoint.cursor = entry.id
            checkpoint.done += sum(entry.stream_entries for entry in entries)
            checkpoint.saved_ms = yield from call(server_time())
            kept = yield from add_unrestored(self._keys, outstanding)
            if kept:
                kept += counted(self._keys, "unrestored")
            yield from self._lease.commit([checkpoint.command(self._keys), *kept], under=checkpoint.run_id)
            self._context.monitor.progress(
                Progress("replaying the undo log", 0, checkpoint.done, total, 0, "entries")
            )
            if self._context.monitor.stop_requested():
                return "interrupted"
        return None


def _begun(context: Context, record: Record, plan: Plan, lease: Lease, total: int) -> Op[Checkpoint]:
    """Return the checkpoint of an unfinished rollback, or a new one that replaces the checkpoint of a run."""
    run_id = yield from server_run_id()
    found = yield from load_checkpoint(context.keys)
    if found is not None and found.stage.undoes:
        replayed = found.stage is RunStage.SWEEP and record.milestone == REPLAYED
        if not replayed and (found.stage is RunStage.SWEEP or found.run_id != run_id):
            _start_over(found, run_id)
        return found
    now_ms = yield from call(server_time())
    checkpoint = Checkpoint(
        RunStage.REPLAY, plan.hash, record.generation, cursor="", started_ms=now_ms, total=total
    )
    checkpoint.run_id, checkpoint.saved_ms = run_id, now_ms
    applied = sum(model.documents for model in record.applied.values())
    checkpoint.counts["to_sweep"] = (found.total if found is not None else 0) or applied
    yield from require_readable_journal(context.keys, lease)
    # From now on nothing is applied, even if this rollback is interrupted.
    yield from lease.commit(
        [
            checkpoint.command(context.keys),
            ["HSET", context.keys.record, "unfinished", "rollback"],
            count_undone_anew(context.keys),
            *mark_not_applied(context.keys, record),
        ]
    )
    return checkpoint


def _start_over(checkpoint: Checkpoint, run_id: str) -> None:
    """Reset the position: a restarted server may have lost restored values, which would be taken for newer ones."""
    checkpoint.stage, checkpoint.cursor, checkpoint.run_id = RunStage.REPLAY, "", run_id
    checkpoint.done = 0
