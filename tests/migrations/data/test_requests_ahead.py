"""Work that is sent to the server ahead. Other clients wait for all of it: the server does it without a break."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
import redis

from redstart.effects import Op, Request, SendAhead
from redstart.mapping.value_paths import ValuePath
from redstart.migrations.data import applier
from redstart.migrations.data.plan import Plan, PlannedModel
from redstart.migrations.data.results import RunOptions
from redstart.migrations.data.run import run
from redstart.server.clients import open_like
from redstart.values.types import Storage, TemporalKind
from tests.support.migration import new_context
from tests.support.replies import send
from tests.support.stepping import performed_by

AT = ValuePath(("at",), TemporalKind.DATETIME, False)
PLANS = {storage: Plan((PlannedModel("Paced", "paced:", "", storage, (AT,)),)) for storage in Storage}
DOCUMENTS = 3_000


@dataclass
class Ahead:
    """Requests that were sent ahead, by kind.

    Attributes:
        sent: number of all.
        most: largest number of those without a reply at one time.
    """

    sent: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)


def watched(operation: Op[Any], script: str, ahead: Ahead) -> Op[Any]:
    """Pass requests and replies on, and count the requests that are sent ahead."""
    waiting: dict[int, str] = {}

    def perform(request: Request) -> Op[Any]:
        waiting.pop(id(request), None)
        reply = yield request
        if isinstance(request, SendAhead):
            kind = kind_of(request, script)
            waiting[id(reply)] = kind
            ahead.sent[kind] += 1
            ahead.most |= Counter(waiting.values())
        return reply

    return performed_by(operation, perform)


def kind_of(ahead: SendAhead, script: str) -> str:
    """Return what a request is: the script that writes, reads of documents, or another one."""
    words: Any = getattr(ahead.request, "args", ())
    if words[:2] == ("EVALSHA", script):
        return "writes"
    return "reads" if not words else "others"


@pytest.mark.parametrize("storage", Storage)
def test_two_pages_of_one_script_each(
    client: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch, storage: Storage
) -> None:
    """A run sends a page while the one before is written, and each page is as large as one script."""
    monkeypatch.setattr(applier, "SCRIPT_TARGET_MICROSECONDS", 10**9)  # the same sizes on every machine
    send(client, [document(storage, number) for number in range(DOCUMENTS)])
    ahead = Ahead()
    with open_like(client) as driver:
        operation = run(new_context(), PLANS[storage], RunOptions())
        result = driver.run(watched(operation, applier._script().sha1, ahead))

    assert result.converted == DOCUMENTS
    assert ahead.most["writes"] == 2
    assert ahead.most["reads"] <= 2


def test_large_pages_without_writes(client: redis.Redis, url: str) -> None:
    """A pass that finds nothing to convert reads more documents at once than a script converts."""
    send(client, [("HSET", f"paced:{number}", "at", f"{number}.0") for number in range(DOCUMENTS)])
    ahead = Ahead()
    with open_like(client) as driver:
        operation = run(new_context(), PLANS[Storage.HASH], RunOptions())
        result = driver.run(watched(operation, applier._script().sha1, ahead))

    assert (result.documents, result.converted) == (DOCUMENTS, 0)
    assert ahead.sent["writes"] == 0
    assert ahead.sent["reads"] < DOCUMENTS / (5 * applier.FIRST_DOCUMENTS)


def document(storage: Storage, number: int) -> tuple[str, ...]:
    text = f"2024-05-{number % 28 + 1:02}T10:00:00"
    if storage is Storage.HASH:
        return "HSET", f"paced:{number}", "at", text
    return "JSON.SET", f"paced:{number}", "$", f'{{"at":"{text}"}}'
