"""Results of a run or rollback for programs: an error unless it is complete, and the counts of redis-om."""

from collections.abc import Iterable, Sequence
from typing import Any

from redstart.display import MAX_EXAMPLES_SHOWN
from redstart.errors import DataMigrationError
from redstart.migrations.coordinator import MigrationResult, RollbackResult
from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.data.run import RunResult
from redstart.migrations.failure import Failure
from redstart.migrations.indexes.coverage import Coverage
from redstart.migrations.indexes.expand import IndexOutcome
from redstart.migrations.state_keys import DATETIME_MIGRATION

MAX_ERRORS_SHOWN = 10
"""Failed values in the statistics; `om migrate-data errors` lists all."""


def unmatched_message(prefixes: Sequence[str]) -> str:
    """Return the message that no document has one of the key prefixes."""
    return f"0 documents matched the {'prefix' if len(prefixes) == 1 else 'prefixes'} {', '.join(prefixes)}."


def require_converted(found: MigrationResult, mode: FailureMode) -> None:
    """Raise DataMigrationError if the exit code of `om migrate-data run` would not be 0."""
    refused = [one for one in found.indexes if one.outcome is IndexOutcome.REFUSED]
    names = ", ".join(one.name for one in refused)
    if found.data is None:
        raise DataMigrationError(
            f"Nothing was converted: the dual-format index would drop documents: {names}"
            f"{_examples(one.membership for one in refused)}.",
            "Correct or delete these documents; then call up() again.",
        )
    if found.data.stopped is not None:
        again = "" if mode in (FailureMode.LOG_AND_SKIP, FailureMode.FAIL) else f" --failure-mode {mode}"
        raise DataMigrationError(
            f"Conversion stopped: {found.data.stopped}.",
            "Progress is saved. Resume with up(), or with: om migrate-data run" + again,
        )
    if refused:
        values = [failure for failures in found.blocking.values() for failure in failures]
        blocking = f"\nBlocking: {values[0]}" if values else ""
        raise DataMigrationError(
            f"Conversion complete; cutover refused: {names}. Documents would drop out of query results"
            f"{_examples(one.membership for one in refused)}.{blocking}",
            "List the failed values with: om migrate-data errors. Correct them, or call up() with failure_mode "
            "quarantine or default; or cut over without these documents: om migrate run --accept-unindexed",
        )


def require_undone(found: RollbackResult) -> None:
    """Raise DataMigrationError if the exit code of `om migrate-data rollback` would not be 0."""
    refused = [switched for switched in found.indexes.values() if not switched.done]
    names = ", ".join(found.refused)
    again = f"om migrate-data rollback {DATETIME_MIGRATION}"
    if found.data is None:
        raise DataMigrationError(
            "Rollback refused: the dual-format index would drop documents"
            f"{_examples(one.membership for one in refused)}.",
            "Correct these documents, and call down() again; or accept that queries miss them: "
            f"om migrate rollback --accept-unindexed, and then: {again}",
        )
    if found.data.stopped is not None:
        raise DataMigrationError(
            f"Rollback stopped: {found.data.stopped}.",
            f"Progress is saved. Resume with down(), or with: {again}",
        )
    kept = _counted(
        "Values left as numbers, because they have no text equivalent", found.data.kept, found.data.examples
    )
    kept += _counted("Values not restored", found.data.unrestored, found.data.unrestored_examples)
    if refused:
        raise DataMigrationError(
            f"Rollback complete, except for indexes: the previous ones would drop documents: {names}"
            f"{_examples(one.membership for one in refused)}.{kept}",
            "Correct these documents; then: om migrate rollback. Until then the dual-format indexes stay active.",
        )
    if kept:
        raise DataMigrationError(
            f"Rollback complete, except for some values.{kept}",
            "Write these values as text for the old version. Originals that were not restored stay on the server; list "
            "them with: om migrate-data errors",
        )
    if found.lacks_more_than_before:
        numbers = ", ".join(
            f"{name}: {one.missing:,} (before the migration {found.lacked_before[name]:,})"
            for name, one in found.lacking.items()
        )
        raise DataMigrationError(
            f"Rollback complete. Some documents are not in the previous indexes, so no query returns them: {numbers}"
            f"{_examples(found.lacking.values())}.",
            "Correct these documents; the server indexes them at once.",
        )


def statistics(result: RunResult | None, errors: Sequence[Failure]) -> dict[str, Any]:
    """Return the counts of a run under the names of redis-om.

    Args:
        result: None if no document was changed.
        errors: some of the recorded failures.
    """
    converted = 0 if result is None else result.converted
    failed = 0 if result is None else result.errors
    return {
        "processed_keys": 0 if result is None else result.documents,
        "converted_fields": converted,
        "skipped_fields": 0 if result is None else result.already_converted + result.null,
        "failed_conversions": failed,
        "error_count": failed,
        "success_rate": converted / max(1, converted + failed) * 100,
        "recent_errors": [
            {"key": one.key, "field": one.path, "value": one.value, "error": one.reason} for one in errors
        ],
    }


def _counted(title: str, count: int, examples: Sequence[Failure]) -> str:
    """Return a sentence with the number of values of a kind; empty if there are none."""
    first = f", such as {examples[0]}" if examples else ""
    return f" {title}: {count}{first}." if count else ""


def _examples(memberships: Iterable[Coverage | None]) -> str:
    """Return examples of documents that an index would drop, to be appended to a sentence."""
    keys = [key for one in memberships if one is not None for key in one.examples]
    if not keys:
        return ""
    return ", such as " + ", ".join(
        key.decode("utf-8", errors="backslashreplace") for key in keys[:MAX_EXAMPLES_SHOWN]
    )
