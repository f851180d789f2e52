"""Migration files beside processes of an old version that write all the time: complete, and cleaned up afterwards."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
import redis

from tests.support.cli import run_om, run_om_in
from tests.support.registry import models_of_before

__all__ = ["models_of_before"]  # a fixture

INITIAL, CHANGE = "20260101_000000_initial", "20260102_000000_change"

WRITER = """
import sys, time
import redis

client = redis.Redis.from_url(sys.argv[1])
number = 0
while True:
    number += 1
    pk = number % 500 if sys.argv[2] == "same" else 1_000 + number
    client.hset(f"shop:order:{pk}", mapping={"pk": pk, "name": f"n{number}"})
    client.execute_command("JSON.SET", f"shop:note:{pk}", "$", f'{{"pk": "1", "name": "n{number}"}}')
    if number == 20:
        print("works", flush=True)
    time.sleep(0.02 if sys.argv[2] == "same" else 0.001)
"""

MODEL = """Model(
    "shop.{0}", key_prefix="shop:{1}:", storage="{2}", fields=[Field("name", "str")],
    index=Index("shop:{1}:index", Storage.{3}, ("shop:{1}:",),
        (IndexField({4}, "name", FieldKind.TAG, separator="|"),)),
)"""
ORDER = MODEL.format("Order", "order", "hash", "HASH", '"name"')
NOTE = MODEL.format("Note", "note", "json", "JSON", '"$.name"')


def write(name: str, operations: str, *dependencies: str) -> None:
    Path("migrations").mkdir(exist_ok=True)
    text = f"""from redstart.operations import *

migration = Migration(dependencies={list(dependencies)}, operations=[{operations}])
"""
    Path(f"migrations/{name}.py").write_text(text, encoding="utf-8")


def om(*words: str, code: int = 0) -> str:
    found = run_om(*words)
    assert found.code == code, found.text
    return " ".join(found.stdout.split())


def cleanup_pending() -> list[str]:
    found: list[str] = run_om("migrate", "cleanup", "--dry-run", "--json").json["would_contract"]
    return found


@contextmanager
def old_version(url: str, keys: Literal["same", "new"]) -> Iterator[None]:
    """A process that writes hashes and JSON documents, with existing or with new keys."""
    with subprocess.Popen([sys.executable, "-c", WRITER, url, keys], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"works\n"
        try:
            yield
        finally:
            process.kill()


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, client: redis.Redis) -> redis.Redis:
    """A client of a server with 300 hashes and 300 JSON documents; the first file is applied."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_OM_URL", url)
    monkeypatch.delenv("REDSTART_MODELS", raising=False)
    write(INITIAL, f"CreateModel({ORDER}), CreateModel({NOTE})")
    plan = om("migrate", "plan")
    assert plan.endswith("Deployment: 1. Apply the file: om upgrade 2. Start the application."), plan
    assert "Cleanup pending" not in om("upgrade")
    pipe = client.pipeline(transaction=False)
    for number in range(300):
        pipe.hset(f"shop:order:{number}", mapping={"pk": number, "name": "n"})
        pipe.execute_command("JSON.SET", f"shop:note:{number}", "$", '{"pk": "1", "name": "n"}')
    pipe.execute()
    return client


def documents(client: redis.Redis) -> list[dict[str, str]]:
    found = [
        {name.decode(): value.decode() for name, value in client.hgetall(key).items()}
        for key in client.scan_iter(match="shop:order:[0-9]*")
    ]
    return found + [
        json.loads(client.execute_command("JSON.GET", key)) for key in client.scan_iter("shop:note:[0-9]*")
    ]


ADDED = ", ".join(
    f'AddField("shop.{name}", Field("priority", "int", default=1))' for name in ("Order", "Note")
)
RENAMED = ", ".join(f'RenameField("shop.{name}", "name", "title", keep="old")' for name in ("Order", "Note"))


@pytest.mark.parametrize(
    ("operations", "name", "removed"), [(ADDED, "priority", ""), (RENAMED, "title", "name")]
)
def test_an_upgrade_is_complete_beside_a_writer_and_a_cleanup_changes_the_rest(
    shop: redis.Redis, url: str, operations: str, name: str, removed: str
) -> None:
    write(CHANGE, operations, INITIAL)
    plan = om("migrate", "plan")
    assert "Apply the file while the old version runs: om upgrade" in plan
    assert "om migrate cleanup. It changes documents that the old version wrote since" in plan
    assert ("removes the values of Order.name, Note.name" in plan) is bool(removed)
    with old_version(url, "same"):
        done = om("upgrade")
        assert done.startswith("1 migration file applied.")
        assert (
            "When the old version of the application no longer runs, clean up with: om migrate cleanup. It changes"
            in done
        )
    shop.hset("shop:order:9999", mapping={"pk": "9999", "name": "late"})
    assert any(name not in document for document in documents(shop))
    assert cleanup_pending() == [CHANGE]
    assert f"{CHANGE}: " in om("migrate", "cleanup")
    left = [one for one in documents(shop) if name not in one or (removed and removed in one)]
    assert left == []
    assert cleanup_pending() == []
    assert "changed or removed" not in om("migrate", "cleanup")


MODELS = """
from redstart import Field, HashModel, JsonModel


class Order(HashModel, index=True):
    name: str = Field(index=True)
    priority: int = 1

    class Meta:
        global_key_prefix = "shop"
        model_key_prefix = "order"


class Note(JsonModel, index=True):
    name: str = Field(index=True)
    priority: int = 1

    class Meta:
        global_key_prefix = "shop"
        model_key_prefix = "note"
"""


def test_status_and_check_show_a_pending_cleanup(shop: redis.Redis) -> None:
    Path("shop.py").write_text(MODELS, encoding="utf-8")

    def shown(*words: str) -> str:
        return " ".join(run_om_in(Path.cwd(), {}, "migrate", *words, "--models", "shop").stdout.split())

    write(CHANGE, ADDED, INITIAL)
    om("upgrade")
    said = f"Cleanup pending: {CHANGE} When the old version no longer runs, clean up with: om migrate cleanup"
    assert said in shown("status")
    assert said in shown("check")
    assert json.loads(shown("check", "--json"))["cleanup_pending"] == [CHANGE]
    assert json.loads(shown("status", "--json"))["migration_files"]["cleanup_pending"] == [CHANGE]
    om("migrate", "cleanup")
    assert "Cleanup pending" not in shown("status") + shown("check")


def test_a_cleanup_of_an_earlier_file_does_not_undo_a_later_one(shop: redis.Redis) -> None:
    """The new version writes only the field of the later file, which the earlier one would add again."""
    third = "20260103_000000_state"
    write(CHANGE, 'AddField("shop.Order", Field("status", "str", default="open"))', INITIAL)
    om("upgrade")
    write(third, 'RenameField("shop.Order", "status", "state", keep="old")', CHANGE)
    om("upgrade")
    shop.hset("shop:order:new", mapping={"pk": "new", "name": "n", "state": "closed"})
    assert cleanup_pending() == [third]
    om("migrate", "cleanup")
    assert shop.hgetall("shop:order:new") == {b"pk": b"new", b"name": b"n", b"state": b"closed"}
    assert shop.hget("shop:order:7", "state") == b"open"


MOVED = (
    'ChangeKeyPrefix("shop.Order", before="shop:order:", after="shop:purchase:"), '
    'AlterIndex("shop.Order", before={0}, after={1})'
)


def test_a_move_of_keys_tells_to_stop_the_old_version(shop: redis.Redis, url: str) -> None:
    index = MODEL.format("Order", "{0}", "hash", "HASH", '"name"').partition("index=")[2].rpartition(",")[0]
    write(CHANGE, MOVED.format(index.replace("{0}", "order"), index.replace("{0}", "purchase")), INITIAL)
    plan = om("migrate", "plan")
    assert "1. Stop what writes Order in the old version: the run cannot be completed while it writes" in plan
    assert "2. Apply the file: om upgrade" in plan
    assert "om migrate cleanup. It drops the index shop:order:index." in plan
    with old_version(url, "new"):
        found = run_om("upgrade")
        assert found.code in (3, 5), found.text
        shown = " ".join(found.stdout.split())
        said = (
            "stop it; otherwise correct the documents listed above. Then run again: om upgrade"
            if found.code == 3
            else "stop it first. Resume with: om upgrade"
        )
        assert said in shown, shown
        assert "accept-unindexed" not in shown
    assert om("upgrade").startswith("1 migration file applied.")
    assert not list(shop.scan_iter(match="shop:order:[0-9]*"))


def test_a_plan_shows_what_a_cleanup_removes(shop: redis.Redis) -> None:
    index = MODEL.format("Note", "note", "json", "JSON", '"$.name"').partition("index=")[2].rpartition(",")[0]
    renamed = index.replace("shop:note:index", "shop:notes")
    write(
        CHANGE,
        f'RemoveModel("shop.Order"), AlterIndex("shop.Note", before={index}, after={renamed})',
        INITIAL,
    )
    plan = om("migrate", "plan")
    said = "It removes the documents of Order, and drops the index shop:order:index, shop:note:index."
    assert said in plan, plan
    om("upgrade")
    assert len(documents(shop)) == 600
    om("migrate", "cleanup")
    assert len(documents(shop)) == 300
    indexes = [name.decode() for name in shop.execute_command("FT._LIST")]
    assert [name.partition("@")[0] for name in indexes] == ["shop:notes"]
    with pytest.raises(redis.ResponseError):
        shop.ft("shop:note:index").info()
    assert shop.ft("shop:notes").search("@name:{n}").total == 300
    om("migrate", "rollback")
    assert len(documents(shop)) == 600
    assert shop.ft("shop:note:index").search("@name:{n}").total == 300
