"""The FastAPI example in real server processes, asked over HTTP by many at once."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
import redis

from bookings.models import Booking
from redstart.devserver.process import EmbeddedServer
from tests.examples.test_bookings import EXAMPLE, a_booking
from tests.support.models import create_indexes
from tests.support.servers import free_port

ROOT = Path(__file__).parents[2]
MANY = 60
ENDS_WITHIN_SECONDS = 20


@contextmanager
def serving(database_url: str, *words: str) -> Iterator[tuple[str, int]]:
    """A server process: its address and its process id. It must end well, and complain of nothing."""
    paths = [str(EXAMPLE), str(ROOT), *filter(None, sys.path)]
    environment = os.environ | {"REDIS_OM_URL": database_url, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-X", "dev", "-m", *words]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        said: list[str] = []
        try:
            assert process.stderr is not None
            for line in process.stderr:
                said.append(line)
                found = re.search(
                    r"(?:running on|Listening at): (http://[\d.:]+)|running on (http://[\d.:]+)", line
                )
                if found:
                    yield found[1] or found[2], process.pid
                    break
            else:
                pytest.fail("".join(said))
        finally:
            process.terminate()
            try:
                said.append(process.communicate(timeout=ENDS_WITHIN_SECONDS)[1])
            finally:
                process.kill()
        text = "".join(said)
        assert process.returncode in {0, -signal.SIGTERM}, text
        assert not re.search("Traceback|Warning|unclosed|never awaited", text), text


@pytest.fixture
def database(own_server: Callable[..., EmbeddedServer]) -> EmbeddedServer:
    """A server on a port, whose connections can be told from each other."""
    return own_server(port=free_port())


def test_uvicorn_with_many_requests_at_once(url: str, client: redis.Redis) -> None:
    create_indexes(client, Booking)
    before = len(client.client_list())

    async def book(http: httpx2.AsyncClient, number: int) -> dict[str, Any]:
        created = await http.post("/bookings", json=a_booking(room=f"room{number}"))
        assert created.status_code == 201, created.text
        read = (await http.get(f"/bookings/{created.json()['pk']}")).json()
        assert read["room"] == f"room{number}"
        page = (await http.get("/bookings", params={"room": f"room{number}"})).json()
        assert page == {"items": [read], "total": 1}
        assert (await http.patch(f"/bookings/{read['pk']}", json={"note": str(number)})).json() == read | {
            "note": str(number)
        }
        return read

    async def all_book(address: str) -> list[dict[str, Any]]:
        async with httpx2.AsyncClient(base_url=address, timeout=30) as http:
            return await asyncio.gather(*[book(http, number) for number in range(MANY)])

    with serving(url, "uvicorn", "bookings.app:app", "--port", "0") as (address, _):
        booked = asyncio.run(all_book(address))
        assert len({one["pk"] for one in booked}) == MANY
        assert len(client.client_list()) <= before + MANY


@pytest.mark.sample(0)
def test_gunicorn_that_forks_after_connections_were_used(database: EmbeddedServer) -> None:
    """Workers of one preloaded application: answers never cross, keys never repeat, no socket is shared."""
    words = ("tests.examples.preloaded:app", "--worker-class", "asgi", "--workers", "2", "--preload")
    with serving(database.url, "gunicorn", *words, "--bind", "127.0.0.1:0") as (address, master):
        answers: dict[str, list[dict[str, Any]]] = {"threads": [], "tasks": []}
        # Which worker accepts a connection is the kernel's choice.
        for _ in range(20):
            for kind, got in answers.items():
                got.extend(asyncio.run(ask(address, kind, len(got))))
            workers = [{one["process"] for one in got} for got in answers.values()]
            if all(len(seen) == 2 for seen in workers):
                break
        assert workers[0] == workers[1]
        assert len(workers[0]) == 2
        assert master not in workers[0]
        keys = [one["pk"] for got in answers.values() for one in got]
        assert len(keys) == len(set(keys))
        with redis.Redis.from_url(database.url) as client:
            assert client.dbsize() == len(keys) + 6  # and those from before the fork
            if Path("/proc/net/tcp").exists():
                owners = owners_of_connections(client, {master, *workers[0]})
                assert set().union(*owners) >= workers[0]
                # What the master left idle is inherited until it is collected; the workers do not use it.
                assert all(len(one) == 1 for one in owners if master not in one), owners


async def ask(address: str, kind: str, first: int) -> list[dict[str, Any]]:
    """What is answered to many requests, each on a connection of its own."""

    async def one(http: httpx2.AsyncClient, number: int) -> dict[str, Any]:
        answer = (await http.post(f"/{kind}/{number}")).json()
        assert answer["text"] == str(number)
        return dict(answer)

    async with httpx2.AsyncClient(
        base_url=address, timeout=30, limits=httpx2.Limits(max_keepalive_connections=0)
    ) as http:
        return await asyncio.gather(*[one(http, number) for number in range(first, first + MANY)])


def owners_of_connections(client: redis.Redis, processes: set[int]) -> list[set[int]]:
    """For each connection to the database, other than the client's own, the processes that hold its socket."""
    own, database_port = str(client.client_id()), client.get_connection_kwargs()["port"]
    ports = {int(one["addr"].rpartition(":")[2]) for one in client.client_list() if one["id"] != own}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ends = [(int(row[1].partition(":")[2], 16), int(row[2].partition(":")[2], 16), row[9]) for row in rows]
    sockets = {inode for here, there, inode in ends if here in ports and there == database_port}
    held = {process: sockets_of(process) for process in processes}
    return [{process for process in processes if socket in held[process]} for socket in sockets]


def sockets_of(process: int) -> set[str]:
    """The inodes of the sockets that a process has open."""
    found = set()
    for link in Path(f"/proc/{process}/fd").iterdir():
        with suppress(OSError):  # closed by now
            kind, _, inode = str(link.readlink()).partition(":")
            found |= {inode.strip("[]")} if kind == "socket" else set()
    return found
