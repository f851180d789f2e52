"""Rollback of all runs since the last rollback: replay the undo log backwards, then scan the keyspace.

First, the undo log is replayed from its end: a value that is unchanged since it was written gets its original bytes.
An original that cannot be converted and cannot be restored is moved out of the log, kept, and reported. Then passes
over the keyspace convert the remaining values in the new format, which are newer, back, except for pre-existing ones.
With `reformat_preexisting`, pre-existing values are rewritten, too, because a new version of the application may have
written them before the run. The plan is the one stored with the undo log; the current models are not used.
"""

from collections.abc import Collection, Iterable

from redstart.commands.server_info import server_time
from redstart.effects import Argument, Op, call
from redstart.errors import CheckpointCorruptError, MigrationError
from redstart.migrations.context import Context, Progress
from redstart.migrations.data.applier import Applier
from redstart.migrations.data.checkpoint import Checkpoint, RunStage, load_checkpoint
from redstart.migrations.data.damage import require_intact_for_undo, require_whole
from redstart.migrations.data.originals import Restoring, Unrestored
from redstart.migrations.data.plan import Plan, with_prefixes
from redstart.migrations.data.processed_documents import ConvertedDocuments, bits_for
from redstart.migrations.data.record import (
    CLEARED,
    REFORMATTED,
    REPLAYED,
    RESTORED,
    REVERTED,
    Record,
    count_undone_anew,
    counted,
    end_progress,
    end_rollback,
    mark_not_applied,
    milestone,
    processed_documents,
    read_record,
    sets_of,
)
from redstart.migrations.data.results import DataRollbackResult
from redstart.migrations.data.rollback_sweep import PageReverter, left_out_of, values_left_out
from redstart.migrations.data.scanner import Passes, server_run_id
from redstart.migrations.data.undo_log import check_journal, entries_backwards, require_readable_journal
from redstart.migrations.data.undo_replay import Field, Undoing, undo_entry
from redstart.migrations.data.unrestored import (
    UnrestoredDocument,
    add_unrestored,
    all_unrestored,
    unrestored_count,
)
from redstart.migrations.lease import Lease, ServerRestartedError, server_is_behind
from redstart.migrations.lease_state import Activity
from redstart.migrations.server_checks import ServerFacts, server_facts
from redstart.migrations.transformation import Transformation
from redstart.next_steps import Hint


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
            _, total = yield from require_whole(context, record, record.plan)
            _ = yield from _start_checkpoint(context, record, record.plan, lease, total)

    yield from context.under_lease(work)


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
        without_undo_log=record.without_undo_log,
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
        transformation, total = yield from require_whole(self._context, self._record, self._plan)
        checkpoint = yield from _start_checkpoint(self._context, self._record, self._plan, self._lease, total)
        self._record = yield from read_record(self._keys)
        transformation = transformation.as_applied()
        is_resumed_sweep = checkpoint.stage is RunStage.SWEEP
        undoing = Undoing(self._keys, self._plan, transformation)
        stopped = yield from self._replay_to_end(checkpoint, undoing, total, facts)
        left = Unrestored()
        if stopped is None:
            left = yield from _unrestored(self._context, undoing, checkpoint.replaced, checkpoint.moved)
        reverter = self._reverter(transformation, left, facts)
        if stopped is None:
            stopped = yield from self._sweep(checkpoint, reverter, transformation, resumed=is_resumed_sweep)
        record = yield from read_record(self._keys)
        if stopped is None:
            if record.milestone != REPLAYED:
                raise server_is_behind()
            yield from self._lease.commit(
                end_rollback(self._keys, record, self._plan.settings, has_unrestored=left.count > 0),
                under=checkpoint.run_id,
            )
            for documents in sets_of(self._keys, record):
                yield from documents.remove(self._lease)
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
            record.without_undo_log,
            seconds=self._context.clock() - began,
        )

    def _reverter(self, transformation: Transformation, left: Unrestored, facts: ServerFacts) -> PageReverter:
        reverted = processed_documents(self._keys, self._record.reverted)
        applier = Applier(
            self._lease,
            self._keys,
            fields_expire=facts.fields_expire,
            after=REPLAYED,
            counted_as=REFORMATTED,
            processed=reverted,
        )
        return PageReverter(
            self._keys,
            self._lease,
            applier,
            transformation,
            self._record.other_style_fields,
            left,
            ConvertedDocuments(
                processed_documents(self._keys, self._record.processed),
                reverted,
                processed_documents(self._keys, self._record.marks),
            ),
            reformat_preexisting=self._reformat_preexisting,
        )

    def _sweep(
        self, checkpoint: Checkpoint, reverter: PageReverter, transformation: Transformation, *, resumed: bool
    ) -> Op[str | None]:
        """Convert newer values back, in passes. Return why they stopped."""
        passes = Passes(self._context, self._lease, self._swept_plan, self._batch_documents, reverter)
        stopped = yield from passes.run(checkpoint, resumed=resumed)
        left_out = left_out_of(self._swept_plan, self._plan)
        if stopped is None and left_out is None and not passes.documents:
            yield from self._require_documents()
        if stopped is None and left_out is not None:
            reverter.kept |= yield from values_left_out(
                self._keys,
                left_out,
                transformation,
                reformat_preexisting=self._reformat_preexisting,
                lease=self._lease,
            )
        return stopped

    def _require_documents(self) -> Op[None]:
        """Raise MigrationError if all documents that this rollback has written have disappeared. Their originals stay.

        Effects: removes the progress then, so that the next rollback begins at the end of the undo log.
        """
        written = (yield from read_record(self._keys)).undone["undone_documents"]
        if not written:
            return
        yield from self._lease.commit(
            [["HSET", self._keys.record, CLEARED, "rollback"], *end_progress(self._keys)]
        )
        raise MigrationError(
            f"The rollback is not complete: {written:,} document{'s' * (written != 1)} that it wrote "
            f"{'have' if written != 1 else 'has'} disappeared, and no other is left. The undo log stays.",
            "If they were moved, renamed or deleted by mistake, restore them first. Then run the same command again: "
            "it leaves out documents that do not exist.",
        )

    def _replay_to_end(
        self, checkpoint: Checkpoint, undoing: Undoing, total: int, facts: ServerFacts
    ) -> Op[str | None]:
        """Replay the undo log, again after each restart of the server. Return why it stopped."""
        stopped: str | None = None
        while checkpoint.stage is RunStage.REPLAY and stopped is None:
            applier = Applier(
                self._lease,
                self._keys,
                fields_expire=facts.fields_expire,
                counted_as=RESTORED,
                under=checkpoint.run_id,
                processed=processed_documents(self._keys, self._record.reverted),
                skips_processed=False,
            )
            stopped = yield from self._replay(checkpoint, applier, undoing, total)
        return stopped

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
                _ = yield from check_journal(self._keys)
                raise CheckpointCorruptError(
                    f"{checkpoint.done:,} entries of the undo log {self._keys.journal} were undone, but it has "
                    f"{total:,}: the checkpoint {self._keys.checkpoint} is wrong.",
                    Hint(
                        "Roll back from the end of the log: ",
                        self._keys.clear_command(),
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


def _start_checkpoint(
    context: Context, record: Record, plan: Plan, lease: Lease, total: int
) -> Op[Checkpoint]:
    """Return the checkpoint of an unfinished rollback, or a new one that replaces the checkpoint of a run."""
    run_id = yield from server_run_id()
    found = yield from load_checkpoint(context.keys)
    if found is not None and found.stage.undoes:
        replayed = found.stage is RunStage.SWEEP and record.milestone == REPLAYED
        if not replayed and (found.stage is RunStage.SWEEP or found.run_id != run_id):
            _start_over(found, run_id)
        found.record_command(context.monitor.resumed_by)
        return found
    now_ms = yield from call(server_time())
    checkpoint = Checkpoint(
        RunStage.REPLAY, plan.hash, record.generation, cursor="", started_ms=now_ms, total=total
    )
    checkpoint.run_id, checkpoint.saved_ms = run_id, now_ms
    checkpoint.record_command(context.monitor.resumed_by)
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
            *_reverted_set(context, record, checkpoint.counts["to_sweep"]),
        ]
    )
    return checkpoint


def _reverted_set(context: Context, record: Record, documents: int) -> list[list[Argument]]:
    """Return the command that names the set of reverted documents, if the documents do not show it themselves.

    A rollback whose progress was cleared has one: its documents must not be reverted again.
    """
    if context.transformation.decided_by_shape or record.reverted:
        return []
    return [["HSET", context.keys.record, REVERTED, f"{context.token}.{bits_for(documents)}"]]


def _start_over(checkpoint: Checkpoint, run_id: str) -> None:
    """Reset the position: a restarted server may have lost restored values, which would be taken for newer ones."""
    checkpoint.stage, checkpoint.cursor, checkpoint.run_id = RunStage.REPLAY, "", run_id
    checkpoint.done = 0
