"""Preconditions of a run: a server that can store the undo log, and no conflicting saved state."""

from redstart.effects import Op
from redstart.errors import ConfigurationError, PlanChangedError, RollbackInProgressError
from redstart.migrations.context import Context
from redstart.migrations.data.checkpoint import Checkpoint, load_checkpoint
from redstart.migrations.data.damage import require_intact_data
from redstart.migrations.data.edit_builder import FailureMode, fields_aside
from redstart.migrations.data.plan import Plan, merged
from redstart.migrations.data.record import Record, read_record
from redstart.migrations.lease import Lease
from redstart.migrations.server_checks import (
    ServerFacts,
    require_json,
    require_safe_undo,
    server_facts,
)


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
        if not record.begun:
            yield from lease.commit([["HSET", context.keys.record, "begun", 1]])

    yield from context.under_lease(work)


def require_room_aside(plan: Plan, mode: FailureMode) -> None:
    """Raise ConfigurationError if quarantine would move values into fields that a model declares.

    The next save of such a document would overwrite the quarantined value, so that only the undo log has it. The
    model's own values of that field could not be distinguished from quarantined ones.
    """
    if mode is not FailureMode.QUARANTINE:
        return
    found = [(model, path, name) for model in plan.models for path, name in fields_aside(model)]
    if found:
        lines = [
            f"{model.name} declares {name} as a field or alias: quarantine would move failed values of {path} there."
            for model, path, name in found
        ]
        raise ConfigurationError(
            "\n".join(lines),
            "Rename the field, or choose another mode: om migrate-data run --failure-mode log_and_skip",
        )


def require_server(plan: Plan) -> Op[ServerFacts]:
    """Return facts about the server. Raise UnsafeServerError or UnsupportedServerError if a run cannot use it."""
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
    _ = merged(record.plan, plan, context.keys.migration_id)  # refuses what contradicts the undo log
    if found is None:
        return
    if found.stage.undoes:
        raise RollbackInProgressError(
            "A rollback was interrupted and is not complete.",
            f"Finish it with: om migrate-data rollback {context.keys.migration_id}",
        )
    if found.plan_hash != plan.hash:
        raise PlanChangedError(
            "The models or the naive time zone have changed since the interrupted run was started.",
            "Resume with the previous models, or start again with the current ones: om migrate-data "
            "clear-progress, then om migrate-data run. Converted values stay converted and can be rolled back.",
        )
