"""Failed values of a run, grouped by fate and cause."""

from redstart.cli.output import line
from redstart.cli.tables import next_step
from redstart.migrations.failure import Failure, FailureSummary, Fate
from redstart.next_steps import Command

FATES = {
    Fate.QUARANTINED: ("quarantined", "moved to <field>__invalid"),
    Fate.REPLACED: ("replaced by 0.0", "replaced by 0.0"),
    Fate.UNCHANGED: ("failed", "left unchanged"),
}
"""The label of a row in a result, and the fate of its values."""


EXAMPLE_LINES = 9
"""Examples of failures, of all reasons together, but at least one for each."""


def draw_failures(found: FailureSummary, *, would: bool = False, with_examples: bool = True) -> None:
    """Print how many values failed for each reason, with the first of them.

    Args:
        would: whether this is a prediction.
        with_examples: False if all of them are listed.
    """
    for fate, (_, what) in FATES.items():
        if not found.fates[fate]:
            continue
        line(f"Failed values, {'to be ' if would else ''}{what}: {found.fates[fate]:,}")
        groups = found.groups(fate)
        examples = max(1, EXAMPLE_LINES // len(groups))
        digits = max(len(f"{group.count:,}") for group in groups)
        for group in groups:
            margin = " " * (digits + 4)
            line(f"  {group.count:>{digits},}  {group.cause}")
            for failure in group.examples[:examples] if with_examples else ():
                line(f"{margin}{_place_and_value(failure)}")
        line("")


def draw_all_failures(found: FailureSummary) -> None:
    """Print a line for each failure, as far as they are kept."""
    for failure in found.first:
        line(f"failed: {failure}")
    if found.count > len(found.first):
        line(f"... {found.count - len(found.first):,} more")
    line("")


def draw_failures_hint() -> None:
    """Print how to list each failure of a run."""
    next_step("List each failed value with", Command("migrate-data errors"))


def _place_and_value(failure: Failure) -> str:
    place = failure.place
    return f"{place}: {failure.shown_value}" if failure.value else place
