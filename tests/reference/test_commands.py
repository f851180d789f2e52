"""The commands of redis-om: each is there, or is refused with what to type instead."""

import json
import subprocess

import pytest

from tests.support.cli import run_om

LISTED = """
import json
from redis_om.cli.main import om
def walk(command, words):
    for name, inside in getattr(command, "commands", {}).items():
        yield [*words, name]
        yield from walk(inside, [*words, name])
print(json.dumps(list(walk(om, []))))
"""


@pytest.mark.redis_om
def test_every_command_is_there_or_says_what_to_type(python_with_1x: str) -> None:
    done = subprocess.run([python_with_1x, "-c", LISTED], capture_output=True, text=True, check=True)
    there, replaced = set(), {}
    for words in json.loads(done.stdout):
        command = " ".join(words)
        found = run_om(*words, "--help")
        if found.code == 0:
            there.add(command)
            continue
        assert found.code == 2
        assert "Redstart has no command" in found.stderr, command
        replaced[command] = found.stderr
    assert there == {
        *("migrate", "migrate rollback", "migrate run", "migrate status", "migrate-data"),
        *("migrate create", "migrate downgrade", "migrate reset", "migrate-data create"),
        "migrate-data check-schema",
        *(
            "migrate-data clear-progress",
            "migrate-data progress",
            "migrate-data rollback",
            "migrate-data run",
        ),
        *("migrate-data status", "migrate-data verify"),
    }
    for command in ("index", "index create", "index drop", "index rebuild"):
        assert "om migrate run --models MODULE" in replaced.pop(command)
    assert replaced == {}


@pytest.mark.parametrize("option", ["--module", "-m"])
def test_the_command_of_redis_om_0(option: str) -> None:
    """It was `migrate --module shop.models`."""
    found = run_om("migrate", option, "shop.models")
    assert (found.code, found.stdout) == (2, "")
    assert (
        f"Redstart has no option 'om migrate {option}'. Use: om migrate run --models MODULE" in found.stderr
    )
    assert option not in run_om("migrate", "--help").text
