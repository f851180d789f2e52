"""What is read at once is bounded by bytes: in this process, in the server's buffers, and in the time others wait."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
import redis
from bench.neighbour import COMMANDS as MEASURED
from bench.neighbour import Kind, measure, peak_megabytes

from redstart.commands.resp import PAGE_BYTES
from redstart.devserver.process import EmbeddedServer
from redstart.migrations.data import applier
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION
from tests.support.cli import om_command, run_om
from tests.support.counting_proxy import CountingProxy
from tests.support.large_models import HASH_PREFIX, JSON_PREFIX
from tests.support.script_monitor import monitored_scripts
from tests.support.snapshot import snapshot

MODELS = "tests.support.large_models"
COMMANDS = (
    ("migrate-data", "stats", "--models", MODELS),
    ("migrate-data", "stats", "--exact", "--models", MODELS),
    ("migrate", "run", "--models", MODELS),
    ("migrate-data", "run", "--dry-run", "--models", MODELS),
    ("migrate-data", "run", "--models", MODELS),
    ("migrate-data", "verify", "--models", MODELS),
    ("migrate-data", "verify", "--check-data", "--models", MODELS),
    ("migrate-data", "status", "--models", MODELS),
    ("migrate-data", "errors"),
    ("migrate", "run", "--models", MODELS),
    ("migrate", "status", "--models", MODELS),
    ("migrate-data", "rollback", "--dry-run", DATETIME_MIGRATION),
    ("migrate-data", "rollback", DATETIME_MIGRATION),
    ("migrate", "cleanup", "--yes", "--models", MODELS),
)
"""Every command that reads documents, and a rollback to begin with."""

OF_STATE = 10
"""What a script writes of the state of the migration, besides its documents."""

MAX_CLIENT_MEGABYTES = 200
MAX_REPLY_BYTES = 16_000_000
MAX_STALL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Shape:
    """Documents of one kind.

    Attributes:
        dates: in a list; of a hash 0.
        note: bytes next to each of these dates; `body`: bytes next to all.
    """

    documents: int
    dates: int
    note: int
    body: int
    json: bool = True

    def load(self, client: redis.Redis) -> None:
        """Write them."""
        body = "x" * self.body
        for number in range(self.documents):
            moment = f"2021-05-04T03:02:{number % 60:02}"
            if not self.json:
                client.hset(f"{HASH_PREFIX}{number}", mapping={"pk": number, "at": moment, "body": body})
                continue
            readings = [
                {"at": f"{moment}.{at:06}", "note": f"{at:08}".ljust(self.note, "n")}
                for at in range(self.dates)
            ]
            document = {"pk": str(number), "opened_at": moment, "readings": readings, "body": body}
            client.execute_command(
                "JSON.SET", f"{JSON_PREFIX}{self.dates}-{number}", "$", json.dumps(document)
            )


FEW = (
    Shape(36, dates=40, note=12_000, body=0),
    Shape(1, dates=1_100, note=10, body=0),
    Shape(1, dates=6_000, note=40, body=0),
    Shape(3, dates=2, note=10, body=4_000_000),
    Shape(3, dates=0, note=0, body=4_000_000, json=False),
)


@pytest.mark.sample(0)
def test_no_command_asks_for_more_than_a_page(own_server: Callable[..., EmbeddedServer]) -> None:
    server = own_server()
    with redis.Redis.from_url(server.url) as client:
        for shape in FEW:
            shape.load(client)
        before = snapshot(client)
        writes: list[int] = []
        for words in COMMANDS:
            with CountingProxy(urlsplit(server.url).path) as proxy, monitored_scripts(client) as scripts:
                sized = ("--batch-size", "500") if set(words) & {"stats", "run", "verify"} else ()
                sized = sized if words[0] == "migrate-data" else ()
                ended = run_om(*words, *sized, "--url", proxy.url)
            assert ended.code == 0, ended.text
            # Two pages under way; of each the last document may be the one that reaches the bound.
            assert proxy.most_at_once < 2 * (PAGE_BYTES + 4_100_000), words
            assert max(scripts.writes, default=0) <= applier.MAX_EDITS + OF_STATE, words
            writes += scripts.writes
        after = snapshot(client)
    assert max(writes) >= applier.FIRST_EDITS, "the measure sees the parts of documents"
    assert {key: after[key] for key in before} == before


@pytest.mark.sample(0)
def test_the_measurement_of_neighbours_measures() -> None:
    kind = Kind("json", 6, 400_000, 300)
    wanted = [words for words in MEASURED if {"run", "rollback"} & set(words[1:])]
    commands = [words for words in wanted if words[0] == "migrate-data" and "--dry-run" not in words]
    found = list(measure(kind, 1.0, 0.0, commands))
    assert [item.command for item in found] == ["migrate-data run", "migrate-data rollback"]
    assert all(0 < item.client_megabytes < MAX_CLIENT_MEGABYTES and item.requests for item in found)


@pytest.mark.soak
@pytest.mark.skipif("REDSTART_SOAK" not in os.environ, reason="it takes minutes: make soak")
@pytest.mark.parametrize(
    "shape",
    [
        Shape(1_000, dates=4_500, note=40, body=0),
        Shape(400, dates=3, note=10, body=4_000_000),
        Shape(20, dates=45_000, note=40, body=0),
        Shape(400, dates=0, note=0, body=4_000_000, json=False),
    ],
    ids=["0.4 MB of dates", "4 MB of text", "4 MB of dates", "hashes of 4 MB"],
)
def test_neither_client_nor_server_nor_neighbour_suffers(
    own_server: Callable[..., EmbeddedServer], shape: Shape
) -> None:
    server = own_server()
    with redis.Redis.from_url(server.url) as client:
        shape.load(client)
        for words in COMMANDS:
            with CountingProxy(urlsplit(server.url).path) as proxy, neighbour(server.url) as waits:
                command = om_command(*words, "--url", proxy.url)
                megabytes = peak_megabytes(command)
            assert megabytes < MAX_CLIENT_MEGABYTES, words
            assert proxy.most_at_once < MAX_REPLY_BYTES, words
            # On a busy machine a few waits are those for a processor.
            stalls = sum(wait > MAX_STALL_SECONDS for wait in waits)
            slowest = sorted((one["duration"], one["command"][:80]) for one in client.slowlog_get(100))[-3:]
            assert stalls <= max(2, len(waits) // 1_000), (words, stalls, len(waits), slowest)
            client.slowlog_reset()


@contextmanager
def neighbour(url: str) -> Iterator[list[float]]:
    """How long another client waits for each of its answers meanwhile, in seconds."""
    waits: list[float] = []
    ended = threading.Event()

    def ask() -> None:
        with redis.Redis.from_url(url) as client:
            while not ended.is_set():
                began = time.perf_counter()
                client.get("neighbour")
                waits.append(time.perf_counter() - began)
                time.sleep(0.002)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield waits
    finally:
        ended.set()
        thread.join()
