"""The protocol of an operation, for both drivers: requests sent ahead, replies in order, and retries.

A driver only sends, receives and waits; all state is here.
"""

import logging
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, cast

from redstart.effects import Batch, Call, Invoke, Op, Pause, Pending, Request, SendAhead, ServerKnowledge
from redstart.errors import CommandError, RedstartError, ServerConnectionError, ServerError
from redstart.server.redis_errors import may_be_sent_again, parse_replies

logger = logging.getLogger(__name__)

T = TypeVar("T")

REPEAT_PAUSES_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""Waits before a repeatable request is sent again on a new connection: a restart is survived, an outage is not."""


Answer: TypeAlias = Sequence[Any] | ServerError | None
"""Raw replies to a request, an error reply being an item; why there are none; or nothing, after a pause.

To an `Invoke`: a sequence with what the function returned.
"""


@dataclass(frozen=True, slots=True)
class Send:
    """To a driver: send this, and do not wait for the answer."""

    request: Call[Any] | Batch[Any]


@dataclass(frozen=True, slots=True)
class Receive:
    """To a driver: read the answer to this, the oldest request without one."""

    request: Call[Any] | Batch[Any]


Step: TypeAlias = Call[Any] | Batch[Any] | Pause | Send | Receive | Invoke[Any]
"""What a driver is asked to do: a request is sent and its answer read at once."""


class Conversation:
    """An operation reduced to what a driver has to do.

    Args:
        was_connected: whether the server has ever answered.
        known: what was learnt of the server, by kind.
    """

    def __init__(self, was_connected: Callable[[], bool], known: dict[Any, Any]) -> None:
        self._was_connected = was_connected
        self._known = known
        self._unanswered: deque[Pending[Any]] = deque()

    def steps(self, operation: Op[T]) -> Generator[Step, Answer, T]:
        """Yield steps, one that is sent again after a pause. Errors are raised inside the operation."""
        reply: Any = None
        error: RedstartError | None = None
        while True:
            try:
                request = operation.send(reply) if error is None else operation.throw(error)
            except StopIteration as stop:
                if self._unanswered:
                    yield from self._catch_up(None)
                return stop.value  # type: ignore[no-any-return]  # StopIteration does not carry the type
            try:
                if isinstance(request, Call | Batch) and not self._unanswered:
                    found = yield request
                    # Nearly always; the rest stands in functions of its own, each of which costs a microsecond.
                    if isinstance(found, ServerError):
                        reply = yield from self._settled(request, found)
                    else:
                        try:
                            reply = parse_replies(request, found or ())
                        except ServerError:
                            reply = yield from self._settled(request, found)
                else:
                    reply = yield from self._performed(request)
                error = None
            except RedstartError as exc:
                error = exc

    def _performed(self, request: Request) -> Generator[Step, Answer, Any]:
        if isinstance(request, ServerKnowledge):
            found = self._known.get(request.kind)
            return self._known.setdefault(request.kind, request.kind()) if found is None else found
        if isinstance(request, Call | Batch):
            yield from self._catch_up(None)
            return (yield from self._settled(request, (yield request)))
        if isinstance(request, SendAhead):
            return (yield from self._sent(request.request))
        if isinstance(request, Pending):
            yield from self._catch_up(request)
            return (yield from self._settled(request.request, request.answer))
        if isinstance(request, Invoke):
            (returned,) = cast("Sequence[Any]", (yield request))
            return returned
        yield request
        return None

    def _sent(self, request: Call[Any] | Batch[Any]) -> Generator[Step, Answer, Pending[Any]]:
        later: Pending[Any] = Pending(request)
        self._unanswered.append(later)
        failure = yield Send(request)
        if failure is not None:
            self._lose(failure)
        return later

    def _catch_up(self, until: Pending[Any] | None) -> Generator[Step, Answer, None]:
        """Read what was sent ahead, in order, up to one request or to the last."""
        while self._unanswered and (until is None or until.answer is None):
            found = yield Receive(self._unanswered[0].request)
            if isinstance(found, ServerError):
                self._lose(found)
            else:
                self._unanswered.popleft().answer = found

    def _lose(self, failure: Answer) -> None:
        """Record a failed connection: all replies that were due on it are lost."""
        while self._unanswered:
            self._unanswered.popleft().answer = failure

    def _may_ask_again(self, request: Call[Any] | Batch[Any], found: Answer) -> bool:
        """Return whether another try may help and does no harm.

        A server that never answered is reported at once: its address is more likely wrong than it is restarting.
        """
        if isinstance(found, ServerConnectionError):
            return request.repeatable and self._was_connected()
        return not isinstance(found, ServerError) and may_be_sent_again(request, found or ())

    def _settled(self, request: Call[Any] | Batch[Any], found: Answer) -> Generator[Step, Answer, Any]:
        """Return the parsed reply; after a broken connection or a temporary refusal, send the request again if safe."""
        for repeats, seconds in enumerate(REPEAT_PAUSES_SECONDS):
            if not self._may_ask_again(request, found):
                break
            # Once for each request, not for each try: an outage of seconds would fill a log.
            level = logging.DEBUG if repeats else logging.WARNING
            logger.log(level, "Repeating a request after %g s: %s", seconds, _reason(found))
            yield Pause(seconds)
            yield from self._catch_up(None)  # what was sent ahead since is answered first
            found = yield request
        if isinstance(found, ServerError):
            raise found
        return parse_replies(request, found or ())


def _reason(found: Answer) -> str:
    """Return why a request is repeated, without its words, which may be values of a document."""
    if isinstance(found, ServerError):
        return found.message
    codes = {one.code for one in found or () if isinstance(one, CommandError)}
    return f"the server replied {', '.join(sorted(codes))}"
