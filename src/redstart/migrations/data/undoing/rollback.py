"""The undo of all runs since the last one: the journal backwards, then one look at everything.

First the journal is replayed from its end: a value that is still what was written gets its original bytes. Then
passes over the keyspace bring back what is left in the new form and was not a number before the first write:
it was changed since, or born since, and gets the text redis-om 0.3.5 would have stored. Asked to, they do the same
with what was a number before: a new application may have written it before the run. The plan is the one
stored with the journal; today's models are not asked.
"""

from dataclasses import dataclass, field

from redstart.commands.introspection import server_time
from redstart.effects import Op, call
from redstart.migrations.data.planned.plan import Plan
from redstart.migrations.data.reading.scan import server_run_id
from redstart.migrations.data.running.context import Context
from redstart.migrations.data.running.monitor import Progress
from redstart.migrations.data.running.passes import Passes
from redstart.migrations.data.running.preflight import server_facts
from redstart.migrations.data.state.checkpoint import Checkpoint, Stage, load_checkpoint
from redstart.migrations.data.state.failures import Failure
from redstart.migrations.data.state.journal import check_journal, entries_backwards
from redstart.migrations.data.state.record import (
    REPLAYED,
    Record,
    check_census,
    forget_everything,
    mark_not_applied,
    milestone,
    read_record,
)
from redstart.migrations.data.undoing.sweep import PageReverter
from redstart.migrations.data.undoing.undo import undo_entry
from redstart.migrations.data.writing.apply import Applier
from redstart.migrations.lease import Activity, Lease, server_is_behind
from redstart.values.timezones import NaiveTimezone


@dataclass(frozen=True, slots=True)
class RollbackResult:
    """What a rollback did.

    Attributes:
        stopped: why it ended early, with its progress saved; None when it is done.
        documents: written.
        restored_exactly: values with their original bytes again.
        reformatted: values changed or born since, now in the old form.
        kept: values that have no old form and stay; `examples` the first of them.
        numbers_before: values left as they are, for they were numbers before the first run wrote anything;
            `number_examples` the first of them. Of the whole keyspace only when it is done.
        nothing_to_do: whether no run had left anything to undo.
    """

    stopped: str | None = None
    documents: int = 0
    restored_exactly: int = 0
    reformatted: int = 0
    kept: int = 0
    examples: list[Failure] = field(default_factory=list)
    numbers_before: int = 0
    number_examples: list[Failure] = field(default_factory=list)
    nothing_to_do: bool = False
    seconds: float = 0.0


def rollback(
    context: Context, *, numbers_of_before_too: bool = False, batch_documents: int = 1_000
) -> Op[RollbackResult]:
    """Undo all runs since the last rollback.

    Args:
        numbers_of_before_too: give the old form also to values that were numbers before the first run.
        batch_documents: keys asked for per step of the scan.

    Raises:
        LeaseHeld, LeaseLost: a run is at work, or took over.
        JournalDamaged: the undo log or the census has lost entries; nothing was written.
        ConfigurationError: the runs read naive values in a local zone that is not this process'; nothing was written.

    Effects: one script per chunk of documents. Only when all is back are the journal, the census and the record
    removed, in one unit. Safe to repeat, after a stop at any point.
    """
    if (yield from read_record(context.keys)).plan is None:
        return RollbackResult(nothing_to_do=True)

    def work(lease: Lease) -> Op[RollbackResult]:
        # Again, under the lease: while we waited for it, a run may have ended that converted more models.
        record = yield from read_record(context.keys)
        if record.plan is None:
            return RollbackResult(nothing_to_do=True)
        return (
            yield from _Rollback(
                context, record, record.plan, lease, batch_documents, numbers_of_before_too
            ).run()
        )

    return (yield from context.under_lease(work))


def begin_rollback(context: Context) -> Op[None]:
    """Say on the server that a rollback is under way and that nothing is converted, for work that comes before it.

    Raises:
        See `rollback`.

    Effects: takes the lease and gives it back; writes the checkpoint and takes the marks away, as one unit, unless
        there is nothing to undo. Documents stay. Safe to repeat.
    """

    def work(lease: Lease) -> Op[None]:
        record = yield from read_record(context.keys)
        if record.plan is not None:
            _, total = yield from _require_whole(context, record, record.plan)
            _ = yield from _begun(context, record, record.plan, lease, total)

    yield from context.under_lease(work)


def _require_whole(context: Context, record: Record, plan: Plan) -> Op[tuple[NaiveTimezone, int]]:
    """The zone of naive values and the number of journal entries; raises when either is not what it was."""
    zone = NaiveTimezone.parse(plan.naive_timezone)
    total = yield from check_journal(context.keys)
    yield from check_census(context.keys, record)
    return zone, total


class _Rollback:
    def __init__(
        self,
        context: Context,
        record: Record,
        plan: Plan,
        lease: Lease,
        batch_documents: int,
        numbers_of_before_too: bool,
    ) -> None:
        self._context = context
        self._keys = context.keys
        self._record = record
        self._plan = plan
        self._lease = lease
        self._batch_documents = batch_documents
        self._numbers_of_before_too = numbers_of_before_too

    def run(self) -> Op[RollbackResult]:
        began = self._context.clock()
        facts = yield from server_facts()
        zone, total = yield from _require_whole(self._context, self._record, self._plan)
        checkpoint = yield from _begun(self._context, self._record, self._plan, self._lease, total)
        resumed = checkpoint.stage is Stage.SWEEP
        applier = Applier(self._lease, self._keys, fields_expire=facts.fields_expire)
        stopped: str | None = None
        if checkpoint.stage is Stage.REPLAY:
            stopped = yield from self._replay(checkpoint, applier, total)
        applier = Applier(self._lease, self._keys, fields_expire=facts.fields_expire, after=REPLAYED)
        reverter = PageReverter(
            self._keys,
            self._lease,
            applier,
            zone,
            self._record.aware_fields,
            numbers_of_before_too=self._numbers_of_before_too,
        )
        if stopped is None:
            passes = Passes(self._context, self._lease, self._plan, self._batch_documents, reverter)
            stopped = yield from passes.run(checkpoint, resumed=resumed)
        if stopped is None:
            if (yield from read_record(self._keys)).milestone != REPLAYED:
                raise server_is_behind()
            yield from self._lease.commit(forget_everything(self._keys), under=checkpoint.run_id)
        counts = checkpoint.counts
        return RollbackResult(
            stopped,
            counts.get("documents", 0),
            counts.get("restored", 0),
            counts.get("values", 0),
            len(reverter.kept),
            list(reverter.kept.values()),
            reverter.numbers_before.count,
            reverter.numbers_before.examples,
            seconds=self._context.clock() - began,
        )

    def _replay(self, checkpoint: Checkpoint, applier: Applier, total: int) -> Op[str | None]:
        checkpoint.total = total
        yield from self._lease.keep(Activity("undoing"))
        while entries := (yield from entries_backwards(self._keys, checkpoint.cursor or None)):
            for entry in entries:
                documents, values = yield from undo_entry(applier, entry)
                checkpoint.add(documents=documents, restored=values)
                checkpoint.cursor = entry.id
            checkpoint.done += sum(entry.stream_entries for entry in entries)
            checkpoint.saved_ms = yield from call(server_time())
            yield from self._lease.commit([checkpoint.command(self._keys)])
            self._context.monitor.progress(Progress("undoing", 0, checkpoint.done, total, 0))
            if self._context.monitor.stop_requested():
                return "interrupted"
        checkpoint.stage, checkpoint.cursor = Stage.SWEEP, "0"
        checkpoint.done, checkpoint.total = 0, checkpoint.counts.get("to_sweep", 0)
        yield from self._lease.commit([checkpoint.command(self._keys), milestone(self._keys, REPLAYED)])
        run_id = yield from server_run_id()
        if run_id == checkpoint.run_id:
            return None
        _start_over(checkpoint, run_id)
        yield from self._lease.commit([checkpoint.command(self._keys), milestone(self._keys, "")])
        return (yield from self._replay(checkpoint, applier, total))


def _begun(context: Context, record: Record, plan: Plan, lease: Lease, total: int) -> Op[Checkpoint]:
    """An unfinished rollback's checkpoint, or a new one in place of whatever a run left."""
    run_id = yield from server_run_id()
    found = yield from load_checkpoint(context.keys)
    if found is not None and found.stage.undoes:
        replayed = found.stage is Stage.SWEEP and record.milestone == REPLAYED
        if not replayed and (found.stage is Stage.SWEEP or found.run_id != run_id):
            _start_over(found, run_id)
        return found
    now_ms = yield from call(server_time())
    checkpoint = Checkpoint(
        Stage.REPLAY, plan.hash, record.generation, cursor="", started_ms=now_ms, total=total
    )
    checkpoint.run_id, checkpoint.saved_ms = run_id, now_ms
    applied = sum(model.documents for model in record.applied.values())
    checkpoint.counts["to_sweep"] = (found.total if found is not None else 0) or applied
    # From now on nothing is applied, whatever becomes of this rollback.
    yield from lease.commit([checkpoint.command(context.keys), *mark_not_applied(context.keys, record)])
    return checkpoint


def _start_over(checkpoint: Checkpoint, run_id: str) -> None:
    """A server that was restarted may have lost a part of the undo: that would be taken for newer values."""
    checkpoint.stage, checkpoint.cursor, checkpoint.run_id = Stage.REPLAY, "", run_id
    checkpoint.done = 0
