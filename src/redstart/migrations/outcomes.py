"""What became of a run or rollback that a program asked for: an error where it is not done, and redis-om's numbers."""

from collections.abc import Iterable, Sequence
from typing import Any

from redstart.errors import DataMigrationError
from redstart.migrations.back import Back
from redstart.migrations.data.converting.runner import RunResult
from redstart.migrations.data.judging.transform import FailureMode
from redstart.migrations.data.running.context import DATETIME_MIGRATION
from redstart.migrations.data.state.failures import Failure
from redstart.migrations.forward import Forward
from redstart.migrations.indexes.expand import IndexState
from redstart.migrations.indexes.prove import Membership

ERRORS_SAID = 10
"""Of values that did not convert; `om migrate-data errors` lists all."""

_EXAMPLES_SAID = 3


def unmatched_message(prefixes: Sequence[str]) -> str:
    """That models have no document under their key prefixes."""
    return f"0 documents matched the {'prefix' if len(prefixes) == 1 else 'prefixes'} {', '.join(prefixes)}."


def require_converted(found: Forward, mode: FailureMode) -> None:
    """Raises DataMigrationError where `om migrate-data run` would end with another exit code than 0."""
    refused = [one for one in found.indexes if one.state is IndexState.REFUSED]
    names = ", ".join(one.name for one in refused)
    if found.data is None:
        raise DataMigrationError(
            "Nothing was converted: an index that takes dates in both forms would lose documents"
            f"{_examples(one.membership for one in refused)}.",
            f"Correct or delete these documents; then call up() again. The index: {names}",
        )
    if found.data.stopped is not None:
        again = "" if mode in (FailureMode.LOG_AND_SKIP, FailureMode.FAIL) else f" --failure-mode {mode}"
        raise DataMigrationError(
            f"Not all is converted: {found.data.stopped}.",
            "The progress is saved. Continue with up(), or with: om migrate-data run" + again,
        )
    if refused:
        in_the_way = [failure for failures in found.blocking.values() for failure in failures]
        said = f"\nIn the way: {in_the_way[0]}" if in_the_way else ""
        raise DataMigrationError(
            f"The data is converted, but not cut over: {names}. Documents that are found now would not be found"
            f"{_examples(one.membership for one in refused)}.{said}",
            "List the values that did not convert with: om migrate-data errors. Correct them, or call up() "
            "with failure_mode quarantine or default; or leave the documents out of the index: "
            "om migrate run --accept-unindexed",
        )


def require_undone(found: Back) -> None:
    """Raises DataMigrationError where `om migrate-data rollback` would end with another exit code than 0."""
    refused = [switched for switched in found.indexes.values() if not switched.done]
    names = ", ".join(found.refused)
    again = f"om migrate-data rollback {DATETIME_MIGRATION}"
    if found.data is None:
        raise DataMigrationError(
            "Nothing was undone: an index to go back to does not accept some documents"
            f"{_examples(one.membership for one in refused)}.",
            "Correct them, and call down() again; or let queries miss them: om migrate rollback --accept-unindexed, "
            f"and then: {again}",
        )
    if found.data.stopped is not None:
        raise DataMigrationError(
            f"Not all is undone: {found.data.stopped}.",
            f"The progress is saved. Continue with down(), or with: {again}",
        )
    kept = _counted(
        "Values that have no old form, and stay as they are", found.data.kept, found.data.examples
    )
    kept += _counted("Values not restored", found.data.unrestored, found.data.unrestored_examples)
    if refused:
        raise DataMigrationError(
            f"The data is undone, but the previous indexes would lose documents: {names}"
            f"{_examples(one.membership for one in refused)}.{kept}",
            "Correct these documents; then: om migrate rollback. Until then the indexes that accept both formats stay "
            "active.",
        )
    if kept:
        raise DataMigrationError(
            f"The rollback is done.{kept}",
            "Everything else is as before the run. Write these values as text that the old application reads. "
            "Originals that are not restored stay on the server; list them with: om migrate-data errors",
        )
    if found.lacks_more_than_before:
        numbers = ", ".join(
            f"{name}: {one.missing:,} (before the migration {found.lacked_before[name]:,})"
            for name, one in found.lacking.items()
        )
        raise DataMigrationError(
            f"The rollback is done. The old indexes do not accept some documents, which no query finds: {numbers}"
            f"{_examples(found.lacking.values())}.",
            "Correct these documents, and they are indexed at once.",
        )


def statistics(result: RunResult | None, errors: Sequence[Failure]) -> dict[str, Any]:
    """The counts of a run, under redis-om's names.

    Args:
        result: None where no document was touched.
        errors: some that are on record.
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
    """How many values there are of a kind, as a sentence; nothing where there are none."""
    first = f", as {examples[0]}" if examples else ""
    return f" {title}: {count}{first}." if count else ""


def _examples(memberships: Iterable[Membership | None]) -> str:
    """Some of the documents that an index would lose, to be put behind a sentence."""
    keys = [key for one in memberships if one is not None for key in one.examples]
    if not keys:
        return ""
    return ", as " + ", ".join(
        key.decode("utf-8", errors="backslashreplace") for key in keys[:_EXAMPLES_SAID]
    )
