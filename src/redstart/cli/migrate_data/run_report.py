"""What `run --json` prints: the same keys after a run, a dry run, and a run that did not begin."""

from collections.abc import Sequence
from typing import Any

from redstart.cli.indexes import blocking_report, forecast_report, result_report
from redstart.cli.migrate_data.reports import model_report
from redstart.migrations.data.converting.runner import RunResult
from redstart.migrations.data.counting.statistics import Statistics
from redstart.migrations.data.judging.convert import Outcome
from redstart.migrations.forward import Forward
from redstart.migrations.indexes.forecast import IndexForecast


def dry_run_report(
    found: Statistics,
    indexes: Sequence[IndexForecast],
    seconds: float,
    pending_files: Sequence[str],
    refusal: str | None,
) -> dict[str, Any]:
    """`run --dry-run`: the keys of `run`, with what would be done, and the evidence."""
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
        already_converted=found.total(Outcome.ALREADY),
        null=found.total(Outcome.NULL),
        lossy=found.total(Outcome.LOSSY),
        errors=found.total(Outcome.UNCONVERTIBLE),
        seconds=seconds,
        documents_per_second=found.documents / max(seconds, 1e-9),
        unmatched=[model.model.key_prefix for model in found.models if not model.documents],
    ) | {
        "models": models,
        "failures": [failure.as_dict() for failure in found.survey.failures],
        "index_estimates": [forecast_report(one) for one in indexes],
        "refusal": refusal,
        "pending_files": list(pending_files),
    }


def forward_report(found: Forward, pending_files: Sequence[str]) -> dict[str, Any]:
    """`run`."""
    return _data_report(found.data) | {
        "indexes": [result_report(one) for one in found.indexes],
        "blocking": blocking_report(found.blocking),
        "pending_files": list(pending_files),
    }


def _data_report(result: RunResult | None) -> dict[str, Any]:
    if result is None:
        return _run_keys(status="not_run", reason="an index that takes both forms would lose documents")
    return _run_keys(
        status="completed" if result.stopped is None else "stopped",
        reason=result.stopped,
        resumed=result.resumed,
        documents=result.documents,
        converted=result.converted,
        already_converted=result.already_converted,
        null=result.null,
        lossy=result.lossy,
        errors=result.errors,
        conflicts_retried=result.conflicts_retried,
        passes=result.passes,
        seconds=result.seconds,
        documents_per_second=rate_of(result),
        unmatched=result.unmatched,
    )


def not_run_report(pending_files: Sequence[str]) -> dict[str, Any]:
    """`run --limit 0`."""
    return _run_keys(status="not_run") | {"pending_files": list(pending_files)}


def rate_of(result: RunResult) -> float | None:
    """Documents per second; None where this process met only a part of the documents it would count."""
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
    already_converted: int = 0,
    null: int = 0,
    lossy: int = 0,
    errors: int = 0,
    conflicts_retried: int = 0,
    passes: int = 0,
    seconds: float = 0.0,
    documents_per_second: float | None = None,
    unmatched: Sequence[str] = (),
) -> dict[str, Any]:
    """The keys that `run` always has, whatever became of it."""
    rate = None if documents_per_second is None else round(documents_per_second)
    return {
        "status": status,
        "reason": reason,
        "resumed": resumed,
        "documents": documents,
        "converted": converted,
        "already_converted": already_converted,
        "null": null,
        "lossy": lossy,
        "errors": errors,
        "conflicts_retried": conflicts_retried,
        "passes": passes,
        "seconds": round(seconds, 3),
        "documents_per_second": rate,
        "unmatched_prefixes": list(unmatched),
        "indexes": [],
        "blocking": [],
    }
