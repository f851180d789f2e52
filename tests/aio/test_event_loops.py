"""Event loops that begin and end, in one thread or in many: connections stay in their loop and end with it."""

import asyncio
import gc
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
import redis.asyncio

from redstart.aio import Field, HashModel
from tests.support.processes import wait_until

pytestmark = pytest.mark.usefixtures("database")


class Note(HashModel):
    number: int = Field(primary_key=True)


@pytest.fixture(params=["no client", "a client", "an asyncio client"])
def database(request: pytest.FixtureRequest, models_url: str) -> Iterator[None]:
    """What Meta.database says: nothing, or a client that somebody made outside of any loop."""
    kinds = {"a client": redis.Redis, "an asyncio client": redis.asyncio.Redis}
    kind = kinds.get(request.param)
    Note._meta.database = kind and kind.from_url(models_url)
    yield
    Note._meta.database = None


async def work(number: int) -> int:
    """Several connections at once."""
    await asyncio.gather(*[Note(number=number).save() for _ in range(3)])
    return (await Note.get(number)).number


def connections(client: redis.Redis) -> set[str]:
    return {one["id"] for one in client.client_list()}


def test_one_after_another_leave_nothing_behind(client: redis.Redis) -> None:
    before = connections(client)
    assert [asyncio.run(work(number)) for number in range(10)] == list(range(10))
    wait_until(lambda: connections(client) <= before, "the connections of loops that have ended")


def test_a_loop_that_is_never_shut_down(client: redis.Redis) -> None:
    """As programs do that call `loop.close()` and nothing else: at the next loop the connections are given up."""
    before = connections(client)
    for number in range(10):
        loop = asyncio.new_event_loop()
        assert loop.run_until_complete(work(number)) == number
        loop.close()
    assert asyncio.run(work(10)) == 10
    gc.collect()
    wait_until(lambda: connections(client) <= before, "the connections of loops that were closed")


def test_one_in_each_thread_at_once() -> None:
    begin = threading.Barrier(8)

    async def at_once(number: int) -> int:
        begin.wait()  # the first use of a client, in all loops together
        for _ in range(20):
            assert await work(number) == number
        return number

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda number: asyncio.run(at_once(number)), range(8))) == list(range(8))


def test_a_loop_inside_a_thread_of_a_loop() -> None:
    """As a coroutine that calls synchronous code, which runs a loop of its own."""

    async def outer() -> list[int]:
        inner = [asyncio.to_thread(asyncio.run, work(number)) for number in range(1, 6)]
        return await asyncio.gather(work(0), *inner)

    assert asyncio.run(outer()) == list(range(6))


@pytest.mark.parametrize("database", ["no client"], indirect=True)
def test_a_client_that_was_used_in_another_loop_before(models_url: str) -> None:
    """As a fixture that empties the database in a loop of its own: the client's connection belongs there."""
    theirs = redis.asyncio.Redis.from_url(models_url)
    assert asyncio.run(theirs.ping())
    Note._meta.database = theirs
    assert asyncio.run(work(1)) == 1


@pytest.mark.parametrize("database", ["no client"], indirect=True)
def test_a_client_that_is_given_up_while_its_loop_runs(client: redis.Redis, models_url: str) -> None:
    """As a service that makes a client for each tenant."""

    async def tenants() -> None:
        before = connections(client)
        for number in range(10):
            Note._meta.database = redis.asyncio.Redis.from_url(models_url)
            await work(number)
        Note._meta.database = None
        for _ in range(100):
            if connections(client) <= before:
                return
            await asyncio.sleep(0.01)
        pytest.fail("the clients are gone and their connections are not")

    asyncio.run(tenants())


PROGRAM = """
import asyncio, gc, logging, os, sys, threading
import redis, redis.asyncio
from redstart.aio import Field, HashModel

class Note(HashModel):
    number: int = Field(primary_key=True)
    class Meta:
        database = {database}

async def work():
    await asyncio.gather(*[Note(number=number).save() for number in range(5)])
    return (await Note.get(3)).number

async def leave_an_iteration():
    await work()
    async for pk in await Note.all_pks():
        return pk

async def leave_a_task():
    await work()
    task = asyncio.create_task(work())
    await asyncio.sleep(0)

async def fail():
    await work()
    raise KeyError

async def fork():
    await work()
    child = os.fork()
    if not child:
        assert asyncio.run(work()) == 3
        os._exit(0)  # as multiprocessing does: Python itself cannot end the parent's loop in a child
    assert os.waitpid(child, 0)[1] == 0 and await work() == 3

async def close_by_hand():
    assert await Note.db().ping()
    await Note.db().aclose()

# Of asyncio's debug mode, this is about the speed of the machine.
logging.getLogger("asyncio").addFilter(lambda record: "Executing" not in record.getMessage())
for _ in range(2):
    assert asyncio.run(work()) == 3
    assert asyncio.run(leave_an_iteration())
    asyncio.run(leave_a_task())
    try:
        asyncio.run(fail())
    except KeyError:
        pass
    threads = [threading.Thread(target=asyncio.run, args=[work()]) for _ in range(4)]
    [thread.start() for thread in threads], [thread.join() for thread in threads]
    gc.collect()
if not isinstance(Note._meta.database, redis.Redis):
    asyncio.run(close_by_hand())
asyncio.run(fork())
print("done")
"""


@pytest.mark.sample(1)
def test_a_program_ends_without_a_word(models_url: str, request: pytest.FixtureRequest) -> None:
    """No `Event loop is closed`, and nothing that was left open."""
    database = {
        "no client": "None",
        "a client": f"redis.Redis.from_url({models_url!r})",
        "an asyncio client": f"redis.asyncio.Redis.from_url({models_url!r})",
    }[request.node.callspec.params["database"]]
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", PROGRAM.format(database=database)]
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "done\n")
