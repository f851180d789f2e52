"""Compare the mapper with redis-om 1.2.0, and with redis-py and pydantic by hand, in one run: `make bench-mapper`.

Each library works in a separate process on one embedded server; they take turns, round after round. They are
compared within a round, because the speed of a machine may double within a minute; the result is the median of the
rounds. Exits with 1 if a goal is missed.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final, TypeAlias

import redis

from bench.mapper_program import CONSTRUCTED, FOUND, SINGLE
from redstart.devserver.process import EmbeddedServer

ROOT: Final = Path(__file__).parents[1]
PROGRAM: Final = Path(__file__).with_name("mapper_program.py")
LIBRARIES: Final = ("redstart", "redis_om", "plain")

Times: TypeAlias = dict[str, dict[str, tuple[float, float]]]
"""Seconds of wall time and CPU by library and measure."""


@dataclass(frozen=True, slots=True)
class Goal:
    """The goal of a measure.

    Args:
        beside: the library it is compared with.
        kind: wall time (0) or CPU (1).
        factor: how many times as fast it has to be at least; below 1, it may be slower.
    """

    measure: str
    beside: str
    kind: int
    factor: float

    def reached(self, rounds: Sequence[Times]) -> float:
        """How many times as fast it is."""
        return median(
            times[self.beside][self.measure][self.kind] / times["redstart"][self.measure][self.kind]
            for times in rounds
        )

    def __str__(self) -> str:
        unit = ("wall", "CPU")[self.kind]
        return f"{self.measure}, {unit}: {self.factor:.2f} times as fast as {self.beside}"


WALL, CPU = 0, 1
GOALS: Final = (
    Goal("construct", "redis_om", CPU, 4),
    Goal("save", "redis_om", WALL, 1.3),
    Goal("get", "redis_om", WALL, 1.3),
    Goal("save", "plain", WALL, 1 / 1.15),
    Goal("get", "plain", WALL, 1 / 1.15),
    Goal("find", "redis_om", CPU, 3),
    Goal("find", "redis_om", WALL, 2),
    Goal("add", "redis_om", WALL, 4),
    Goal("get_many", "redis_om", WALL, 4),
    Goal("import", "plain", CPU, 1 / 1.25),
)


def main() -> None:
    """Measure, print the table, and compare it with the goals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    rounds: list[Times] = []
    with EmbeddedServer() as server, redis.Redis.from_url(server.url) as client:
        for _ in range(options.rounds):
            times: Times = {}
            for library in LIBRARIES:
                client.execute_command("FLUSHALL", "SYNC")
                times[library] = _run(library, server.url, options.documents) | _run(library, "import", 0)
            rounds.append(times)
    _report(rounds, options.documents)


def _run(library: str, url: str, documents: int) -> Any:
    """What the program prints, in the environment that has the library."""
    python = (
        str(ROOT / ".venv-redis-om-1.2.0" / "bin" / "python") if library == "redis_om" else sys.executable
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src") if library == "redstart" else ""}
    done = subprocess.run(
        [python, str(PROGRAM), library, url, str(documents)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def _report(rounds: Sequence[Times], documents: int) -> None:
    """Print microseconds for one document, then which goals are met; exit with 1 if one is not."""
    counts = {"construct": CONSTRUCTED, "save": SINGLE, "get": SINGLE, "find": FOUND, "import": 1}
    print("microseconds a document, wall / CPU of the client")
    print(f"{'':12}" + "".join(f"{library:>18}" for library in LIBRARIES))
    for measure in rounds[0]["redstart"]:
        count = counts.get(measure, documents)
        cells = [
            " / ".join(
                f"{median(times[library][measure][kind] for times in rounds) * 1e6 / count:.1f}"
                for kind in (WALL, CPU)
            )
            for library in LIBRARIES
        ]
        print(f"{measure:12}" + "".join(f"{cell:>18}" for cell in cells))
    missed = False
    for goal in GOALS:
        reached = goal.reached(rounds)
        missed |= reached < goal.factor
        print(f"{'met   ' if reached >= goal.factor else 'MISSED'} {goal}: {reached:.2f}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
