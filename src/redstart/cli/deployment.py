"""Which application may run in which phase: the order of deployment, said at each step."""

from redstart.cli.output import as_typed, line
from redstart.migrations.data.running.context import DATETIME_MIGRATION
from redstart.migrations.data.running.status import Phase

ORDER = {
    Phase.EXPANDED: (
        "The old application may go on, and the new one may start: it reads both forms. It must not query by date yet.",
        "Stop the old one before: om migrate-data run. The text it writes after the cut-over leaves the index.",
    ),
    Phase.MIGRATING: (
        "Documents are in both forms; the new application reads both. It must not query by date yet.",
        "The old application must have stopped before the cut-over at the end.",
    ),
    Phase.CUT_OVER: (
        "The new application may search and sort by date. The old one must not write: its text leaves the index.",
        "When there is no way back to be kept ready: om migrate cleanup",
    ),
    Phase.CONTRACTED: (
        "The new application may search and sort by date. The old one must not write: its text leaves the index.",
    ),
    Phase.ROLLING_BACK: (
        "Queries by date in the new form must have stopped, and the new application before the end.",
        f"Go on with: om migrate-data rollback {DATETIME_MIGRATION}",
    ),
}
"""Phases that are not here say nothing of applications."""

STOP_BEFORE = (
    "The old application must stop before the cut-over at the end: what it writes later leaves the index."
)

CUT_OVER_TO_COME = (
    "What could be converted is; an index that takes both forms serves still, and loses nothing.",
    "Stop the old application; then cut over, or see what is in the way, with: om migrate run",
)

AFTER_ROLLBACK = ("The old application may start. The new one must have stopped: it writes numbers.",)


EMBEDDED_KEYS = (
    "Embedded documents that the new application saved have no pk any more. redis-om 0.x makes one up each time it "
    "reads them."
)


def draw_order(phase: Phase, *, cut_over_to_come: bool = False) -> None:
    """What the applications may do now.

    Args:
        cut_over_to_come: whether the data is converted under an index that is not cut over.
    """
    said = CUT_OVER_TO_COME if cut_over_to_come else ORDER.get(phase, ())
    for text in said:
        line(as_typed(text))
