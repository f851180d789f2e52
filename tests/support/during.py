"""`om` in this process, while something else happens at chosen requests."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from redstart.server.sync_driver import SyncDriver
from tests.support.cli import Ended, run_om
from tests.support.request_names import name_of


def om_during(words: tuple[str, ...], acts: Mapping[int, Callable[[], Any]]) -> tuple[Ended, list[str]]:
    """Run `om`, and do something before some of its requests.

    Args:
        acts: what is done, by the number of the request, from 1.

    Returns:
        How it ended, and the names of its requests.
    """
    names: list[str] = []
    send = SyncDriver.send

    def counted(driver: SyncDriver, request: Any) -> None:
        names.append(name_of(request))
        acts.get(len(names), int)()
        send(driver, request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SyncDriver, "send", counted)
        return run_om(*words), names
