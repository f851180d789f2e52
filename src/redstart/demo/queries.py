"""Queries by date as a user writes them in Python, and what they have to answer, from the sample's own instants."""

from collections.abc import Iterable
from datetime import UTC, datetime

from redstart.demo.sample import VISIT_PREFIX, SampleDocument

SPRING = (datetime(2023, 3, 1, tzinfo=UTC), datetime(2023, 6, 1, tzinfo=UTC))

CODE = """\
from datetime import UTC, datetime
from redstart.demo.models import Visit
begin, end = datetime(2023, 3, 1, tzinfo=UTC), datetime(2023, 6, 1, tzinfo=UTC)
spring = Visit.find(Visit.arrived_at >= begin, Visit.arrived_at < end)
first = spring.sort_by("arrived_at").first()
print("visits in all:", Visit.find().count())
print("in the spring of 2023:", spring.count())
print("the first of them:", first.visit_code, first.arrived_at.isoformat())
"""


def expected_answers(sample: Iterable[SampleDocument]) -> list[str]:
    """What CODE must print: a visit counts by the instant its text was made from."""
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
        f"visits in all: {len(visits)}",
        f"in the spring of 2023: {len(arrivals)}",
        f"the first of them: {code} {moment.isoformat()}",
    ]
