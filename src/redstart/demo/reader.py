"""A live reader: asks every index how many documents it finds, again and again, while others migrate."""

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
"""It is to look, not to be the load."""


class LiveReader:
    """Looks from `with` on, in a thread of its own.

    Args:
        connect: opens a connection of the reader's own.
        names: what queries call the indexes.

    Attributes:
        fewest: by name, the fewest documents that a query found.
        questions: how many queries were answered.
        errors: what others said.
    """

    def __init__(self, connect: Callable[[], AbstractContextManager[Driver]], names: Sequence[str]) -> None:
        self.fewest: dict[str, int] = {}
        self.questions = 0
        self.errors: list[str] = []
        self._connect = connect
        self._names = names
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="live reader", daemon=True)

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
        """The fewest that were found, of all indexes together."""
        return sum(self.fewest.values())

    def _look(self) -> None:
        with self._connect() as driver:
            while not self._over.is_set():
                for name in self._names:
                    self._ask(driver, name)
                time.sleep(PAUSE_SECONDS)

    def _ask(self, driver: Driver, name: str) -> None:
        try:
            found = driver.run(count_all(name))
        except RedstartError as error:
            self.errors.append(str(error))
            return
        self.questions += 1
        self.fewest[name] = min(found, self.fewest.get(name, found))


def count_all(name: str) -> Op[int]:
    """How many documents a query for all of them finds."""
    reply = yield from call(ft_search(("FT.SEARCH", name, "*", "LIMIT", 0, 0, "DIALECT", 2), content=False))
    return reply.total
