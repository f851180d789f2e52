"""A background reader: counts the documents of every index repeatedly during a migration."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from types import TracebackType
from typing import Protocol, TypeVar

from redstart.commands.search import ft_search
from redstart.demo.sample import VISIT_PREFIX, SampleDocument
from redstart.effects import Op, call
from redstart.errors import RedstartError

T = TypeVar("T")


class Driver(Protocol):
    """Performs operations: redstart.server.sync_driver.SyncDriver."""

    def run(self, operation: Op[T]) -> T:
        """Perform an operation and return its result."""
        ...


PAUSE_SECONDS = 0.02
"""Short enough to notice a gap, long enough to cause little load."""


class LiveReader:
    """A reader in a thread of its own, for the duration of a `with` block.

    Args:
        connect: opens a connection for the reader.
        names: the names of the indexes in queries.

    Attributes:
        fewest: by name, the fewest documents that a query found.
        questions: the number of queries answered.
        errors: the messages of queries that failed.
    """

    def __init__(self, connect: Callable[[], AbstractContextManager[Driver]], names: Sequence[str]) -> None:
        self.fewest: dict[str, int] = {}
        self.questions = 0
        self.errors: list[str] = []
        self._connect = connect
        self._names = names
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read, name="background reader", daemon=True)

    def __enter__(self) -> "LiveReader":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    @property
    def documents(self) -> int:
        """Return the sum of `fewest` over all indexes."""
        return sum(self.fewest.values())

    def _read(self) -> None:
        with self._connect() as driver:
            while not self._over.is_set():
                for name in self._names:
                    self._count(driver, name)
                time.sleep(PAUSE_SECONDS)

    def _count(self, driver: Driver, name: str) -> None:
        try:
            found = driver.run(count_all(name))
        except RedstartError as error:
            self.errors.append(str(error))
            return
        self.questions += 1
        self.fewest[name] = min(found, self.fewest.get(name, found))


def count_all(name: str) -> Op[int]:
    """Return the number of documents that a query for all documents finds."""
    reply = yield from call(ft_search(("FT.SEARCH", name, "*", "LIMIT", 0, 0, "DIALECT", 2), content=False))
    return reply.total


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
