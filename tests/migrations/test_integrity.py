"""What Redstart keeps on the server belongs together at every moment, so what does not is damage."""

import pytest
import redis

from redstart.errors import StateDamagedError
from redstart.mapping.base_model import model_registry
from redstart.migrations.data.damage import find_data_damage
from redstart.migrations.indexes.damage import find_index_damage
from redstart.migrations.integrity import require_intact
from redstart.model.migrations.data.builtin.datetime_migration import DatetimeFieldMigration
from redstart.next_steps import Hint
from redstart.server.clients import open_sync
from tests.migrations.indexes.conftest import MODELS, legacy, nobody_waits
from tests.migrations.test_forward_and_back import back, forward
from tests.support.crash_driver import CrashDriver
from tests.support.migration import KEYS, small_pieces
from tests.support.registry import models_of_before
from tests.support.snapshot import every_byte

__all__ = ["legacy", "models_of_before"]  # fixtures


@pytest.mark.sample(0)
def test_nothing_is_taken_for_damage_at_any_moment_of_a_run_and_its_rollback(
    legacy: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_pieces(monkeypatch)
    nobody_waits(monkeypatch)
    legacy.hset("station:visit:bad", "arrived_at", "no date")
    with open_sync(url) as other:
        looked: list[str] = []

        def look(name: str) -> None:
            """What a command beside the run would find, before each request that may change something."""
            if looked[-1:] != [name]:
                assert other.run(find_data_damage(KEYS)) == [], name
                assert other.run(find_index_damage(Hint(""))) == [], name
            looked.append(name)

        for _ in range(2):
            with CrashDriver(url, before=look) as driver:
                assert driver.run(forward(accept_unindexed=True)).data is not None
        with CrashDriver(url, before=look) as driver:
            assert driver.run(back()).data is not None
        other.run(require_intact(KEYS))
        assert len(set(looked)) > 20


def test_state_of_the_first_format_is_read_and_can_be_undone(legacy: redis.Redis, url: str) -> None:
    with open_sync(url) as driver:
        assert driver.run(forward()).data is not None
        names = (
            "format",
            "journal_last",
            "census_members",
            "failures_members",
            "replaced_members",
            "unfinished",
        )
        assert legacy.hdel(KEYS.record, *names) >= 5
        driver.run(require_intact(KEYS))
        legacy.hset("station:visit:later", "arrived_at", "2020-01-01")
        assert driver.run(forward()).data is not None
        driver.run(require_intact(KEYS))
        found = driver.run(back())
        assert found.data is not None
        assert found.data.stopped is None
        assert list(legacy.scan_iter("redstart:*")) == []


@pytest.mark.parametrize("part", ["record", "journal"])
def test_a_program_gets_an_error_and_nothing_changes(
    legacy: redis.Redis, url: str, part: str, models_of_before: None
) -> None:
    for name in [name for name, model in model_registry.items() if model not in MODELS]:
        del model_registry[name]
    with open_sync(url) as driver:
        assert driver.run(forward()).data is not None
    key = getattr(KEYS, part)
    legacy.delete(key)
    before = every_byte(legacy)
    migration = DatetimeFieldMigration(redis.Redis.from_url(url))
    for method in (migration.up, migration.down):
        with pytest.raises(StateDamagedError, match=key):
            method()
    assert every_byte(legacy) == before
