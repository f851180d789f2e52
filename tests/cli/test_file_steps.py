"""Files with moves of keys, functions and removed models, with the commands."""

from pathlib import Path

import pytest
import redis

from tests.migrations.test_files_with_steps import FILES
from tests.support.cli import run_om


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, station: redis.Redis) -> redis.Redis:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "migrations").mkdir()
    for name, text in FILES.items():
        (tmp_path / "migrations" / f"{name}.py").write_text(text)
    for number in range(20):
        station.hset(f"shop:order:{number}", mapping={"name": f"n{number}", "price": str(number)})
    return station


STAY = "shop.Order: 20 documents and the index stay until om migrate cleanup removes them"


def test_files_with_steps_are_shown_applied_cleaned_up_and_rolled_back(files: redis.Redis) -> None:
    plan = run_om("migrate", "plan")
    assert "Move the documents of Order from the keys shop:order:* to shop:purchase:*." in plan.stdout
    assert "Call up() in 2 steps, outside the undo log." in plan.stdout
    assert "Remove the model Order, its index and all its documents. (not reversible)" in plan.stdout
    done = run_om("upgrade", "--yes")
    assert done.code == 0, done.text
    assert "20260102_000000_move: 20 documents moved to other keys" in done.text
    assert files.lrange("shop:log", 0, -1) == [b"up one n7", b"up two n7"]
    would = run_om("migrate", "cleanup", "--dry-run")
    assert "shop.Order: 20 documents and the index would be removed" in would.text
    assert len(list(files.scan_iter(match="shop:purchase:[0-9]*"))) == 20
    cleaned = run_om("migrate", "cleanup", "--yes")
    assert cleaned.code == 0, cleaned.text
    assert "20 documents of shop.Order removed; a rollback restores them" in cleaned.text
    assert list(files.scan_iter(match="shop:purchase:[0-9]*")) == []
    back = run_om("downgrade", "20260101_000000_initial", "--yes")
    assert back.code == 0, back.text
    assert files.hgetall("shop:order:7") == {b"name": b"n7", b"price": b"7"}
    assert files.lrange("shop:log", 2, -1) == [b"down two", b"down one"]


def test_the_documents_of_a_removed_model_are_counted_first(files: redis.Redis) -> None:
    assert STAY in run_om("migrate", "plan").text
    assert run_om("upgrade", "--to", "20260103_000000_call", "--yes").code == 0
    assert STAY in run_om("migrate", "plan").text


def test_an_existing_key_refuses_the_move(files: redis.Redis) -> None:
    files.set("shop:purchase:x", "1")
    found = run_om("upgrade", "--yes")
    assert found.code != 0
    assert "1 keys shop:purchase:* exist already, such as shop:purchase:x." in found.text
    assert files.exists("shop:order:7")
