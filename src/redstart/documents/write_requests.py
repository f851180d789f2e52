"""A write of one document, as data: performed immediately, sent with others, or queued on a pipeline."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import chain
from typing import Any, ClassVar, Final, Protocol

from redstart.commands.documents import Condition, hsetex_new
from redstart.commands.scripts import Script, evalsha, evaluate, load, send_source
from redstart.display import shortened
from redstart.documents.arguments import is_omitted, seconds_of
from redstart.effects import Argument, Batch, Call, Op, Pending, call, receive
from redstart.errors import CommandError


@dataclass(frozen=True, slots=True)
class Saving:
    """Options of a save.

    Args:
        condition: save only if this is met.
        expirations: seconds until fields of a hash expire, by field name.
    """

    condition: Condition = Condition.NONE
    expirations: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        *,
        nx: bool,
        xx: bool,
        expirations: Mapping[str, int | timedelta] | None = None,
        queued: bool = False,
    ) -> "Saving":
        """Return the settings for the arguments of `save()`.

        Args:
            queued: whether it is queued on a pipeline, where a hash cannot be saved with a condition.

        Raises:
            ValueError: both conditions are given, or one that is not possible.
        """
        if nx and xx:
            raise ValueError("save() accepts nx or xx, not both.")
        if queued and (nx or xx):
            raise ValueError(
                "save() of a HashModel does not accept nx or xx with a pipeline. Omit the pipeline, or use a JsonModel."
            )
        condition = Condition.NX if nx else Condition.XX if xx else Condition.NONE
        return cls(
            condition,
            {} if expirations is None or is_omitted(expirations) else _checked_expirations(expirations),
        )


def _checked_expirations(expirations: Mapping[str, int | timedelta]) -> dict[str, int]:
    """Return seconds by field name. Raises TypeError or ValueError for anything else."""
    if not isinstance(expirations, Mapping):
        raise TypeError(
            f"field_expirations has to be a dict of seconds by field name, not {shortened(expirations)}."
        )
    return {
        name: seconds_of(f"field_expirations[{name!r}]", seconds) for name, seconds in expirations.items()
    }


ALWAYS = Saving()

PAGE_BYTES: Final = 4_000_000
"""Bytes of values in one request, which the client and the server hold in memory as a whole."""


class Write(Protocol):
    """A write of one document, as the commands that can perform it."""

    @property
    def key(self) -> str:
        """Return the document's key."""

    @property
    def removes_fields(self) -> bool:
        """Return whether it removes fields that may exist."""

    @property
    def size(self) -> int:
        """Return the number of bytes of the values."""

    def short(self) -> Call[Any]:
        """Return the command for a server that has the script of the write."""

    def whole(self) -> Call[Any]:
        """Return the command for any server."""

    def if_new(self) -> Call[Any] | None:
        """Return a cheaper command for a document that is probably new; None if there is none.

        Its reply is 1 if it wrote all fields; otherwise it wrote nothing. It removes no fields.
        """


@dataclass(slots=True)
class ScriptWrite:
    """A write by a script on one key."""

    script: Script
    key: str
    words: Sequence[Argument]
    removes_fields: ClassVar[bool] = False

    @property
    def size(self) -> int:
        """Return the number of bytes of the values."""
        return sum(len(word) for word in self.words if isinstance(word, str | bytes))

    def short(self) -> Call[Any]:
        """Return the command for a server that has the script."""
        return evalsha(self.script.sha1, (self.key,), self.words)

    def whole(self) -> Call[Any]:
        """Return the command for any server."""
        return evaluate(self.script.source, (self.key,), self.words)

    def if_new(self) -> None:
        """Return None."""


@dataclass(slots=True)
class CommandWrite:
    """A write that is one command."""

    key: str
    call: Call[Any]
    removes_fields: ClassVar[bool] = False

    @property
    def size(self) -> int:
        """Return the number of bytes of the values."""
        return sum(len(word) for word in self.call.args if isinstance(word, bytes))

    def short(self) -> Call[Any]:
        """Return the command."""
        return self.call

    whole = short

    def if_new(self) -> None:
        """Return None: it is one command already."""


JSON_SET: Final = "JSON.SET"


class Pipeline(Protocol):
    """A pipeline of redis-py, synchronous or asynchronous."""

    response_callbacks: Any

    def pipeline_execute_command(self, *args: Any, **options: Any) -> Any:
        """Queue a command, even while a key is watched and other methods execute commands immediately."""


def queue(pipeline: Pipeline, request: Call[Any]) -> None:
    """Queue a command on a pipeline. Nothing is sent; executing the pipeline returns the reply.

    Raises TypeError for anything but a pipeline.
    """
    if isinstance(pipeline, type) or not callable(getattr(pipeline, "pipeline_execute_command", None)):
        raise TypeError(
            f"pipeline has to be a pipeline of redis-py, such as Model.db().pipeline(), not {shortened(pipeline)}."
        )
    callbacks = pipeline.response_callbacks
    if request.args[0] == JSON_SET and isinstance(callbacks, dict) and JSON_SET not in callbacks:
        # As on a pipeline.json() of redis-py. Its client has the same dict, so this is a copy for the pipeline alone.
        pipeline.response_callbacks = type(callbacks)(callbacks)
        pipeline.response_callbacks[JSON_SET] = _is_ok
    pipeline.pipeline_execute_command(*request.args)


def _is_ok(reply: Any, **_: Any) -> bool | None:
    """Return True for OK, and None if the condition of a save was not met."""
    return None if reply is None else reply in (b"OK", "OK")


def perform(write: Write) -> Op[bool]:
    """Write, and return whether the condition was met.

    One round trip, or two if the server has not cached the script.
    """
    try:
        reply = yield from call(write.short())
    except CommandError as error:
        reply = yield from send_source(error, write.whole)
    return reply is not None


def write_pages(writes: Iterable[Write], max_documents: int) -> Iterator[list[Write]]:
    """Yield the writes in pages of at most so many documents, and of `PAGE_BYTES` unless a single one is larger."""
    page: list[Write] = []
    page_bytes = 0
    for write in writes:
        size = write.size
        if page and (len(page) >= max_documents or page_bytes + size > PAGE_BYTES):
            yield page
            page, page_bytes = [], 0
        page.append(write)
        page_bytes += size
    if page:
        yield page


def request_of(page: Sequence[Write]) -> Batch[list[Any]]:
    """Return several writes as one request.

    The first sends the source of its script, so the others can use its digest.
    """
    requests = [page[0].whole(), *(write.short() for write in page[1:])]
    return Batch([request.args for request in requests], list)


def answers_of(page: Sequence[Write], later: Pending[list[Any]]) -> Op[list[Any]]:
    """Return the replies to `request_of`, errors included."""
    replies = yield from receive(later)
    for position, reply in enumerate(replies):
        # The scripts were flushed, or the documents belong to models with different scripts.
        if isinstance(reply, CommandError):
            try:
                replies[position] = yield from send_source(reply, page[position].whole)
            except CommandError as error:
                replies[position] = error
    return replies


@dataclass(slots=True)
class HashWrite:
    """A write of some fields of one hash; see `lua/save_hash.lua`.

    Args:
        key: the key of the hash.
        written: values of the fields to set, by name.
        empty: names of the fields to remove.
        condition: write only if this is met.
        default_expiries: names of written fields and milliseconds until they expire, unless they have an expiry.
        new_expiries: the same, replacing the current expiry.
    """

    key: str
    written: Mapping[bytes, bytes]
    empty: Sequence[bytes]
    condition: Condition = Condition.NONE
    default_expiries: Sequence[tuple[bytes, int]] = ()
    new_expiries: Sequence[tuple[bytes, int]] = ()

    @property
    def removes_fields(self) -> bool:
        """Return whether there are fields to remove."""
        return bool(self.empty)

    @property
    def size(self) -> int:
        """Return the number of bytes of the values."""
        return sum(map(len, self.written.values()))

    def short(self) -> Call[Any]:
        """Return the script, by its digest."""
        script = load("save_hash.lua")
        return evalsha(script.sha1, (self.key,), self._words(), repeatable=self.condition.is_repeatable)

    def whole(self) -> Call[Any]:
        """Return the script, from its source."""
        script = load("save_hash.lua")
        return evaluate(script.source, (self.key,), self._words(), repeatable=self.condition.is_repeatable)

    def if_new(self) -> Call[Any] | None:
        """Return HSETEX, if it has the same effect on a new hash as the script."""
        if (
            self.condition is not Condition.NONE
            or self.default_expiries
            or self.new_expiries
            or not self.written
        ):
            return None
        return hsetex_new(self.key, self.written)

    def _words(self) -> list[Argument]:
        words: list[Argument] = [
            self.condition.value,
            len(self.written),
            len(self.default_expiries),
            len(self.new_expiries),
        ]
        for pairs in (self.written.items(), self.default_expiries, self.new_expiries):
            words += chain.from_iterable(pairs)
        words += self.empty
        return words
