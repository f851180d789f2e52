"""Work that is sent to the server ahead. Other clients wait for all of it: the server does it without a break."""

from typing import Any

import pytest
import redis

from redstart.effects import Op, SendAhead
from redstart.errors import CommandError
from redstart.mapping.value_paths import ValuePath
from redstart.migrations.data import applier
from redstart.migrations.data.plan import Plan, PlannedModel
from redstart.migrations.data.results import RunOptions
from redstart.migrations.data.run import run
from redstart.server.clients import open_like
from redstart.values.types import Storage, TemporalKind
from tests.support.migration import new_context
from tests.support.replies import send

AT = ValuePath(("at",), TemporalKind.DATETIME, False)
PLANS = {storage: Plan((PlannedModel("Paced", "paced:", "", storage, (AT,)),)) for storage in Storage}
DOCUMENTS = 3_000


def most_ahead(operation: Op[Any], script: str, most: dict[str, int]) -> Op[Any]:
    """Pass requests and replies on, and note how many requests were without a reply at most, of each kind."""
    waiting: dict[int, str] = {}
    reply: Any = None
    error: Exception | None = None
    while True:
        try:
            request = operation.send(reply) if error is None else operation.throw(error)
        except StopIteration as end:
            return end.value
        waiting.pop(id(request), None)
        reply, error = None, None
        try:
            reply = yield request
        except CommandError as raised:
            error = raised
        if isinstance(request, SendAhead):
            waiting[id(reply)] = kind_of(request, script)
            for kind in set(waiting.values()):
                most[kind] = max(most.get(kind, 0), list(waiting.values()).count(kind))


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
    most: dict[str, int] = {}
    with open_like(client) as driver:
        operation = run(new_context(), PLANS[storage], RunOptions())
        result = driver.run(most_ahead(operation, applier._script().sha1, most))

    assert result.converted == DOCUMENTS
    assert most["writes"] == 2
    assert most["reads"] <= 2


def document(storage: Storage, number: int) -> tuple[str, ...]:
    text = f"2024-05-{number % 28 + 1:02}T10:00:00"
    if storage is Storage.HASH:
        return "HSET", f"paced:{number}", "at", text
    return "JSON.SET", f"paced:{number}", "$", f'{{"at":"{text}"}}'
