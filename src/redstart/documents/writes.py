"""One write of one document, as data: performed at once, sent with others, or queued on a pipeline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from redstart.commands.conditions import Condition
from redstart.commands.scripts import Script, evalsha, evaluate
from redstart.effects import Argument, Batch, Call, Later, Op, answer, call
from redstart.errors import CommandFailed


@dataclass(frozen=True, slots=True)
class Saving:
    """How a document is to be saved.

    Args:
        condition: when at all.
        expirations: of fields of a hash the seconds they have from now on, by name.
    """

    condition: Condition = Condition.NONE
    expirations: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls, *, nx: bool, xx: bool, expirations: Mapping[str, int] | None = None, queued: bool = False
    ) -> "Saving":
        """From the arguments of `save()`.

        Args:
            queued: whether it goes on a pipeline that has no room for a condition.

        Raises:
            ValueError: both conditions; or one where there can be none.
        """
        if nx and xx:
            raise ValueError("save() takes nx or xx, not both: a document cannot be missing and there.")
        if queued and (nx or xx):
            raise ValueError(
                "save() of a HashModel takes no nx or xx with a pipeline: save it by itself, or use a JsonModel."
            )
        condition = Condition.NX if nx else Condition.XX if xx else Condition.NONE
        return cls(condition, expirations or {})


ALWAYS = Saving()


class Write(Protocol):
    """A write of one document, in the forms it may be sent in."""

    @property
    def key(self) -> str:
        """The document's key."""

    @property
    def takes_away(self) -> bool:
        """Whether it takes fields away that may be there."""

    def short(self) -> Call[Any]:
        """What to send to a server that knows the script, if there is one."""

    def whole(self) -> Call[Any]:
        """What to send to any server."""

    def if_new(self) -> Call[Any] | None:
        """What costs the server less, for documents that are most likely new; None if there is nothing.

        It answers 1 when it has written all fields, and else has written nothing. It takes no field away.
        """


@dataclass(slots=True)
class ScriptWrite:
    """A write by a script on one key."""

    script: Script
    key: str
    words: Sequence[Argument]
    takes_away: ClassVar[bool] = False

    def short(self) -> Call[Any]:
        """What to send to a server that knows the script."""
        return evalsha(self.script.sha1, (self.key,), self.words)

    def whole(self) -> Call[Any]:
        """What to send to any server."""
        return evaluate(self.script.source, (self.key,), self.words)

    def if_new(self) -> None:
        """Nothing."""


@dataclass(slots=True)
class CommandWrite:
    """A write that is one command."""

    key: str
    call: Call[Any]
    takes_away: ClassVar[bool] = False

    def short(self) -> Call[Any]:
        """The command."""
        return self.call

    whole = short

    def if_new(self) -> None:
        """Nothing: it is one command already."""


class Pipeline(Protocol):
    """A pipeline of redis-py, of either colour."""

    def pipeline_execute_command(self, *args: Any, **options: Any) -> Any:
        """Queue a command, also where commands run at once for a key is watched."""


def queue(pipeline: Pipeline, request: Call[Any]) -> None:
    """Put a command on a pipeline. Nothing is sent; the pipeline has the answer when it is executed."""
    pipeline.pipeline_execute_command(*request.args)


def perform(write: Write) -> Op[bool]:
    """Write: whether its condition held. One round trip, or two where the server does not know the script."""
    try:
        reply = yield from call(write.short())
    except CommandFailed as error:
        if error.code != "NOSCRIPT":
            raise
        reply = yield from call(write.whole())
    return reply is not None


def request_of(page: Sequence[Write]) -> Batch[list[Any]]:
    """Writes as one request. The first brings its script along, so the server knows it for the others."""
    calls = [page[0].whole(), *(write.short() for write in page[1:])]
    return Batch([one.args for one in calls], list)


def answers_of(page: Sequence[Write], later: Later[list[Any]]) -> Op[list[Any]]:
    """The answers to `request_of`, errors among them."""
    replies = yield from answer(later)
    for position, reply in enumerate(replies):
        # Somebody had the server forget all scripts meanwhile; or the documents are of several models.
        if isinstance(reply, CommandFailed) and reply.code == "NOSCRIPT":
            try:
                replies[position] = yield from call(page[position].whole())
            except CommandFailed as error:
                replies[position] = error
    return replies
