"""The object of `run --json`: the same keys for a run, a dry run, and a run that did not start."""

from collections.abc import Sequence
from typing import Any

from redstart.cli.index_report import blocking_report, forecast_report, result_report
from redstart.cli.migrate_data.reports import model_report
from redstart.migrations.coordinator import Forward
from redstart.migrations.data.converter import Outcome
from redstart.migrations.data.run import RunResult
from redstart.migrations.data.statistics import Statistics
from redstart.migrations.indexes.preflight import IndexForecast


def dry_run_report(
    found: Statistics,
    indexes: Sequence[IndexForecast],
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


def forward_report(found: Forward, pending_files: Sequence[str]) -> dict[str, Any]:
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
