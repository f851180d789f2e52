"""What a run needs before it begins: a server that can undo it, and nothing saved that contradicts it."""

from redstart.effects import Op
from redstart.errors import ConfigurationError, PlanChangedError, RollbackInProgressError
from redstart.migrations.data.judging.transform import FailureMode, fields_aside
from redstart.migrations.data.planned.plan import Plan, merged
from redstart.migrations.data.running.context import Context
from redstart.migrations.data.running.preflight import (
    ServerFacts,
    require_json,
    require_safe_undo,
    server_facts,
)
from redstart.migrations.data.state.checkpoint import Checkpoint, load_checkpoint
from redstart.migrations.data.state.damage import require_intact_data
from redstart.migrations.data.state.record import Record, read_record
from redstart.migrations.lease import Lease


def begin_run(context: Context, plan: Plan, *, resume: bool = True) -> Op[None]:
    """Say on the server that a run has begun, for work that comes before it.

    Args:
        resume: as in RunOptions.

    Raises:
        LeaseHeldError, UnsafeServerError, UnsupportedServerError, PlanChangedError, RollbackInProgressError: as `run`.

    Effects: takes the lease and gives it back; writes one mark. Documents stay. Safe to repeat.
    """
    yield from require_server(plan)

    def work(lease: Lease) -> Op[None]:
        yield from require_intact_data(context.keys, exempt=("failures", "lease"))
        record = yield from read_record(context.keys)
        require_same_plan(context, plan, record, (yield from saved_progress(context, resume=resume)))
        if not record.begun:
            yield from lease.commit([["HSET", context.keys.record, "begun", 1]])

    yield from context.under_lease(work)


def require_room_aside(plan: Plan, mode: FailureMode) -> None:
    """Raise ConfigurationError if quarantine would move values into fields that a model declares.

    The next client that saves such a document would write over the only copy outside the undo log, and what the model
    keeps there could not be told from a quarantined value.
    """
    if mode is not FailureMode.QUARANTINE:
        return
    found = [(model, path, name) for model in plan.models for path, name in fields_aside(model)]
    if found:
        lines = [
            f"{model.name} declares {name}, a field or alias: quarantine would move failed values of {path} there."
            for model, path, name in found
        ]
        raise ConfigurationError(
            "\n".join(lines),
            "Rename the field, or choose another mode: om migrate-data run --failure-mode log_and_skip",
        )


def require_server(plan: Plan) -> Op[ServerFacts]:
    """What is known of the server. Raises UnsafeServerError, UnsupportedServerError if it cannot serve a run."""
    facts = yield from server_facts()
    require_json(facts, plan)
    require_safe_undo(facts)
    return facts


def saved_progress(context: Context, *, resume: bool) -> Op[Checkpoint | None]:
    """What an interrupted run saved, if it is to be gone on from; what a rollback saved in any case."""
    found = yield from load_checkpoint(context.keys)
    return found if resume or found is None or found.stage.undoes else None


def require_same_plan(context: Context, plan: Plan, record: Record, found: Checkpoint | None) -> None:
    """Raise PlanChangedError or RollbackInProgressError if the journal or saved progress does not go with this plan.

    Args:
        found: the saved progress, or None.
    """
    _ = merged(record.plan, plan, context.keys.migration_id)  # refuses what contradicts the journal
    if found is None:
        return
    if found.stage.undoes:
        raise RollbackInProgressError(
            "A rollback began and has not ended.",
            f"Finish it with: om migrate-data rollback {context.keys.migration_id}",
        )
    if found.plan_hash != plan.hash:
        raise PlanChangedError(
            "The models (or the naive time zone) changed since this run began and was interrupted.",
            "Finish with the old ones; or start over with today's: om migrate-data clear-progress, then run. "
            "What is converted stays converted and can be undone.",
        )
