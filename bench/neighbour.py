"""What other clients wait for while each command works on large documents.

    python -m bench.neighbour [--scale 1.0] [--only NAME] [--rest SECONDS] [--json]

For each kind of documents, a server of its own is loaded, and every command is run once as a process. A neighbour, a
process of its own, sends a GET every 2 ms, whether or not the last one is answered in time: a wait begins when the
request was due. On a busy machine these waits are also those for a processor. So the first line of each kind is a
neighbour without any command, and the last columns are what the server itself counted: the longest command of its
SLOWLOG, and how many took more than 20 and 50 ms.

The embedded server uses the allocator of libc, which slows an index down when many values of a document are replaced.
Most servers for production use jemalloc; with LD_PRELOAD=libjemalloc.so.2 the embedded server does, too.

The lists of dates are indexed by an index of the application, which reads all values of a document again whenever one
of them is set.
"""

import argparse
import json
import multiprocessing
import os
import select
import shlex
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import Any

import redis

from bench.conversion import free_port
from bench.neighbour_models import STATION_PREFIX, VISIT_PREFIX
from redstart.devserver.process import EmbeddedServer
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION

MODELS = "bench.neighbour_models"
COMMANDS = (
    ("migrate", "run", "--models", MODELS),
    ("migrate-data", "stats", "--models", MODELS),
    ("migrate-data", "run", "--dry-run", "--models", MODELS),
    ("migrate-data", "run", "--models", MODELS),
    ("migrate-data", "verify", "--models", MODELS),
    ("migrate-data", "verify", "--check-data", "--models", MODELS),
    ("migrate-data", "status", "--models", MODELS),
    ("migrate-data", "errors"),
    ("migrate-data", "rollback", "--dry-run", "--accept-unindexed", DATETIME_MIGRATION),
    ("migrate-data", "rollback", "--accept-unindexed", DATETIME_MIGRATION),
)
"""In this order: the index of the models is built before the conversion. The index on lists belongs to no model."""

PERIOD_SECONDS = 0.002
SLOW_MICROSECONDS = 10_000
_REQUEST = b"*2\r\n$3\r\nGET\r\n$9\r\nneighbour\r\n"
_ANSWER = b"$-1\r\n"


@dataclass(frozen=True, slots=True)
class Kind:
    """Documents of one kind.

    Attributes:
        size: about how many bytes a document has.
        dates: in its list; of a hash 0.
    """

    name: str
    documents: int
    size: int
    dates: int
    json: bool = True

    def load(self, client: redis.Redis, scale: float) -> int:
        """Store the documents and create the index of the lists. Return the number of documents."""
        if self.json:
            schema = ("$.readings[*].at", "AS", "at", "NUMERIC", "$.readings[*].note", "AS", "note", "TAG")
            client.execute_command(
                "FT.CREATE", "bench:lists", "ON", "JSON", "PREFIX", 1, STATION_PREFIX, "SCHEMA", *schema
            )
        documents = max(1, round(self.documents * scale))
        for number in range(documents):
            client.execute_command(*self._write(number))
        return documents

    def _write(self, number: int) -> tuple[Any, ...]:
        moment = f"2021-05-04T03:02:{number % 60:02}"
        if not self.json:
            body = "x" * self.size
            return ("HSET", f"{VISIT_PREFIX}{number}", "pk", number, "name", "a", "at", moment, "body", body)
        readings = [{"at": f"{moment}.{at:06}", "note": f"n{at % 97}"} for at in range(self.dates)]
        document = {"pk": str(number), "name": "a", "opened_at": moment, "readings": readings, "body": ""}
        document["body"] = "x" * max(0, self.size - len(json.dumps(document)))
        return ("JSON.SET", f"{STATION_PREFIX}{number}", "$", json.dumps(document))


KINDS = (
    Kind("json 0.4 MB, 20 dates", 1_000, 400_000, 20),
    Kind("json 0.4 MB, 2000 dates", 1_000, 400_000, 2_000),
    Kind("json 4 MB, 20 dates", 400, 4_000_000, 20),
    Kind("json 4 MB, 2000 dates", 400, 4_000_000, 2_000),
    Kind("json 4 MB, 45000 dates", 10, 4_000_000, 45_000),
    Kind("hash 0.4 MB", 1_000, 400_000, 0, json=False),
    Kind("hash 4 MB", 400, 4_000_000, 0, json=False),
)


@dataclass(slots=True)
class Measured:
    """What one command cost others.

    Attributes:
        seconds: how long it took.
        client_megabytes: the most memory of its process.
        waits_ms: of the neighbour: median, 99th percentile, longest.
        stalls: how many of its `requests` waited for more than 50 ms.
        longest_ms: the longest command of the server's SLOWLOG, 0 below 10 ms; `longest_command`: its first words.
        above_20_ms, above_50_ms: how many commands the server counted.
    """

    kind: str
    command: str
    documents: int
    seconds: float = 0.0
    client_megabytes: float = 0.0
    server_cpu_seconds: float = 0.0
    waits_ms: tuple[float, float, float] = (0.0, 0.0, 0.0)
    requests: int = 0
    stalls: int = 0
    longest_ms: float = 0.0
    longest_command: str = ""
    above_20_ms: int = 0
    above_50_ms: int = 0


@dataclass(slots=True)
class Waits:
    """How long a neighbour has waited, in milliseconds; filled when it has ended."""

    all: list[float] = field(default_factory=list)


def main(arguments: list[str] | None = None) -> None:
    """Measure every kind and print what was found."""
    options = _options(arguments)
    found = []
    for kind in KINDS:
        if options.only in (None, kind.name):
            for item in measure(kind, options.scale, options.rest):
                found.append(item)
                print(_line(item), file=sys.stderr if options.json else sys.stdout, flush=True)
    if options.json:
        print(json.dumps([asdict(item) for item in found], indent=2))


def measure(
    kind: Kind, scale: float, rest_seconds: float, commands: Sequence[tuple[str, ...]] = COMMANDS
) -> Iterator[Measured]:
    """Yield what a neighbour waits for without a command (if there is time for that), and beside each command."""
    port = free_port()
    logged = ("--slowlog-log-slower-than", str(SLOW_MICROSECONDS), "--slowlog-max-len", "100000")
    with (
        EmbeddedServer(port=port, extra_arguments=logged) as server,
        redis.Redis.from_url(server.url) as client,
    ):
        documents = kind.load(client, scale)
        if rest_seconds:
            alone = Measured(kind.name, "(none)", documents)
            with _observed(client, port, alone):
                time.sleep(rest_seconds)
            yield alone
        for words in commands:
            found = Measured(kind.name, _short(words), documents)
            with _observed(client, port, found):
                _run([sys.executable, "-m", "redstart.cli.main", *words, "--url", server.url], found)
            yield found


def _short(words: tuple[str, ...]) -> str:
    return " ".join(
        word for word in words if word not in ("--models", "--accept-unindexed", MODELS, DATETIME_MIGRATION)
    )


def _run(command: list[str], found: Measured) -> None:
    began = time.perf_counter()
    found.client_megabytes = peak_megabytes(command)
    found.seconds = time.perf_counter() - began


_PEAK_OF_CHILD = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""
"""A small process in between: a command is charged with the memory of the process that starts it."""


def peak_megabytes(command: list[str]) -> float:
    """Run a command, and return the most memory that it had. Raises SystemExit if it fails."""
    done = subprocess.run(
        [sys.executable, "-c", _PEAK_OF_CHILD, *command], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"{shlex.join(command)} ended with exit code {done.returncode}: no measurement")
    return int(done.stdout) / (1_000_000 if sys.platform == "darwin" else 1_000)


@contextmanager
def _observed(client: redis.Redis, port: int, found: Measured) -> Iterator[None]:
    client.slowlog_reset()
    cpu = _server_cpu_seconds(client)
    with neighbour(port) as waits:
        yield
    found.server_cpu_seconds = _server_cpu_seconds(client) - cpu
    ordered = sorted(waits.all)
    found.requests = len(ordered)
    found.waits_ms = tuple(ordered[int(part * (len(ordered) - 1))] for part in (0.5, 0.99, 1.0))  # type: ignore[assignment]  # three of them
    found.stalls = sum(wait > 50 for wait in ordered)
    slow = client.slowlog_get(100_000)
    found.above_20_ms = sum(one["duration"] > 20_000 for one in slow)
    found.above_50_ms = sum(one["duration"] > 50_000 for one in slow)
    if slow:
        longest = max(slow, key=lambda one: one["duration"])
        found.longest_ms = longest["duration"] / 1_000
        found.longest_command = " ".join(longest["command"].decode(errors="replace").split()[:3])[:60]


def _server_cpu_seconds(client: redis.Redis) -> float:
    found = client.info("cpu")
    return float(found["used_cpu_user"]) + float(found["used_cpu_sys"])


@contextmanager
def neighbour(port: int) -> Iterator[Waits]:
    """Have a process send a GET every 2 ms; afterwards, return how long each of them waited."""
    waits = Waits()
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=ask, args=(port, theirs))
    process.start()
    try:
        ours.recv()
        yield waits
    finally:
        ours.send(None)
        waits.all = ours.recv()
        process.join()


def ask(port: int, pipe: Any) -> None:
    """Send a GET every 2 ms until told to end, also while others are not answered; then send the waits.

    This process has priority over client and server, if the user may set it: other clients usually run on other
    machines, and do not wait for the processors of these two.
    """
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    waits: list[float] = []
    unanswered: deque[float] = deque()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pipe.send(None)
        due = time.perf_counter()
        received = 0
        while unanswered or not pipe.poll():
            now = time.perf_counter()
            while due <= now and not pipe.poll():
                connection.sendall(_REQUEST)
                unanswered.append(due)
                due += PERIOD_SECONDS
            if select.select([connection], [], [], max(0.0, due - now))[0]:
                received += len(connection.recv(65_536))
                now = time.perf_counter()
                while received >= len(_ANSWER):
                    received -= len(_ANSWER)
                    waits.append((now - unanswered.popleft()) * 1_000)
    pipe.send(waits)


def _line(item: Measured) -> str:
    median, high, most = item.waits_ms
    return (
        f"{item.kind} x {item.documents}: {item.command} ({item.seconds:.1f} s, "
        f"client {item.client_megabytes:.0f} MB, server {item.server_cpu_seconds:.1f} s of CPU): "
        f"wait p50 {median:.1f}, p99 {high:.1f}, longest {most:.1f} ms, {item.stalls} of {item.requests} above 50 ms; "
        f"server: longest {item.longest_ms:.1f} ms {item.longest_command!r}, {item.above_20_ms} above 20 ms, "
        f"{item.above_50_ms} above 50 ms"
    )


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.neighbour", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of documents (default 1.0)")
    parser.add_argument("--only", choices=[kind.name for kind in KINDS], help="one kind alone")
    parser.add_argument(
        "--rest", type=float, default=3.0, help="seconds of a neighbour without a command (default 3)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON list on stdout")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
