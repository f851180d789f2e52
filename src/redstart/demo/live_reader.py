"""A background reader: counts the documents of every index repeatedly during a migration."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from types import TracebackType

from redstart.commands.search import ft_search
from redstart.demo.kill import Driver
from redstart.effects import Op, call
from redstart.errors import RedstartError

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
