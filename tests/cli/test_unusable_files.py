"""An applied migration file that cannot be used any more: every command names it, and none changes anything."""

from pathlib import Path

import pytest
import redis

from tests.cli.test_damaged_files import DOWNGRADE, shop
from tests.support.cli import refused, run_om
from tests.support.snapshot import Snapshot, every_byte

__all__ = ["shop"]  # a fixture

BROKEN = {
    "syntax": "migration = (",
    "import": "import nowhere_at_all",
    "error": "raise KeyError('x')",
    "exit": "raise SystemExit(0)",
    "empty": "",
    "another object": "migration = 3",
    "an operation that does not fit": (
        "from redstart.operations import *\n"
        "migration = Migration(dependencies=['20260104_000000_remove'], operations=[RemoveModel('shop.c')])"
    ),
}
ID = "20260105_000000_call"
REFUSED = (
    ("upgrade", "--yes"),
    ("migrate", "run", "--yes"),
    ("migrate", "cleanup", "--yes"),
    ("migrate", "rollback", "--yes"),
    DOWNGRADE,
)
LOOK = (("migrate", "status"), ("migrate", "status", "--json"), ("migrate", "check"), ("migrate", "history"))


@pytest.mark.sample(2)
@pytest.mark.parametrize("kind", BROKEN)
def test_a_file_that_cannot_be_used_is_named(client: redis.Redis, shop: Snapshot, kind: str) -> None:
    Path(f"migrations/{ID}.py").write_text(BROKEN[kind])
    before = every_byte(client)
    for words in (*REFUSED, *LOOK):
        found = run_om(*words)
        assert ID in found.text, (words, found.text)
        assert "Traceback" not in found.text
        assert every_byte(client) == before, words
        assert found.code == 1 if words in REFUSED else found.code in (0, 1, 3), (words, found.text)
    assert run_om("migrate", "status", "--check").code in (1, 3)


def test_a_file_that_is_gone_or_edited_is_named_by_the_status(client: redis.Redis, shop: Snapshot) -> None:
    file = Path(f"migrations/{ID}.py")
    text = file.read_text()
    file.write_text(text.replace('"two"', '"three"'))
    assert "edited after it was applied" in run_om("migrate", "status").stdout
    (found,) = run_om("migrate", "status", "--json").json["migration_files"]["differences"]
    assert (found["kind"], found["id"]) == ("edited", ID)
    file.unlink()
    assert "has no file" in run_om("migrate", "status").stdout
    file.write_text(text)
    assert run_om("migrate", "status", "--json").json["migration_files"]["differences"] == []


def test_a_file_whose_run_or_rollback_is_not_complete_is_not_recorded(
    client: redis.Redis, shop: Snapshot
) -> None:
    """Some of its documents are changed and others are not; as applied, none of them would be changed any more."""
    last = "20260107_000000_title"
    client.hset("redstart:migrations:started", last, "0" * 64)
    for words in ((last,), ("--to", last), ("--remove", last)):
        before = every_byte(client)
        found = run_om("migrate", "stamp", *words, "--yes")
        refused(found, 1, f"A rollback of {last} is not complete", f"om migrate rollback {last}")
        assert every_byte(client) == before
    client.hdel("redstart:migrations:started", last)
    assert run_om("migrate", "rollback", "--yes").code == 0
    client.hset("redstart:migrations:started", last, "0" * 64)
    for words in ((last,), ("--to", last)):
        before = every_byte(client)
        found = run_om("migrate", "stamp", *words, "--yes")
        refused(found, 1, f"A run of {last} is not complete", "om upgrade", f"om migrate rollback {last}")
        assert every_byte(client) == before
