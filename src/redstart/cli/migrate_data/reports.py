"""The objects that `--json` prints.

Scripts rely on their keys: see docs/json.md.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from redstart.cli.index_report import index_estimate_report, result_report
from redstart.cli.output import error_text, rendered
from redstart.cli.redis_om_files import files_report
from redstart.cli.refused_cutover import blocked_report, blocking_report
from redstart.mapping.model_info import ModelDeclaration
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION
from redstart.migrations.data.results import DataRollbackResult, RunResult
from redstart.migrations.data.statistics import ModelStatistics, Statistics
from redstart.migrations.data.status import DataStatus
from redstart.migrations.failure import Failure
from redstart.migrations.files.redis_om_history import FilesStatus
from redstart.migrations.outcomes import NO_SUCH_INDEX, Refusal, StatusResult, VerificationResult
from redstart.migrations.outcomes import Outcome as MigrationOutcome
from redstart.migrations.run_progress import FileProgress, RunProgress
from redstart.migrations.run_results import DryRun, MigrationResult, RollbackResult
from redstart.migrations.transformation import Classification

VALUE_NAMES = {
    "convertible": Classification.CONVERTIBLE,
    "numeric": Classification.ALREADY,
    "null": Classification.NULL,
    "rounded": Classification.LOSSY,
    "unconvertible": Classification.UNCONVERTIBLE,
}
"""What the keys of `values` count."""


STATUS_OF_OUTCOME = {
    MigrationOutcome.DONE: "completed",
    MigrationOutcome.STOPPED: "stopped",
    MigrationOutcome.NOT_STARTED: "not_run",
    MigrationOutcome.NOTHING_TO_DO: "nothing_to_do",
    MigrationOutcome.DRY_RUN: "dry_run",
}
"""The `status` of a run or rollback, by its outcome for the documents."""


def refusal_text(refusal: Refusal | None) -> str | None:
    """Return the message and hint of a refused run, with commands as they were typed."""
    return None if refusal is None else error_text(refusal)


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


def verify_report(result: VerificationResult) -> dict[str, Any]:
    """Return the object of `verify`."""
    found, journal, model_check, indexes = result.data, result.undo_log, result.models, result.indexes
    return {
        "ok": result.is_ok,
        "documents": found.tally.total_documents,
        "values": {name: found.tally.total(outcome) for name, outcome in VALUE_NAMES.items()}
        | {"rounded": found.lossy},
        "problems": [shown_problem(problem).as_dict() for problem in found.problems.first],
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


def shown_problem(problem: Failure) -> Failure:
    """Return a problem; one that names a command names it as it was typed."""
    is_command = problem.reason == str(NO_SUCH_INDEX)
    return replace(problem, reason=rendered(NO_SUCH_INDEX)) if is_command else problem


def status_report(status: StatusResult, files: FilesStatus) -> dict[str, Any]:
    """Return the object of `status`."""
    found = status.data
    return {
        "applied": [DATETIME_MIGRATION] if found.is_applied else [],
        "pending": [DATETIME_MIGRATION] if found.pending else [],
        "phase": status.phase.value,
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
        "absent_indexes": status.absent,
        "rewritten_prefixes": [model.key_prefix for model in found.rewritten],
        "failed": found.failures,
        "undoable": found.record.plan is not None,
        "unrestored_documents": found.unrestored,
        "recorded_elsewhere": found.recorded_elsewhere,
        "files": files_report(files),
    }


def file_progress_report(found: FileProgress) -> dict[str, Any]:
    """Return the object of `progress` for a migration file."""
    report = progress_report(found.progress.status) | {"state": found.state.value}
    if found.lease is None:
        return report
    seconds = (found.lease.now_ms - found.lease.since_ms) / 1e3
    return report | {"lease_holder": str(found.lease.holder), "lease_seconds": seconds}


def progress_report(found: DataStatus) -> dict[str, Any]:
    """Return the object of `progress`."""
    progress = RunProgress(found)
    checkpoint = found.checkpoint
    lease = found.lease if progress.is_running else None
    return {
        "state": progress.state.value,
        "done": progress.done,
        "total": progress.total,
        "stage": "indexes"
        if progress.is_running and found.lease_is_of_indexes
        else checkpoint and checkpoint.stage.value,
        "activity": lease.activity.stage if lease and lease.activity else None,
        "pass": checkpoint.number if checkpoint else None,
        "generation": checkpoint.generation if checkpoint else None,
        "started_ms": checkpoint.started_ms if checkpoint else None,
        "saved_ms": checkpoint.saved_ms if checkpoint else None,
        "lease_holder": str(lease.holder) if lease else None,
        "lease_seconds": (lease.now_ms - lease.since_ms) / 1e3 if lease else None,
        "failed": found.failures,
        "migration": found.migration_id,
    }


def rollback_report(found: RollbackResult) -> dict[str, Any]:
    """Return the object of `rollback`."""
    result = found.data or DataRollbackResult(stopped="the dual-format index would drop documents")
    return {
        "status": STATUS_OF_OUTCOME[found.data_outcome],
        "reason": result.stopped,
        "documents": result.documents,
        "restored_exactly": result.restored_exactly,
        "rewritten_as_text": result.reformatted,
        "not_reversible": result.kept,
        "not_reversible_values": [failure.as_dict() for failure in result.examples],
        "unrestored": result.unrestored,
        "unrestored_values": [failure.as_dict() for failure in result.unrestored_examples],
        "stay_converted": result.without_undo_log,
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


def dry_run_report(result: DryRun, pending_files: Sequence[str]) -> dict[str, Any]:
    """Return the object of `run --dry-run`: the keys of `run`, what a run would do, and samples of values."""
    found = result.data
    samples = found.survey.samples
    models = [model_report(model) for model in found.models]
    for model in models:
        for field in model["fields"]:
            field["samples"] = [
                {"key": sample.key, "before": sample.before, "after": sample.after}
                for sample in samples.get((model["key_prefix"], field["path"]), [])
            ]
    return _run_keys(
        status=STATUS_OF_OUTCOME[result.outcome],
        documents=found.documents,
        converted=found.total(Classification.CONVERTIBLE),
        already_numeric=found.total(Classification.ALREADY),
        null=found.total(Classification.NULL),
        rounded=found.total(Classification.LOSSY),
        failed=found.total(Classification.UNCONVERTIBLE),
        seconds=result.seconds,
        documents_per_second=found.documents / max(result.seconds, 1e-9),
        unmatched=[model.model.key_prefix for model in found.models if not model.documents],
    ) | {
        "models": models,
        "failures": [failure.as_dict() for failure in found.survey.failures.first],
        "index_estimates": [index_estimate_report(one) for one in result.preflight.indexes],
        "refusal": refusal_text(result.refusal),
        **blocked_report(result.blocked),
        "applied_files": [],
        "pending_files": list(pending_files),
    }


def run_report(
    found: MigrationResult, pending_files: Sequence[str], applied_files: Sequence[str]
) -> dict[str, Any]:
    """Return the object of `run`.

    Args:
        pending_files: ids of the files that were pending before the run.
        applied_files: ids of those that it applied.
    """
    return _data_report(found) | {
        "indexes": [result_report(one) for one in found.indexes],
        "absent_indexes": found.absent,
        "blocking": blocking_report(found.blocking),
        "applied_files": list(applied_files),
        "pending_files": [name for name in pending_files if name not in applied_files],
    }


def _data_report(found: MigrationResult) -> dict[str, Any]:
    status, result = STATUS_OF_OUTCOME[found.data_outcome], found.data
    if result is None:
        return _run_keys(status=status, reason="the dual-format index would drop documents")
    return _run_keys(
        status=status,
        reason=result.stopped,
        resumed=result.resumed,
        documents=result.documents,
        converted=result.converted - result.lossy,
        already_numeric=result.already_converted,
        null=result.null,
        empty_removed=result.cleared,
        rounded=result.lossy,
        failed=result.errors,
        conflicts_retried=result.conflicts_retried,
        passes=result.passes,
        seconds=result.seconds,
        documents_per_second=rate_of(result),
        unmatched=result.unmatched,
        missing=result.missing,
    )


def not_run_report(pending_files: Sequence[str]) -> dict[str, Any]:
    """Return the object of `run --limit 0`."""
    return _run_keys(status="not_run") | {"applied_files": [], "pending_files": list(pending_files)}


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
    empty_removed: int = 0,
    rounded: int = 0,
    failed: int = 0,
    conflicts_retried: int = 0,
    passes: int = 0,
    seconds: float = 0.0,
    documents_per_second: float | None = None,
    unmatched: Sequence[str] = (),
    missing: int = 0,
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
        "empty_removed": empty_removed,
        "rounded": rounded,
        "failed": failed,
        "conflicts_retried": conflicts_retried,
        "passes": passes,
        "seconds": round(seconds, 3),
        "documents_per_second": rate,
        "unmatched_prefixes": list(unmatched),
        "missing_documents": missing,
        "indexes": [],
        "absent_indexes": [],
        "blocking": [],
    }
