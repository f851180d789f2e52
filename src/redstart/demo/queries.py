"""Queries by date in Python, and the expected answers, computed from the instants of the sample."""

from collections.abc import Iterable
from datetime import UTC, datetime

from redstart.demo.sample import VISIT_PREFIX, SampleDocument

SPRING = (datetime(2023, 3, 1, tzinfo=UTC), datetime(2023, 6, 1, tzinfo=UTC))

CODE = """\
from datetime import UTC, datetime
from redstart.demo.models import Visit
march = datetime(2023, 3, 1, tzinfo=UTC)
june = datetime(2023, 6, 1, tzinfo=UTC)
spring = Visit.find(Visit.arrived_at >= march, Visit.arrived_at < june)
first = spring.sort_by("arrived_at").first()
print("visits:", Visit.find().count())
print("visits in spring 2023:", spring.count())
print("first of them:", first.visit_code, first.arrived_at.isoformat())
"""


def expected_answers(sample: Iterable[SampleDocument]) -> list[str]:
    """Return the lines that CODE must print, computed from the instants of the sample."""
    visits = [document for document in sample if document.key.startswith(VISIT_PREFIX.encode())]
    begin, end = (round(moment.timestamp() * 1_000_000) for moment in SPRING)
    arrivals = {
        document.key.decode().removeprefix(VISIT_PREFIX): instant
        for document in visits
        if isinstance(instant := document.expected[("arrived_at",)], int) and begin <= instant < end
    }
    code, first = min(arrivals.items(), key=lambda item: item[1])
    moment = datetime.fromtimestamp(first / 1_000_000, UTC)
    return [
        f"visits: {len(visits)}",
        f"visits in spring 2023: {len(arrivals)}",
        f"first of them: {code} {moment.isoformat()}",
    ]
