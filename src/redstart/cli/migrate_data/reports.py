"""The objects that `--json` prints; that of `run` is in run_report.py.

Scripts rely on their keys: see docs/json.md.
"""

from collections.abc import Sequence
from typing import Any

from redstart.cli.index_report import blocking_report, forecast_report, result_report
from redstart.cli.migration_files import files_report
from redstart.mapping.model_info import ModelDeclaration
from redstart.migrations.coordinator import MigrationResult, RollbackResult
from redstart.migrations.data.rollback import DataRollbackResult
from redstart.migrations.data.run import RunResult
from redstart.migrations.data.statistics import ModelStatistics, Statistics
from redstart.migrations.data.status import Status
from redstart.migrations.data.verify import JournalCheck, Verification
from redstart.migrations.files.history import FilesStatus
from redstart.migrations.holder import is_gone
from redstart.migrations.indexes.coverage import IndexCheck
from redstart.migrations.indexes.preflight import IndexEstimate
from redstart.migrations.model_check import ModelCheck
from redstart.migrations.state_keys import DATETIME_MIGRATION
from redstart.migrations.transformation import Outcome

VALUE_NAMES = {
    "convertible": Outcome.CONVERTIBLE,
    "numeric": Outcome.ALREADY,
    "null": Outcome.NULL,
    "rounded": Outcome.LOSSY,
    "unconvertible": Outcome.UNCONVERTIBLE,
}
"""What the keys of `values` count."""


def stats_report(found: Statistics, declarations: Sequence[ModelDeclaration]) -> dict[str, Any]:
    """Return the object of `stats`."""
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
        "models": [model_report(model) for model in found.models],
        "foreign_keys": found.foreign,
        "server": {
            "version": facts.version,
            "last_save_seconds": facts.last_save_seconds,
            "append_only": facts.append_only,
            "replicas": facts.replicas,
            "used_bytes": facts.used_bytes,
            "free_bytes": facts.free_bytes,
            "maxmemory_policy": facts.policy,
        },
        "unplanned": unplanned_fields(declarations),
    }


def unplanned_fields(declarations: Sequence[ModelDeclaration]) -> list[dict[str, str]]:
    """Return the fields that mention dates and are not converted, with the reasons."""
    return [
        {"model": declaration.name, "path": unplanned.path, "reason": unplanned.reason}
        for declaration in declarations
        for unplanned in declaration.paths.unplanned
    ]


def model_report(model: ModelStatistics) -> dict[str, Any]:
    """Return one of the `models` of `stats` and of a dry run."""
    return {
        "name": model.model.name,
        "key_prefix": model.model.key_prefix,
        "storage": model.model.storage.value,
        "documents": model.documents,
        "fields": [
            {
                "path": str(field.path),
                "kind": str(field.path.kind),
                "values": {name: field.values[outcome] for name, outcome in VALUE_NAMES.items()},
            }
            for field in model.fields
        ],
    }


def verify_report(
    found: Verification,
    journal: JournalCheck | None,
    model_check: ModelCheck | None,
    indexes: Sequence[IndexCheck],
) -> dict[str, Any]:
    """`verify`."""
    return {
        "ok": found.ok,
        "documents": found.tally.total_documents,
        "values": {name: found.tally.total(outcome) for name, outcome in VALUE_NAMES.items()}
        | {"rounded": found.lossy},
        "problems": [problem.as_dict() for problem in found.problems.first],
        "problem_count": found.problems.count,
        "recorded_failures": found.recorded_failures,
        "undo_log": None
        if journal is None
        else {
            "unchanged": journal.as_written,
            "changed_since": journal.changed_since,
            "documents": journal.documents.total(),
            "deleted": journal.deleted.total(),
        },
        "documents_read": None if model_check is None else model_check.read,
        "unreadable": None if model_check is None else model_check.unreadable,
        "undeclared_fields": None
        if model_check is None
        else [
            {"model": model, "field": field, "documents": count}
            for (model, field), count in sorted(model_check.undeclared.items())
        ],
        "unnamed": [{"name": one.name, "key_prefix": one.key_prefix} for one in found.unnamed],
        "indexes": [
            {
                "index": one.name,
                "is_active": one.serves,
                "documents": one.documents,
                "missing": one.missing,
                "accepted": one.accepted,
                "has_filter": one.has_filter,
            }
            for one in indexes
        ],
    }


def status_report(found: Status, files: FilesStatus) -> dict[str, Any]:
    """`status`."""
    return {
        "applied": [DATETIME_MIGRATION] if found.is_applied else [],
        "pending": [DATETIME_MIGRATION] if found.pending else [],
        "phase": found.phase.value,
        "models": [
            {
                "name": model.name,
                "key_prefix": model.key_prefix,
                "applied": model in found.applied,
                "named": model not in found.unnamed,
                "documents": entry.documents
                if (entry := found.record.applied.get(model.key_prefix))
                else None,
                "applied_ms": entry.at_ms if entry else None,
            }
            for model in (*found.applied, *found.pending)
        ],
        "unmatched_prefixes": found.unmatched,
        "rewritten_prefixes": [model.key_prefix for model in found.rewritten],
        "failed": found.failures,
        "undoable": found.record.plan is not None,
        "unrestored_documents": found.unrestored,
        "recorded_elsewhere": found.recorded_elsewhere,
        "files": files_report(files),
    }


def progress_report(found: Status) -> dict[str, Any]:
    """Return the object of `progress`."""
    checkpoint, running = found.checkpoint, state_of(found) == "running"
    lease = found.lease if running else None
    done, total = how_far(found)
    return {
        "state": state_of(found),
        "done": done,
        "total": total,
        "stage": "indexes"
        if running and found.lease_is_of_indexes
        else checkpoint and checkpoint.stage.value,
        "activity": lease.activity.stage if lease and lease.activity else None,
        "pass": checkpoint.number if checkpoint else None,
        "generation": checkpoint.generation if checkpoint else None,
        "started_ms": checkpoint.started_ms if checkpoint else None,
        "saved_ms": checkpoint.saved_ms if checkpoint else None,
        "lease_holder": str(lease.holder) if lease else None,
        "lease_seconds": (lease.now_ms - lease.since_ms) / 1e3 if lease else None,
        "failed": found.failures,
    }


def how_far(found: Status) -> tuple[int, int]:
    """Return how much of the present stage is done, and its total: 0 while unknown, else at least what is done."""
    activity = found.lease.activity if found.lease is not None and state_of(found) == "running" else None
    if activity is not None and (activity.done or found.lease_is_of_indexes):
        done, total = activity.done, activity.total
    elif found.checkpoint is not None:
        done, total = found.checkpoint.met, found.checkpoint.total
    else:
        return 0, 0
    return done, max(done, total) if total else 0


def state_of(found: Status) -> str:
    """Return `running` while a process that may be alive holds the lease; else `none`, or `interrupted`."""
    if found.lease is not None and not is_gone(found.lease.holder):
        return "running"
    return "none" if found.checkpoint is None else "interrupted"


def rollback_report(found: RollbackResult, *, dry_run: bool) -> dict[str, Any]:
    """`rollback`."""
    result = found.data or DataRollbackResult(stopped="the dual-format index would drop documents")
    return {
        "status": "not_run" if found.data is None else _rollback_status(result, dry_run),
        "reason": result.stopped,
        "documents": result.documents,
        "restored_exactly": result.restored_exactly,
        "rewritten_as_text": result.reformatted,
        "not_reversible": result.kept,
        "not_reversible_values": [failure.as_dict() for failure in result.examples],
        "unrestored": result.unrestored,
        "unrestored_values": [failure.as_dict() for failure in result.unrestored_examples],
        "preexisting_numbers": result.preexisting_numbers,
        "preexisting_values": [failure.as_dict() for failure in result.number_examples],
        "seconds": round(result.seconds, 3),
        "indexes": [
            {
                "index": name,
                "done": one.done,
                "missing": found.lacking[name].missing if name in found.lacking else 0,
                "missing_before": found.lacked_before.get(name),
            }
            for name, one in found.indexes.items()
        ],
    }


def _rollback_status(result: DataRollbackResult, dry_run: bool) -> str:
    if result.nothing_to_do:
        return "nothing_to_do"
    if dry_run:
        return "dry_run"
    return "completed" if result.stopped is None else "stopped"


def dry_run_report(
    found: Statistics,
    indexes: Sequence[IndexEstimate],
    seconds: float,
    pending_files: Sequence[str],
    refusal: str | None,
) -> dict[str, Any]:
    """Return the object of `run --dry-run`: the keys of `run`, what a run would do, and samples of values."""
    samples = found.survey.samples
    models = [model_report(model) for model in found.models]
    for model in models:
        for field in model["fields"]:
            field["samples"] = [
                {"key": sample.key, "before": sample.before, "after": sample.after}
                for sample in samples.get((model["key_prefix"], field["path"]), [])
            ]
    return _run_keys(
        status="dry_run",
        documents=found.documents,
        converted=found.total(Outcome.CONVERTIBLE),
        already_numeric=found.total(Outcome.ALREADY),
        null=found.total(Outcome.NULL),
        rounded=found.total(Outcome.LOSSY),
        failed=found.total(Outcome.UNCONVERTIBLE),
        seconds=seconds,
        documents_per_second=found.documents / max(seconds, 1e-9),
        unmatched=[model.model.key_prefix for model in found.models if not model.documents],
    ) | {
        "models": models,
        "failures": [failure.as_dict() for failure in found.survey.failures.first],
        "index_estimates": [forecast_report(one) for one in indexes],
        "refusal": refusal,
        "pending_files": list(pending_files),
    }


def run_report(found: MigrationResult, pending_files: Sequence[str]) -> dict[str, Any]:
    """Return the object of `run`."""
    return _data_report(found.data) | {
        "indexes": [result_report(one) for one in found.indexes],
        "blocking": blocking_report(found.blocking),
        "pending_files": list(pending_files),
    }


def _data_report(result: RunResult | None) -> dict[str, Any]:
    if result is None:
        return _run_keys(status="not_run", reason="the dual-format index would drop documents")
    return _run_keys(
        status="completed" if result.stopped is None else "stopped",
        reason=result.stopped,
        resumed=result.resumed,
        documents=result.documents,
        converted=result.converted - result.lossy,
        already_numeric=result.already_converted,
        null=result.null,
        rounded=result.lossy,
        failed=result.errors,
        conflicts_retried=result.conflicts_retried,
        passes=result.passes,
        seconds=result.seconds,
        documents_per_second=rate_of(result),
        unmatched=result.unmatched,
    )


def not_run_report(pending_files: Sequence[str]) -> dict[str, Any]:
    """Return the object of `run --limit 0`."""
    return _run_keys(status="not_run") | {"pending_files": list(pending_files)}


def rate_of(result: RunResult) -> float | None:
    """Return documents per second; None if this process scanned only a part of the documents."""
    if result.resumed or result.stopped is not None:
        return None
    return result.documents / max(result.seconds, 1e-9)


def _run_keys(
    *,
    status: str,
    reason: str | None = None,
    resumed: bool = False,
    documents: int = 0,
    converted: int = 0,
    already_numeric: int = 0,
    null: int = 0,
    rounded: int = 0,
    failed: int = 0,
    conflicts_retried: int = 0,
    passes: int = 0,
    seconds: float = 0.0,
    documents_per_second: float | None = None,
    unmatched: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the keys that every result of `run` has."""
    rate = None if documents_per_second is None else round(documents_per_second)
    return {
        "status": status,
        "reason": reason,
        "resumed": resumed,
        "documents": documents,
        "converted": converted,
        "already_numeric": already_numeric,
        "null": null,
        "rounded": rounded,
        "failed": failed,
        "conflicts_retried": conflicts_retried,
        "passes": passes,
        "seconds": round(seconds, 3),
        "documents_per_second": rate,
        "unmatched_prefixes": list(unmatched),
        "indexes": [],
        "blocking": [],
    }
