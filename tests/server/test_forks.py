"""Processes that fork, or start others, when models were at work already: each has connections of its own."""

import asyncio
import ctypes
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
import redis.asyncio

import redstart
import redstart.aio
from redstart.effects import Call, Op, call
from redstart.server.sync_executor import server_of

WAIT_SECONDS = 20
CLIENTS = {"none": None, "sync": redis.Redis, "asyncio": redis.asyncio.Redis}


class Note(redstart.HashModel):
    number: int = redstart.Field(primary_key=True)
    text: str

    class Meta:
        model_key_prefix = "note"


class AsyncNote(redstart.aio.HashModel):
    number: int = redstart.Field(primary_key=True)
    text: str

    class Meta(Note.Meta):
        pass


def client_id() -> Call[int]:
    """The server's number of the connection."""
    return Call(("CLIENT", "ID"), int)


def work(number: int) -> None:
    """Fail if an answer is somebody else's."""
    for turn in range(30):
        text = f"{number}, {turn}"
        Note(number=number, text=text).save()
        assert Note.get(number).text == text


def work_in_a_loop(number: int) -> None:
    """As `work`, with several tasks."""

    async def task(own: int) -> None:
        for turn in range(10):
            text = f"{own}, {turn}"
            await AsyncNote(number=own, text=text).save()
            assert (await AsyncNote.get(own)).text == text

    async def tasks() -> None:
        await asyncio.gather(*[task(number * 10 + own) for own in range(5)])

    asyncio.run(tasks())


def use(client: str, url: str) -> None:
    """Let both models name a client of this kind, or none."""
    kind: Any = CLIENTS[client]
    Note._meta.database = AsyncNote._meta.database = kind and kind.from_url(url)


@pytest.fixture(params=CLIENTS)
def client_kind(request: pytest.FixtureRequest, url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """What Meta.database of both models is."""
    monkeypatch.setenv("REDIS_OM_URL", url)
    use(request.param, url)
    yield request.param
    use("none", url)


def forked(act: Callable[[int], None], number: int, fork: Callable[[], int] = os.fork) -> int:
    """The process id of a child that does this with its number: it ends with 0, or with a signal if it hangs."""
    child = fork()
    if child:
        return child
    signal.alarm(WAIT_SECONDS)
    try:
        act(number)
    except BaseException:  # noqa: BLE001 - the child must not go on with the tests
        os._exit(1)
    os._exit(0)


def all_end_well(children: list[int]) -> bool:
    return [os.waitpid(child, 0)[1] for child in children] == [0] * len(children)


@pytest.mark.sample(3)
@pytest.mark.parametrize("traffic", [work, work_in_a_loop])
def test_a_fork_after_both_colours_were_used(client_kind: str, traffic: Callable[[int], None]) -> None:
    """As a server that looks something up before it forks its workers."""
    work(0), work_in_a_loop(0)
    children = [forked(traffic, number) for number in range(1, 4)]
    traffic(0)
    assert all_end_well(children)


def test_a_fork_of_which_python_is_not_told(url: str) -> None:
    """As uWSGI forks its workers: none of them has the connection that its parent used."""
    client = Note._meta.database = redis.Redis.from_url(url)
    server = server_of(client)
    try:
        work(0)
        parents = server.run(call(client_id()))

        def work_on_another(number: int) -> None:
            assert server.run(call(client_id())) != parents
            work(number)

        children = [forked(work_on_another, number, ctypes.PyDLL(None).fork) for number in range(1, 4)]
        assert all_end_well(children)
        assert server.run(call(client_id())) == parents
    finally:
        Note._meta.database = None


def test_a_fork_in_a_running_loop(client_kind: str) -> None:
    async def outer() -> bool:
        await AsyncNote(number=0, text="parent").save()
        children = [forked(work_in_a_loop, number) for number in range(1, 3)]
        for _ in range(50):
            assert (await AsyncNote.get(0)).text == "parent"
        return await asyncio.to_thread(all_end_well, children)

    assert asyncio.run(outer())


def in_a_new_process(client: str, url: str, number: int) -> None:
    use(client, url)
    work(number), work_in_a_loop(number)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing(url: str, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    monkeypatch.setenv("REDIS_OM_URL", url)
    work(0), work_in_a_loop(0)
    context: Any = multiprocessing.get_context(method)
    kinds = enumerate(CLIENTS, 1)
    processes = [
        context.Process(target=in_a_new_process, args=(client, url, number)) for number, client in kinds
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(WAIT_SECONDS)
    assert [process.exitcode for process in processes] == [0] * len(processes)


def test_a_fork_while_other_threads_have_all_connections(url: str) -> None:
    """The threads are not in the child, and never give back there what they held."""
    client = redis.Redis.from_url(url, max_connections=1)
    Note._meta.database = client
    holds, may_end = threading.Event(), threading.Event()

    def long_operation() -> Op[None]:
        holds.set()
        may_end.wait(WAIT_SECONDS)
        return
        yield  # which makes it an operation

    thread = threading.Thread(target=server_of(client).run, args=[long_operation()])
    thread.start()
    holds.wait(WAIT_SECONDS)
    try:
        assert all_end_well([forked(work, 1)])
    finally:
        may_end.set()
        thread.join()
        Note._meta.database = None
