"""Which versions of the application may run in which phase."""

from collections.abc import Mapping

from redstart.cli.output import line
from redstart.migrations.phase import MIGRATE_INDEXES, MigrationPhase, MigrationStatus
from redstart.next_steps import Command, Hint

STOP_BEFORE = (
    "Stop the old version before the cutover at the end of the run: documents that "
    "it writes later are not indexed."
)

GUIDANCE: Mapping[MigrationPhase, tuple[str | Hint, ...]] = {
    MigrationPhase.EXPANDED: (
        "Old and new versions may run side by side; the new one must not filter or sort by date yet.",
        STOP_BEFORE,
    ),
    MigrationPhase.MIGRATING: (
        "Old and new versions may run side by side; the new one must not filter or sort by date yet.",
        "Stop the old version before the cutover at the end of the run.",
    ),
    MigrationPhase.CUT_OVER: (
        "The new version may filter and sort by date. The old version must not write: its dates are not indexed.",
        Hint("When you no longer need to roll back, drop unused indexes with: ", Command("migrate cleanup")),
    ),
    MigrationPhase.CONTRACTED: (
        "The new version may filter and sort by date. The old version must not write: its dates are not indexed.",
    ),
    MigrationPhase.ROLLING_BACK: (
        "Disable queries by date now. Stop the new version before the rollback ends.",
    ),
}
"""Other phases do not restrict the versions."""

CUTOVER_PENDING: tuple[str | Hint, ...] = (
    "Queries still use the dual-format indexes, so no query loses documents.",
    Hint("Stop the old version, then cut over with: ", MIGRATE_INDEXES),
)

BEFORE_ROLLBACK = "Stop the new version first: it writes numbers."

AFTER_ROLLBACK = "You can start the old version now."


EMBEDDED_KEYS = (
    "Embedded documents that the new version saved have no pk. redis-om 0.x creates a new pk at each read."
)


def draw_phase_guidance(status: MigrationStatus) -> None:
    """Print which versions of the application may run now, and the command that completes the phase."""
    if status.is_cutover_pending:
        for text in CUTOVER_PENDING:
            line(text)
        return
    draw_phase(status.phase)
    if status.phase is MigrationPhase.ROLLING_BACK:
        line(Hint("Resume with: ", status.resume_command))


def draw_phase(phase: MigrationPhase) -> None:
    """Print which versions of the application may run in a phase."""
    for text in GUIDANCE.get(phase, ()):
        line(text)
