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
"""Short enough to see a gap, long enough not to be the load."""


class LiveReader:
    """Reads inside its `with` block, in a thread of its own.

    Args:
        connect: opens a connection of the reader's own.
        names: what queries call the indexes.

    Attributes:
        fewest: by name, the fewest documents that a query found.
        questions: how many queries were answered.
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
        """The sum of `fewest` over all indexes."""
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
    """Return how many documents a query for all of them finds."""
    reply = yield from call(ft_search(("FT.SEARCH", name, "*", "LIMIT", 0, 0, "DIALECT", 2), content=False))
    return reply.total
