"""redis-om's record of the date migration without state of Redstart: two causes, and what each command says of them."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from redstart.migrations.state_keys import APPLIED_MIGRATIONS
from tests.cli.conftest import LOG, write_module
from tests.support.cli import run_om
from tests.support.snapshot import every_byte

__all__ = ["write_module"]

SCRIPT = Path(__file__).with_name("datetime_record.py")
MIGRATION = """
from aredis_om.model.migrations.data import BaseMigration
from datetime import datetime, timezone

class Dates(BaseMigration):
    migration_id = "{id}"
    description = "as the built-in migration"

    async def up(self):
        async for key in self.redis.scan_iter("app:log:*") if {converts} else self.nothing():
            at = datetime.fromisoformat(await self.redis.hget(key, "at")).replace(tzinfo=timezone.utc)
            await self.redis.hset(key, "at", str(at.timestamp()))

    async def nothing(self):
        for key in ():
            yield key
"""

pytestmark = pytest.mark.redis_om

Apply = Callable[[str], None]


@pytest.fixture
def apply(
    client: redis.Redis,
    url: str,
    python_with_1x: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write_module: Callable[[str], str],
) -> Apply:
    """Make the record: redis-om does, with or without a conversion; or Redstart does, and loses its state."""

    monkeypatch.setenv("REDIS_OM_URL", url)
    monkeypatch.setenv("REDSTART_MODELS", write_module(LOG))
    for number in range(3):
        client.hset(f"app:log:{number}", "at", f"2021-05-0{number + 1}T03:02:01")
    migrations = tmp_path / "of redis-om"
    migrations.mkdir()

    def by_redis_om(converts: bool) -> None:
        (migrations / "dates.py").write_text(MIGRATION.format(id=ID, converts=converts))
        subprocess.run([python_with_1x, SCRIPT, migrations], env=os.environ, check=True, capture_output=True)

    def by_redstart() -> None:
        assert run_om("migrate-data", "run", "--yes").code == 0
        for key in client.scan_iter("redstart:*"):
            client.delete(key)

    def make(cause: str) -> None:
        if cause == "state lost":
            by_redstart()
        else:
            by_redis_om(cause == "redis-om, converted")
        assert client.smembers(APPLIED_MIGRATIONS) == {ID.encode()}
        assert list(client.scan_iter("redstart:*")) == []

    return make


CAUSES = ["redis-om, converted", "redis-om, nothing converted", "state lost"]
VERIFY, RUN, RESTORE = "om migrate-data verify", "om migrate-data run", "redstart:* from a backup"
COMMANDS = {
    "status": (VERIFY, RESTORE, RUN),
    "status --check": (VERIFY, RESTORE, RUN),
    "run --dry-run": (VERIFY, RESTORE),
    "run --yes": (VERIFY, RESTORE),
    "verify": (RESTORE, RUN),
    "verify --check-data": (RESTORE, RUN),
    f"rollback {ID} --dry-run": (VERIFY, "backup"),
    f"rollback {ID} --yes": (VERIFY, "backup"),
}


@pytest.mark.sample(1)
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("cause", CAUSES)
def test_each_command_names_both_causes_and_what_decides(
    client: redis.Redis, apply: Apply, cause: str, command: str
) -> None:
    apply(cause)
    before = every_byte(client)
    ended = run_om("migrate-data", *command.split())
    text = " ".join(ended.text.split())
    for words in ("redis-om", "state of Redstart", "lost", APPLIED_MIGRATIONS, ID, *COMMANDS[command]):
        assert words in text, text
    assert command.startswith("verify") or "not converted yet" not in text  # only a verification knows
    if command != "run --yes":
        assert every_byte(client) == before


@pytest.mark.parametrize("cause", CAUSES)
def test_verify_decides_and_run_records(apply: Apply, cause: str) -> None:
    apply(cause)
    left = 3 if cause == "redis-om, nothing converted" else 0
    assert run_om("migrate-data", "verify").code == (3 if left else 0)
    status = run_om("migrate-data", "status", "--json")
    assert (status.code, status.json["recorded_elsewhere"], status.json["pending"]) == (3, True, [ID])

    assert run_om("migrate-data", "run", "--yes", "--json").json["converted"] == left

    status = run_om("migrate-data", "status", "--json")
    assert (status.code, status.json["recorded_elsewhere"], status.json["pending"]) == (0, False, [])
    assert run_om("migrate-data", "verify").code == 0
    assert RESTORE not in run_om("migrate-data", "verify").text
