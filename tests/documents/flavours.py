"""One model of notes in each flavour and form, and how a test runs the same steps on all of them."""

import asyncio
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import redis

import redstart.aio
from redstart import Field, HashModel, JsonModel


class HashNote(HashModel, index=True):
    number: int = Field(primary_key=True)
    kind: str = Field(default="a", index=True, sortable=True)
    rank: int = Field(default=0, index=True, sortable=True)
    text: str = ""
    size: int = 0


class JsonNote(JsonModel, index=True):
    number: int = Field(primary_key=True)
    kind: str = Field(default="a", index=True, sortable=True)
    rank: int = Field(default=0, index=True, sortable=True)
    text: str = ""
    size: int = 0


class AsyncHashNote(redstart.aio.HashModel, index=True):
    number: int = Field(primary_key=True)
    kind: str = Field(default="a", index=True, sortable=True)
    rank: int = Field(default=0, index=True, sortable=True)
    text: str = ""
    size: int = 0


class AsyncJsonNote(redstart.aio.JsonModel, index=True):
    number: int = Field(primary_key=True)
    kind: str = Field(default="a", index=True, sortable=True)
    rank: int = Field(default=0, index=True, sortable=True)
    text: str = ""
    size: int = 0


NOTES: Final[list[Any]] = [HashNote, JsonNote, AsyncHashNote, AsyncJsonNote]


_runners: list[asyncio.Runner] = []


@contextmanager
def one_event_loop() -> Iterator[None]:
    """Run all asynchronous steps of a test in one event loop: in a new one, each step connects again."""
    with asyncio.Runner() as runner:
        _runners.append(runner)
        yield
        _runners.remove(runner)


def done(step: Any) -> Any:
    """The result of a call, of either flavour; and the documents of a query, which is iterated over."""
    if inspect.isawaitable(step):
        return _runners[-1].run(_awaited(step))
    if hasattr(step, "__aiter__"):
        return _runners[-1].run(_listed(step))
    return step


def iterated(query: Any) -> list[Any]:
    """The documents of a query, one by one."""
    return done(query) if hasattr(query, "__aiter__") else list(query)


async def _awaited(step: Any) -> Any:
    return await step


async def _listed(step: Any) -> list[Any]:
    return [one async for one in step]


def break_size(client: redis.Redis, note: Any) -> None:
    """Make the stored note unreadable, in a field that is not indexed."""
    if client.type(note.key()) == b"hash":
        client.hset(note.key(), "size", "many")
    else:
        client.execute_command("JSON.SET", note.key(), "$.size", '"many"')
