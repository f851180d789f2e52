"""A run, from lease to release: initial scan, passes until nothing is left to convert, and the final record."""

from collections import Counter
from collections.abc import Callable, Mapping

from redstart.commands.keyspace import scard, xlen
from redstart.commands.server_info import server_time
from redstart.effects import Argument, Op, call
from redstart.errors import ConfigurationError, PlanChangedError, RollbackInProgressError
from redstart.migrations.context import Context
from redstart.migrations.data.applier import Applier
from redstart.migrations.data.checkpoint import Checkpoint, RunStage, load_checkpoint
from redstart.migrations.data.damage import require_intact_data
from redstart.migrations.data.edit_builder import FailureMode, declared_quarantine_fields
from redstart.migrations.data.failures import FailureLog
from redstart.migrations.data.page_converter import Allowance, PageConverter
from redstart.migrations.data.plan import Plan, merged, require_json
from redstart.migrations.data.processed_documents import bits_for
from redstart.migrations.data.record import (
    CLEARED,
    MARKS,
    PROCESSED,
    Record,
    census_taken,
    end_progress,
    in_this_format,
    mark_applied,
    milestone,
    processed_documents,
    read_record,
    save_census,
)
from redstart.migrations.data.results import RunOptions, RunResult
from redstart.migrations.data.scanner import Passes, server_run_id
from redstart.migrations.data.survey import CensusRecorder, Tally, require_memory, survey
from redstart.migrations.lease import Lease
from redstart.migrations.server_checks import ServerFacts, require_safe_undo, server_facts
from redstart.migrations.state_keys import DATA_RUNS, StateKeys
from redstart.migrations.transformation import Classification
from redstart.next_steps import Command, Hint


def begin_run(context: Context, plan: Plan, *, resume: bool = True) -> Op[None]:
    """Record the start of a run on the server, before work that precedes the run itself.

    Args:
        resume: as in RunOptions.

    Raises:
        LeaseHeldError, UnsafeServerError, UnsupportedServerError, PlanChangedError, RollbackInProgressError: as `run`.

    Effects: acquires and releases the lease; writes one field. Documents are not changed. Safe to repeat.
    """
    yield from require_server(plan)

    def work(lease: Lease) -> Op[None]:
        yield from require_intact_data(context.keys, exempt=("failures", "lease"))
        record = yield from require_recorded_plan(context, plan, resume=resume)
        if not record.is_started:
            yield from lease.commit([["HSET", context.keys.record, "begun", 1]])

    yield from context.under_lease(work)


def require_room_aside(plan: Plan, mode: FailureMode) -> None:
    """Raise ConfigurationError if quarantine would move values into fields that a model declares.

    The next save of such a document would overwrite the quarantined value, so that only the undo log has it. The
    model's own values of that field could not be distinguished from quarantined ones.
    """
    if mode is not FailureMode.QUARANTINE:
        return
    found = [(model, path, name) for model in plan.models for path, name in declared_quarantine_fields(model)]
    if found:
        lines = [
            f"{model.name} declares {name} as a field or alias: quarantine would move failed values of {path} there."
            for model, path, name in found
        ]
        raise ConfigurationError(
            "\n".join(lines),
            Hint(
                "Rename the field, or choose another mode: ",
                Command("migrate-data run", "--failure-mode", "log_and_skip"),
            ),
        )


def require_server(plan: Plan) -> Op[ServerFacts]:
    """Return facts about the server. Raise UnsafeServerError or UnsupportedServerError if a run cannot use it.

    Effects: the reads of `server_facts`.
    """
    facts = yield from server_facts()
    require_json(facts, plan)
    require_safe_undo(facts)
    return facts


def saved_progress(context: Context, *, resume: bool) -> Op[Checkpoint | None]:
    """Return the checkpoint of an interrupted run, if the run is to be resumed; that of a rollback in any case."""
    found = yield from load_checkpoint(context.keys)
    return found if resume or found is None or found.stage.undoes else None


def require_recorded_plan(context: Context, plan: Plan, *, resume: bool = True) -> Op[Record]:
    """Return the record. Raise the error that a run would be refused with for what is recorded. Reads only.

    Args:
        resume: as in RunOptions.

    Raises:
        PlanChangedError, RollbackInProgressError: see `require_same_plan`.
    """
    record = yield from read_record(context.keys)
    require_same_plan(context, plan, record, (yield from saved_progress(context, resume=resume)))
    return record


def require_same_plan(context: Context, plan: Plan, record: Record, found: Checkpoint | None) -> None:
    """Raise PlanChangedError or RollbackInProgressError if the undo log or the checkpoint does not match the plan.

    Args:
        found: the checkpoint, or None.
    """
    _ = merged(record.plan, plan, context.transformation)  # refuses what contradicts the undo log
    if found is None:
        return
    _require_no_rollback(context.keys, found)
    if found.plan_hash != plan.hash:
        raise PlanChangedError(
            context.transformation.texts.plan_changed,
            Hint(
                "Resume with the previous models, or start again with the current ones: ",
                context.keys.clear_command(),
                ", then ",
                context.keys.run_command(),
                ". Converted values stay converted and can be rolled back.",
            ),
        )


def require_no_interrupted_rollback(keys: StateKeys) -> Op[None]:
    """Raise RollbackInProgressError if a rollback was interrupted. One read."""
    found = yield from load_checkpoint(keys)
    if found is not None:
        _require_no_rollback(keys, found)


def _require_no_rollback(keys: StateKeys, found: Checkpoint) -> None:
    if found.stage.undoes:
        raise RollbackInProgressError(
            "A rollback was interrupted and is not complete.",
            Hint("Finish it with: ", keys.rollback_command()),
        )


def run(
    context: Context, plan: Plan, options: RunOptions, *, before_reading: Callable[[], Op[None]] | None = None
) -> Op[RunResult]:
    """Convert every planned value, and resume an interrupted run.

    Args:
        before_reading: called under the lease, before any document is read; should take less time than the lease.

    Raises:
        LeaseHeldError, LeaseLostError: another run is in progress, or has acquired the lease.
        UnsafeServerError, UnsupportedServerError, ConfigurationError: refused before any write.
        PlanChangedError, RollbackInProgressError, StateDamagedError: refused before any write.

    Effects: one script per chunk of documents, each an atomic unit; state under `redstart:<id>:`. Safe to
    repeat: converted values are not changed.
    """
    require_room_aside(plan, options.failure_mode)
    facts = yield from require_server(plan)

    def work(lease: Lease) -> Op[RunResult]:
        result = yield from _Run(context, plan, options, lease, facts).run(before_reading)
        # Under the lease nothing else writes to these keys: what is missing now, another client has deleted.
        yield from require_intact_data(context.keys, exempt=("lease",))
        return result

    return (yield from context.under_lease(work))


class _Run:
    def __init__(
        self, context: Context, plan: Plan, options: RunOptions, lease: Lease, facts: ServerFacts
    ) -> None:
        self._context = context
        self._keys = context.keys
        self._plan = plan
        self._options = options
        self._lease = lease
        self._facts = facts
        self._resumed = False
        self._processed = self._marks = ""
        self._missing = 0
        self._disappeared: Mapping[str, int] = {}

    def run(self, before_reading: Callable[[], Op[None]] | None) -> Op[RunResult]:
        clock = self._context.clock
        began = clock()
        yield from require_intact_data(self._keys, exempt=("failures", "lease"))
        record = yield from read_record(self._keys)
        if self._is_complete(record):
            counts = {"converted_before": record.converted, "lossy_before": record.lossy}
            complete = Checkpoint(RunStage.CONVERT, self._plan.hash, record.generation, counts=counts)
            return (yield from self._result(complete, None, clock() - began))
        checkpoint = yield from self._start(record)
        self._processed, self._marks = record.processed, record.marks
        if before_reading is not None:
            yield from before_reading()
        stopped: str | None = "interrupted during the initial scan, before any document was changed"
        if checkpoint.stage is RunStage.CONVERT or (yield from self._census(checkpoint, record)):
            stopped = yield from self._convert(checkpoint)
        return (yield from self._result(checkpoint, stopped, clock() - began))

    def _is_complete(self, record: Record) -> bool:
        """Return whether all documents are converted, where they do not show it themselves."""
        if self._context.transformation.decided_by_shape or record.unfinished:
            return False
        return bool(record.applied) and not record.pending(self._plan)

    def _start(self, record: Record) -> Op[Checkpoint]:
        """Return the saved checkpoint, or a new one of a new generation."""
        found = yield from saved_progress(self._context, resume=self._options.resume)
        require_same_plan(self._context, self._plan, record, found)
        if found is None:
            return (yield from self._new_generation(record))
        self._resumed = True
        found.record_command(self._context.monitor.resumed_by)
        yield from self._lease.commit((yield from self._record_generation(found)))
        if found.stopped_by:  # it is classified again, and may have been corrected
            yield from FailureLog(self._keys).remove(self._lease, [bytes.fromhex(found.stopped_by)])
            found.stopped_by = ""
        if found.stage is RunStage.CONVERT and record.milestone != census_taken(found.generation):
            found.stage = RunStage.CENSUS  # the server lost it, with everything written after it
        return found

    def _new_generation(self, record: Record) -> Op[Checkpoint]:
        now_ms = yield from call(server_time())
        checkpoint = Checkpoint(RunStage.CENSUS, self._plan.hash, record.generation + 1, started_ms=now_ms)
        checkpoint.record_command(self._context.monitor.resumed_by)
        checkpoint.counts = {"converted_before": record.converted, "lossy_before": record.lossy}
        yield from self._lease.commit(
            [
                ["REMOVE", "hash", self._keys.failures],
                ["HDEL", self._keys.record, "failures_not_kept"],
                *(yield from self._record_generation(checkpoint)),
                checkpoint.command(self._keys),
            ]
        )
        return checkpoint

    def _record_generation(self, checkpoint: Checkpoint) -> Op[list[list[Argument]]]:
        """Return the commands that record the generation. One read."""
        generation: list[Argument] = [
            *("HSET", self._keys.record),
            *("generation", checkpoint.generation),
            *("unfinished", "run"),
        ]
        runs: list[Argument] = ["HSET", DATA_RUNS, self._keys.migration_id, checkpoint.generation]
        return [generation, runs, *(yield from in_this_format(self._keys))]

    def _census(self, checkpoint: Checkpoint, record: Record) -> Op[bool]:
        """Count all values and record pre-existing numbers. Return False if a stop was requested."""
        run_id = yield from server_run_id()
        recorder = CensusRecorder(self._keys, self._lease, record.plan)
        found = yield from survey(
            self._plan,
            self._context.transformation,
            batch_documents=self._options.batch_documents,
            monitor=self._context.monitor,
            stage="initial scan",
            visit=recorder.visit,
            processed=processed_documents(self._keys, record.processed),
            marks=processed_documents(self._keys, record.marks),
            unvisited=(Classification.CONVERTIBLE, Classification.NULL),
        )
        if not found.complete:
            return False
        tally = found.tally
        require_memory(self._facts, tally)
        checkpoint.stage = RunStage.CONVERT
        checkpoint.total = tally.total_documents
        # The larger number, if the server lost the first scan: documents may have disappeared with it.
        checkpoint.surveyed = dict(Counter(checkpoint.surveyed) | tally.documents)
        checkpoint.counts |= {
            "already": tally.total(Classification.ALREADY),
            "null": tally.total(Classification.NULL),
        }
        plan = merged(record.plan, self._plan, self._context.transformation)
        if not self._context.transformation.decided_by_shape and not record.processed:
            self._processed = f"{self._context.token}.{bits_for(tally.total_documents)}"
        if self._context.transformation.makes_marks and not record.marks:
            # Two for each document that keeps the values of both versions.
            self._marks = f"{self._context.token}-marks.{bits_for(2 * tally.total_documents)}"
        other_style_fields = record.other_style_fields | _other_style_fields(tally, self._plan)
        values = yield from call(scard(self._keys.census))
        yield from self._lease.commit(
            [
                *(
                    yield from self._record_generation(checkpoint)
                ),  # a server that was restarted may have lost it
                save_census(self._keys, plan, other_style_fields, values),
                *([["HSET", self._keys.record, PROCESSED, self._processed]] if self._processed else []),
                *([["HSET", self._keys.record, MARKS, self._marks]] if self._marks else []),
                milestone(self._keys, census_taken(checkpoint.generation)),
                checkpoint.command(self._keys),
            ]
        )
        if (
            yield from server_run_id()
        ) != run_id:  # it may have lost a part of the census just before the end
            return (yield from self._census(checkpoint, record))
        return True

    def _convert(self, checkpoint: Checkpoint) -> Op[str | None]:
        """Run all passes. Return the reason for an early stop, or None."""
        options = self._options
        processed = processed_documents(self._keys, self._processed)
        marks = processed_documents(self._keys, self._marks)
        converter = PageConverter(
            self._context,
            self._lease,
            Applier(
                self._lease,
                self._keys,
                fields_expire=self._facts.fields_expire,
                after=census_taken(checkpoint.generation),
                processed=processed,
                marks=marks,
            ),
            options.failure_mode,
            Allowance(options.max_errors, options.limit_documents),
            options.clearing,
            processed,
            marks,
        )
        passes = Passes(
            self._context,
            self._lease,
            self._plan,
            options.batch_documents,
            converter,
            ends_beside_writers=options.ends_beside_writers,
        )
        stopped = yield from passes.run(checkpoint, resumed=self._resumed)
        if stopped is None:
            self._missing = sum(checkpoint.missing(passes.documents).values())
            self._disappeared = checkpoint.disappeared(passes.documents)
            if self._disappeared:
                return disappearance(self._disappeared)
            now_ms = yield from call(server_time())
            for_redis_om = self._context.transformation.is_known_to_redis_om
            commands = mark_applied(
                self._keys, self._plan, passes.documents, now_ms, for_redis_om=for_redis_om
            )
            ended: list[Argument] = [CLEARED, PROCESSED, *([processed.counted_as] if processed else [])]
            commands += [["HDEL", self._keys.record, *ended], *end_progress(self._keys)]
            yield from self._lease.commit(commands, under=checkpoint.run_id)
            if processed is not None:  # no document is converted again: the models are applied
                yield from processed.remove(self._lease)
        return stopped

    def _result(self, checkpoint: Checkpoint, stopped: str | None, seconds: float) -> Op[RunResult]:
        record = yield from read_record(self._keys)
        errors = yield from FailureLog(self._keys).count()
        counts = checkpoint.counts
        return RunResult(
            stopped=stopped,
            resumed=self._resumed,
            documents=checkpoint.met,
            converted=record.converted - counts.get("converted_before", 0),
            already_converted=counts.get("already", 0),
            null=max(0, counts.get("null", 0) - counts.get("cleared", 0)),
            lossy=record.lossy - counts.get("lossy_before", 0),
            errors=errors + record.failures_not_kept,
            conflicts_retried=counts.get("retried", 0),
            passes=checkpoint.number,
            undoable=(yield from call(xlen(self._keys.journal))) > 0,
            without_undo_log=record.without_undo_log,
            seconds=seconds,
            unmatched=() if stopped is not None else _unmatched(record, self._plan),
            cleared=counts.get("cleared", 0),
            missing=self._missing,
            disappeared=self._disappeared,
            changed_by_last_pass=checkpoint.changed if stopped is None else 0,
        )


def disappearance(documents: Mapping[str, int]) -> str:
    """Return the reason why a run stops without the documents of its initial scan.

    Args:
        documents: their number, by key prefix.
    """
    number = sum(documents.values())
    what = f"all {number:,} documents" if number != 1 else "the only document"
    return f"{what} of the initial scan under {', '.join(sorted(documents))} disappeared during the run"


def _unmatched(record: Record, plan: Plan) -> tuple[str, ...]:
    """Return the key prefixes of models that are recorded as converted and have no documents."""
    prefixes = (model.key_prefix for model in plan.models)
    return tuple(one for one in prefixes if one in record.applied and not record.applied[one].documents)


def _other_style_fields(tally: Tally, plan: Plan) -> frozenset[tuple[str, str]]:
    """Return the fields whose values mostly do not have the default style: a rollback writes newer values like them."""
    fields = ((model.key_prefix, str(path)) for model in plan.models for path in model.paths)
    return frozenset(field for field in fields if not tally.is_mostly_default_style(*field))
