"""Arguments of unusual types that redis-om 1.2.0 accepts: the result is the same, or listed with a reason."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import redis

SCRIPT = Path(__file__).with_name("odd_arguments.py")

NO_PAGE_SIZE: Final = ("True", "-1", "'0'", "' 3 '", "'-1'", "'x'", "2.5", "Decimal('3')")
DIFFERENT: Final = {
    "redis-om uses the page size only if there are more documents than the limit, and then fails": {
        *(f"{call}(page_size) {value}" for call in ("copy", "FindQuery") for value in NO_PAGE_SIZE)
    },
    "not a number": {f"{call} ''" for call in ("page(offset)", "copy(offset)", "FindQuery(offset)")},
    "a limit of 0 returns no documents": {
        f"{call} 0" for call in ("page(limit)", "copy(limit)", "FindQuery(limit)")
    },
    "a name with two signs": {"copy(sort_fields) ['--rank']"},
    "not a reply of the server": {
        f"from_redis(res) {value}" for value in ("0", "''", "'rank'", "['rank']", "[None]")
    },
    "not a primary key: redis-om deletes nothing": {
        f"delete {value}" for value in ("None", "['01']", "{}", "<class 'int'>")
    },
    "a text instead of documents": {"add ''", "delete_many ''"},
}
"""Calls that redis-om accepts and that Redstart refuses or answers differently, by reason."""


def results_of(python: str, library: str, url: str) -> dict[str, list[Any]]:
    done = subprocess.run([python, SCRIPT, library, url], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    results: dict[str, list[Any]] = json.loads(done.stdout.splitlines()[-1])
    return results


@pytest.mark.redis_om
def test_what_redis_om_accepts_is_accepted(client: redis.Redis, url: str, python_with_1x: str) -> None:
    theirs = results_of(python_with_1x, "redis_om", url)
    client.execute_command("FLUSHALL", "SYNC")
    ours = results_of(sys.executable, "redstart", url)
    assert list(theirs) == list(ours)
    accepted = [name for name, result in theirs.items() if result[0] == "accepted"]
    assert len(accepted) > 500
    different = {name.partition(" ")[2] for name in accepted if ours[name] != theirs[name]}
    assert different == set.union(*DIFFERENT.values())
