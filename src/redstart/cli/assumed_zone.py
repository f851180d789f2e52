"""Warn that naive datetimes are interpreted as UTC."""

from redstart.cli.output import warn
from redstart.cli.session import Session
from redstart.values.timezones import local_time_is_utc, local_time_title
from redstart.values.types import TemporalKind

ASSUMED = (
    "Datetimes without an offset are interpreted as UTC, but local time is {}. redis-om 1.x stores local time. Set "
    "REDSTART_NAIVE_TIMEZONE before you convert or save anything: to a zone such as Europe/Berlin, to local, or (to "
    "silence this warning) to UTC."
)


def note_assumed_zone(session: Session) -> None:
    """Warn if no zone is set, local time is not UTC, and a model has datetimes."""
    if not session.zone_is_assumed or local_time_is_utc():
        return
    if any(path.kind is TemporalKind.DATETIME for model in session.plan.models for path in model.paths):
        warn(ASSUMED.format(local_time_title()))
