"""Files with moves of keys, functions and removed models, with the commands."""

import re
from pathlib import Path

import pytest
import redis

from tests.migrations.test_files_with_steps import FILES
from tests.support.cli import om_on_terminal, run_om


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, station: redis.Redis) -> redis.Redis:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "migrations").mkdir()
    for name, text in FILES.items():
        (tmp_path / "migrations" / f"{name}.py").write_text(text)
    for number in range(20):
        station.hset(f"shop:order:{number}", mapping={"name": f"n{number}", "price": str(number)})
    return station


STAY = "shop.Order: 20 documents and the index stay until you remove them with: om migrate cleanup"


def test_files_with_steps_are_shown_applied_cleaned_up_and_rolled_back(files: redis.Redis) -> None:
    plan = run_om("migrate", "plan")
    assert "Move the documents of Order from the keys shop:order:* to shop:purchase:*." in plan.stdout
    assert "Call up() in 2 steps, outside the undo log." in plan.stdout
    assert "Remove the model Order, its index and all its documents.\n" in plan.stdout
    assert "Move: 20 documents of Order from the keys shop:order:* to shop:purchase:*" in plan.stdout
    assert STAY in plan.stdout
    assert "the old version does not find documents of Order that have moved" in " ".join(plan.stdout.split())
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
    assert "20260104_000000_remove: 20 removed documents restored" in back.text
    assert "20260102_000000_move: 20 documents moved back" in back.text
    assert "20260103_000000_call: no documents or indexes to change" in back.text
    assert files.hgetall("shop:order:7") == {b"name": b"n7", b"price": b"7"}
    assert files.lrange("shop:log", 2, -1) == [b"down two", b"down one"]


def test_the_documents_of_a_removed_model_are_counted_first(files: redis.Redis) -> None:
    assert STAY in run_om("migrate", "plan").text
    assert run_om("upgrade", "--to", "20260103_000000_call", "--yes").code == 0
    assert STAY in run_om("migrate", "plan").text


def test_the_number_of_documents_and_the_time_are_asked(files: redis.Redis) -> None:
    def asked(*words: str) -> str:
        seen = om_on_terminal(*words, answer="n", columns=200)
        return re.sub(r"(?:less than|about) \d+ s", "TIME", " ".join(seen.shown.split()))

    size = "(20 documents, TIME)?"
    assert f"{size} [y/N]" in asked("upgrade")
    assert f"{size} [y/N]" in asked("migrate", "run")
    assert run_om("upgrade", "--yes").code == 0
    cleanup = asked("migrate", "cleanup")
    assert f"{size} This changes the documents that the old version has written" in cleanup
    assert "No process of the old version may be running. [y/N]" in cleanup
    assert "(0 documents, TIME)? [y/N]" in asked("migrate", "rollback")
    assert f"{size} [y/N]" in asked("downgrade", "20260101_000000_initial")
    assert run_om("migrate", "cleanup", "--yes").code == 0
    assert f"{size} [y/N]" in asked("migrate", "rollback")
    assert f"{size} [y/N]" in asked("downgrade", "20260101_000000_initial")


def test_json_names_the_documents_of_moves_and_removed_models(files: redis.Redis) -> None:
    planned = {one["id"]: one["estimate"] for one in run_om("migrate", "plan", "--json").json["migrations"]}
    assert planned["20260102_000000_move"]["moves"] == [
        {"model": "shop.Order", "source": "shop:order:*", "target": "shop:purchase:*", "documents": 20}
    ]
    assert planned["20260104_000000_remove"]["removed"] == [{"model": "shop.Order", "documents": 20}]
    assert run_om("upgrade", "--yes").code == 0
    assert run_om("migrate", "cleanup", "--yes").code == 0
    back = run_om("downgrade", "20260101_000000_initial", "--yes", "--json").json["migrations"]
    assert [(one["moved_back"], one["restored_documents"]) for one in back] == [(0, 20), (0, 0), (20, 0)]


def test_an_existing_key_refuses_the_move(files: redis.Redis) -> None:
    files.set("shop:purchase:x", "1")
    found = run_om("upgrade", "--yes")
    assert found.code != 0
    assert "1 keys shop:purchase:* exist already, such as shop:purchase:x." in found.text
    assert files.exists("shop:order:7")


def test_documents_that_cannot_move_back_are_listed(files: redis.Redis) -> None:
    name = "20260102_000000_move"
    assert run_om("upgrade", "--to", name, "--yes").code == 0
    for number in range(4, 8):
        files.hset(f"shop:order:{number}", "name", "of the old version")
    stopped = run_om("migrate", "rollback", name, "--yes")
    assert (stopped.code, "... 1 more" in stopped.text) == (1, True)
    assert f"List all documents with: om migrate show {name} --verbose\nContinue it with: " in stopped.text
    reason = "there is a document with its new key shop:order:7 already"
    assert reason in " ".join(run_om("migrate", "show", name, "--verbose").text.split())
    shown = run_om("migrate", "show", name).text
    assert all(text in shown for text in ("there is a document with its new key", "shop:purchase:4"))
    found = run_om("migrate", "show", name, "--json").json["failures"]
    assert [one["key"] for one in found] == [f"shop:purchase:{number}" for number in range(4, 8)]
    assert found[3] == {"key": "shop:purchase:7", "path": "", "value": "", "reason": reason}
    files.delete(*(f"shop:order:{number}" for number in range(4, 8)))
    assert run_om("migrate", "rollback", name, "--yes").code == 0
    assert run_om("migrate", "show", name, "--json").json["failures"] == []
