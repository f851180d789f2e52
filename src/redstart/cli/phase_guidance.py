"""Which versions of the application may run in which phase."""

from collections.abc import Mapping

from redstart.cli.output import line
from redstart.migrations.phase import MigrationPhase
from redstart.migrations.state_keys import DATETIME_MIGRATION
from redstart.next_steps import Command, Hint

GUIDANCE: Mapping[MigrationPhase, tuple[str | Hint, ...]] = {
    MigrationPhase.EXPANDED: (
        "Old and new versions may run side by side; the new one must not filter or sort by date yet.",
        Hint(
            "Stop the old version before you type: ",
            Command("migrate-data run"),
            ". Documents that it writes after the cutover are not indexed.",
        ),
    ),
    MigrationPhase.MIGRATING: (
        "Old and new versions may run side by side; the new one must not filter or sort by date yet.",
        "Stop the old version before the cutover at the end of the run.",
    ),
    MigrationPhase.CUT_OVER: (
        "The new version may filter and sort by date. The old version must not write: its dates are not indexed.",
        Hint("When you no longer need to roll back: ", Command("migrate cleanup")),
    ),
    MigrationPhase.CONTRACTED: (
        "The new version may filter and sort by date. The old version must not write: its dates are not indexed.",
    ),
    MigrationPhase.ROLLING_BACK: (
        "Stop queries by date now, and the new version before the rollback is complete.",
        Hint("Resume with: ", Command("migrate-data rollback", DATETIME_MIGRATION)),
    ),
}
"""Other phases do not restrict the versions."""

STOP_BEFORE = (
    "Stop the old version before the cutover at the end: documents that it writes later are not indexed."
)

CUTOVER_PENDING: tuple[str | Hint, ...] = (
    "All convertible values are converted. The dual-format index is still active, so no query loses documents.",
    Hint("Stop the old version; then cut over, or list the blocking values, with: ", Command("migrate run")),
)

AFTER_ROLLBACK = (
    "You can start the old version now. The new version must be stopped, because it writes numbers.",
)


EMBEDDED_KEYS = (
    "Embedded documents that the new version saved have no pk. redis-om 0.x creates a new pk at each read."
)


def draw_phase_guidance(phase: MigrationPhase, *, cut_over_to_come: bool = False) -> None:
    """Print which versions of the application may run now.

    Args:
        cut_over_to_come: whether the data is converted and the cutover is pending.
    """
    for text in CUTOVER_PENDING if cut_over_to_come else GUIDANCE.get(phase, ()):
        line(text)
