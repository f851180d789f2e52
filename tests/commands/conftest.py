"""Commands are sent to a real server, in both protocols."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from redstart.effects import Call, call
from redstart.server.clients import open_sync

Ask = Callable[[Call[Any]], Any]


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def ask(request: pytest.FixtureRequest, url: str) -> Iterator[Ask]:
    """Performs one call on the server, which is empty when the test begins."""
    with open_sync(f"{url}?protocol={request.param}") as driver:
        yield lambda request: driver.run(call(request))
