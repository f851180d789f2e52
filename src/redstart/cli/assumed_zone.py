"""What is told of datetimes without an offset where nobody said what they mean."""

from redstart.cli.output import note
from redstart.cli.session import Session
from redstart.values.kinds import TemporalKind
from redstart.values.timezones import local_time_is_utc, local_time_title

ASSUMED = (
    "Datetimes without an offset are taken for UTC, and the local time here is not UTC ({}). If the application wrote",
    "local time (redis-om 1.x always does), name its zone before anything is converted or saved, as",
    "REDSTART_NAIVE_TIMEZONE=Europe/Berlin, or local; if it wrote UTC, REDSTART_NAIVE_TIMEZONE=UTC ends this note.",
)


def note_assumed_zone(session: Session) -> None:
    """A note on stderr, where it matters: some model has datetimes, and here local time is not UTC."""
    if not session.zone_is_assumed or local_time_is_utc():
        return
    if any(path.kind is TemporalKind.DATETIME for model in session.plan.models for path in model.paths):
        for text in ASSUMED:
            note(text.format(local_time_title()))
