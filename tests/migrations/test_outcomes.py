"""What a program is told where a run or rollback is not done."""

from dataclasses import replace
from typing import Any

import pytest

from redstart.aio.data_migrations import statistics
from redstart.errors import DataMigrationError
from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.data.failures import failure_at
from redstart.migrations.data.results import DataRollbackResult, RunResult
from redstart.migrations.indexes.coverage import Coverage
from redstart.migrations.indexes.expand import IndexOutcome, IndexResult
from redstart.migrations.indexes.swap import CutoverResult
from redstart.migrations.outcomes import Outcome
from redstart.migrations.run_results import MigrationResult, RollbackResult

LOST = Coverage(documents=9, missing=5, missing_from_both=0, examples=[b"a:1", b"a:\xff", b"a:3", b"a:4"])
REFUSED = IndexResult("a:index", "A", IndexOutcome.REFUSED, LOST)
SERVES = IndexResult("b:index", "B", IndexOutcome.CUT_OVER)
EXAMPLES = r"such as a:1, a:\xff, a:3."


def ran(**changes: Any) -> RunResult:
    counts = {
        **dict.fromkeys(("documents", "converted", "already_converted", "null", "lossy", "errors"), 0),
        **dict.fromkeys(("conflicts_retried", "passes", "without_undo_log"), 0),
    }
    return RunResult(
        **{"stopped": None, "resumed": False, "undoable": True, "seconds": 1.0} | counts | changes
    )


def said(found: MigrationResult, mode: FailureMode = FailureMode.LOG_AND_SKIP) -> tuple[str, str | None]:
    with pytest.raises(DataMigrationError) as raised:
        replace(found, failure_mode=mode).raise_for_outcome()
    return raised.value.message, raised.value.hint


def rolled_back(*found: Any) -> RollbackResult:
    return RollbackResult(*found, migration_id="002_other")


def said_of(found: RollbackResult) -> str:
    with pytest.raises(DataMigrationError) as raised:
        found.raise_for_outcome()
    return raised.value.message


def test_what_is_done_is_no_error() -> None:
    for found in (
        MigrationResult(ran()),
        MigrationResult(ran(errors=3), [SERVES]),
        rolled_back(DataRollbackResult()),
        rolled_back(DataRollbackResult(nothing_to_do=True)),
        rolled_back(DataRollbackResult(preexisting_numbers=3), {"a": CutoverResult(LOST, True)}),
    ):
        found.raise_for_outcome()


def test_nothing_was_converted() -> None:
    message, _ = said(MigrationResult(None, [SERVES, REFUSED]))
    assert message.startswith("Nothing was converted: ")
    assert message.endswith(EXAMPLES)
    assert "a:index" in message
    assert said(MigrationResult(None, [IndexResult("a:index", "A", IndexOutcome.REFUSED)]))[0].endswith(
        "documents: a:index."
    )


@pytest.mark.parametrize("mode", FailureMode)
def test_a_stop_says_how_to_go_on(mode: FailureMode) -> None:
    message, hint = said(MigrationResult(ran(stopped="--max-errors 10 reached")), mode)
    assert message == "Conversion stopped: --max-errors 10 reached."
    usual = mode in (FailureMode.LOG_AND_SKIP, FailureMode.FAIL)
    assert str(hint).endswith("om migrate-data run" if usual else f"run --failure-mode {mode.value}")


def test_documents_that_have_disappeared_are_not_a_stop_to_resume() -> None:
    data = ran(
        stopped="all 2 documents of the initial scan under a: disappeared during the run",
        disappeared={"a:": 2},
    )
    assert MigrationResult(data).outcome is Outcome.PROBLEMS_FOUND
    message, hint = said(MigrationResult(data))
    assert (
        message
        == "Conversion stopped: all 2 documents of the initial scan under a: disappeared during the run."
    )
    assert "om migrate-data clear-progress" in str(hint)


def test_a_refused_cutover_names_the_blocking_values() -> None:
    blocking = {
        "a:index": [failure_at(b"a:1", "at", b"never", "not a date"), failure_at(b"a:3", "at", b"", "empty")]
    }
    message, _ = said(MigrationResult(ran(), [SERVES, REFUSED], blocking))
    assert EXAMPLES in message
    assert message.endswith("\nBlocking: a:1 at: not a date: never")
    assert "b:index" not in message
    assert "\n" not in said(MigrationResult(ran(), [REFUSED]))[0]


def test_a_rollback_that_is_not_whole() -> None:
    refused = {"a:index": CutoverResult(LOST, False), "b:index": CutoverResult(None, True)}
    kept = DataRollbackResult(kept=2, examples=[failure_at(b"a:9", "at", b"1", "no old form")])
    assert said_of(rolled_back(None, refused)).startswith("Rollback refused: ")
    assert said_of(rolled_back(DataRollbackResult(stopped="interrupted"))) == "Rollback stopped: interrupted."
    both = said_of(rolled_back(kept, refused))
    assert (EXAMPLES in both, "b:index" in both, "not reversible: 2, such as a:9 at" in both) == (
        True,
        False,
        True,
    )
    assert "stay converted" not in said_of(rolled_back(DataRollbackResult(), refused))
    assert said_of(rolled_back(kept)).startswith(
        "Rollback complete, except for some values. Values that stay converted"
    )
    assert said_of(rolled_back(DataRollbackResult(kept=2))).endswith("not reversible: 2.")


def test_numbers() -> None:
    found = statistics(ran(documents=5, converted=6, lossy=1, already_converted=2, null=1, errors=2), [])
    assert found == {
        "processed_keys": 5,
        "converted_fields": 6,
        "skipped_fields": 3,
        "failed_conversions": 2,
        "error_count": 2,
        "success_rate": 75.0,
        "recent_errors": [],
    }
    assert statistics(None, [])["success_rate"] == 0
    (error,) = statistics(None, [failure_at(b"k", "p", b"v", "r")])["recent_errors"]
    assert error == {"key": "k", "field": "p", "value": "v", "error": "r"}
