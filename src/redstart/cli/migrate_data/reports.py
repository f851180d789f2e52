"""Results as the objects that `--json` prints. Scripts rely on their keys: see docs/json.md."""

from typing import Any

from redstart.migrations.data.checkpoint import Checkpoint
from redstart.migrations.data.context import DATETIME_MIGRATION
from redstart.migrations.data.convert import Outcome
from redstart.migrations.data.rollback import RollbackResult
from redstart.migrations.data.runner import RunResult
from redstart.migrations.data.statistics import ModelStatistics, Statistics
from redstart.migrations.data.status import Status
from redstart.migrations.data.verify import Verification
from redstart.migrations.data.verify_journal import JournalCheck
from redstart.migrations.holder import is_gone

VALUE_NAMES = {
    "convertible": Outcome.CONVERTED,
    "converted": Outcome.ALREADY,
    "null": Outcome.NULL,
    "lossy": Outcome.LOSSY,
    "unconvertible": Outcome.UNCONVERTIBLE,
}
"""What values are called before a run: `converted` are those that already are numbers."""


def stats_report(found: Statistics) -> dict[str, Any]:
    """`stats`."""
    facts = found.facts
    return {
        "documents": found.documents,
        "exact": found.exact,
        "sampled_documents": found.sampled_documents,
        "values": {name: found.total(outcome) for name, outcome in VALUE_NAMES.items()},
        "estimated_seconds": {
            "low": round(found.estimate.low, 3),
            "expected": round(found.estimate.expected, 3),
            "high": round(found.estimate.high, 3),
        },
        "models": [_model(model) for model in found.models],
        "foreign_keys": found.survey.tally.foreign,
        "server": {
            "version": facts.version,
            "last_save_seconds": facts.last_save_seconds,
            "append_only": facts.append_only,
            "replicas": facts.replicas,
            "used_bytes": facts.used_bytes,
            "free_bytes": facts.free_bytes,
            "maxmemory_policy": facts.policy,
        },
    }


def _model(model: ModelStatistics) -> dict[str, Any]:
    return {
        "name": model.model.name,
        "key_prefix": model.model.key_prefix,
        "storage": model.model.storage.value,
        "documents": model.documents,
        "fields": [
            {
                "path": str(field.path),
                "kind": field.path.kind.value,
                "values": {name: field.values[outcome] for name, outcome in VALUE_NAMES.items()},
            }
            for field in model.fields
        ],
    }


def dry_run_report(found: Statistics, seconds: float) -> dict[str, Any]:
    """`run --dry-run`: the keys of `run`, with what would be done, and the evidence."""
    samples = found.survey.samples
    report = stats_report(found)
    for model in report["models"]:
        for field in model["fields"]:
            field["samples"] = [
                {"key": sample.key, "before": sample.before, "after": sample.after}
                for sample in samples.get((model["key_prefix"], field["path"]), [])
            ]
    return {
        "status": "dry_run",
        "documents": found.documents,
        "converted": found.total(Outcome.CONVERTED),
        "already_converted": found.total(Outcome.ALREADY),
        "null": found.total(Outcome.NULL),
        "lossy": found.total(Outcome.LOSSY),
        "errors": found.total(Outcome.UNCONVERTIBLE),
        "conflicts_retried": 0,
        "seconds": round(seconds, 3),
        "documents_per_second": round(found.documents / max(seconds, 1e-9)),
        "models": report["models"],
        "failures": [failure.as_dict() for failure in found.survey.failures],
    }


def run_report(result: RunResult) -> dict[str, Any]:
    """`run`."""
    return {
        "status": "completed" if result.stopped is None else "stopped",
        "reason": result.stopped,
        "resumed": result.resumed,
        "documents": result.documents,
        "converted": result.converted,
        "already_converted": result.already_converted,
        "null": result.null,
        "lossy": result.lossy,
        "errors": result.errors,
        "conflicts_retried": result.conflicts_retried,
        "passes": result.passes,
        "seconds": round(result.seconds, 3),
        "documents_per_second": round(result.documents / max(result.seconds, 1e-9)),
    }


def verify_report(
    found: Verification, journal: JournalCheck | None, documents_read: int | None
) -> dict[str, Any]:
    """`verify`."""
    report: dict[str, Any] = {
        "ok": found.ok,
        "documents": found.tally.total_documents,
        "values": found.tally.values_report() | {"lossy": found.lossy},
        "problems": [problem.as_dict() for problem in found.problems.first],
        "problem_count": found.problems.count,
        "recorded_errors": found.recorded_failures,
    }
    if journal is not None:
        report["journal"] = {"as_written": journal.as_written, "changed_since": journal.changed_since}
    if documents_read is not None:
        report["documents_read"] = documents_read
    return report


def status_report(found: Status) -> dict[str, Any]:
    """`status`."""
    applied = not found.pending and bool(found.record.applied)
    return {
        "applied": [DATETIME_MIGRATION] if applied else [],
        "pending": [DATETIME_MIGRATION] if found.pending else [],
        "phase": found.phase.value,
        "models": [
            {
                "name": model.name,
                "key_prefix": model.key_prefix,
                "applied": model in found.applied,
                "documents": entry.documents
                if (entry := found.record.applied.get(model.key_prefix))
                else None,
                "applied_ms": entry.at_ms if entry else None,
            }
            for model in (*found.applied, *found.pending)
        ],
        "errors": found.failures,
        "undoable": found.record.plan is not None,
        "recorded_elsewhere": found.recorded_elsewhere,
    }


def progress_report(found: Status) -> dict[str, Any]:
    """`progress`."""
    checkpoint = found.checkpoint
    report: dict[str, Any] = {"state": state_of(found), "done": 0, "total": 0}
    if checkpoint is not None:
        report |= _checkpoint(checkpoint)
    if found.lease is not None and report["state"] == "running":
        report |= {
            "holder": str(found.lease.holder),
            "held_seconds": (found.lease.now_ms - found.lease.since_ms) / 1e3,
        }
    return report | {"errors": found.failures}


def state_of(found: Status) -> str:
    """`none`, `running` while somebody holds the lease who is not gone for certain, or `interrupted`."""
    if found.lease is not None and not is_gone(found.lease.holder):
        return "running"
    return "none" if found.checkpoint is None else "interrupted"


def _checkpoint(checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "done": checkpoint.done,
        "total": checkpoint.total,
        "stage": checkpoint.stage.value,
        "pass": checkpoint.number,
        "generation": checkpoint.generation,
        "started_ms": checkpoint.started_ms,
        "saved_ms": checkpoint.saved_ms,
    }


def rollback_report(result: RollbackResult, *, dry_run: bool) -> dict[str, Any]:
    """`rollback`."""
    return {
        "status": _rollback_status(result, dry_run),
        "reason": result.stopped,
        "documents": result.documents,
        "restored_exactly": result.restored_exactly,
        "reformatted": result.reformatted,
        "kept": result.kept,
        "kept_values": [failure.as_dict() for failure in result.examples],
        "seconds": round(result.seconds, 3),
    }


def _rollback_status(result: RollbackResult, dry_run: bool) -> str:
    if result.nothing_to_do:
        return "nothing_to_do"
    if dry_run:
        return "dry_run"
    return "completed" if result.stopped is None else "stopped"
