"""One write of one document, as data: performed at once, sent with others, or queued on a pipeline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from redstart.commands.conditions import Condition
from redstart.commands.scripts import Script, evalsha, evaluate
from redstart.effects import Argument, Call, Op, call
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


@dataclass(slots=True)
class ScriptWrite:
    """A write by a script on one key."""

    script: Script
    key: str
    words: Sequence[Argument]
    repeatable: bool = True

    def short(self) -> Call[Any]:
        """What to send to a server that knows the script."""
        return evalsha(self.script.sha1, (self.key,), self.words, repeatable=self.repeatable)

    def whole(self) -> Call[Any]:
        """What to send to any server."""
        return evaluate(self.script.source, (self.key,), self.words, repeatable=self.repeatable)


@dataclass(slots=True)
class CommandWrite:
    """A write that is one command."""

    call: Call[Any]

    def short(self) -> Call[Any]:
        """The command."""
        return self.call

    whole = short


Write = ScriptWrite | CommandWrite


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
