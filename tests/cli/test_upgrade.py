"""`om upgrade`, `om downgrade`, and the commands beside them: the life of a project with migration files."""

import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from redstart.cli.migrate import undo_files
from redstart.migrations.files.ledger import read_ledger
from redstart.migrations.lease_state import this_process
from redstart.migrations.state_keys import FILES_LEASE, STARTED_FILES
from redstart.server.clients import open_sync
from tests.cli.test_guide_order import stopping_at_once
from tests.support.cli import Ended, om_on_terminal, refused, run_om
from tests.support.snapshot import every_byte

INITIAL, TITLE, CENTS = "20260101_000000_initial", "20260102_000000_title", "20260103_000000_cents"
INDEX = (
    'Index("shop:order:index", Storage.HASH, ("shop:order:",), '
    '(IndexField({0!r}, {0!r}, FieldKind.TAG, separator="|"),))'
)
TEXTS = {
    INITIAL: f'''
        """Create Order."""

        from redstart.operations import *

        migration = Migration(
            operations=[
                CreateModel(
                    Model(
                        "shop.Order",
                        key_prefix="shop:order:",
                        storage="hash",
                        fields=[Field("name", "str"), Field("price", "str")],
                        index={INDEX.format("name")},
                    )
                )
            ]
        )
        ''',
    TITLE: f'''
        """Rename name to title."""

        from redstart.operations import *

        migration = Migration(
            dependencies=["{INITIAL}"],
            operations=[
                RenameField("shop.Order", "name", "title"),
                AlterIndex("shop.Order", before={INDEX.format("name")}, after={INDEX.format("title")}),
            ],
        )
        ''',
    CENTS: f'''
        """Prices are numbers."""

        from redstart.operations import *

        migration = Migration(
            dependencies=["{TITLE}"],
            operations=[
                ConvertField("shop.Order", Field("price", "str"), Field("price", "int")),
                AlterIndex(
                    "shop.Order",
                    before={INDEX.format("title")},
                    after=Index(
                        "shop:order:index", Storage.HASH, ("shop:order:",),
                        (
                            IndexField("title", "title", FieldKind.TAG, separator="|"),
                            IndexField("price", "price", FieldKind.NUMERIC),
                        ),
                    ),
                ),
            ],
        )
        ''',
}
MODELS = """
    from redstart import Field, HashModel


    class Order(HashModel, index=True):
        {fields}

        class Meta:
            global_key_prefix = "shop"
            model_key_prefix = "order"
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, client: redis.Redis) -> redis.Redis:
    """A client of a server with 20 orders; the current directory has the three files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_OM_URL", url)
    monkeypatch.delenv("REDSTART_MODELS", raising=False)
    lay(*TEXTS)
    add_orders(client, 20)
    return client


def lay(*names: str) -> None:
    """Write these files, and no other."""
    root = Path("migrations")
    root.mkdir(exist_ok=True)
    for old in root.glob("*.py"):
        old.unlink()
    for name in names:
        (root / f"{name}.py").write_text(textwrap.dedent(TEXTS[name]).lstrip(), encoding="utf-8")


def add_orders(client: redis.Redis, count: int, **fields: str) -> None:
    pipe = client.pipeline(transaction=False)
    for number in range(count):
        pipe.hset(f"shop:order:{number}", mapping={"name": f"n{number}", "price": f"{number}.0"} | fields)
    pipe.execute()


def om(*words: str, code: int = 0) -> Ended:
    found = run_om(*words)
    assert found.code == code, found.text
    return found


def applied(url: str) -> list[str]:
    with open_sync(url) as driver:
        return sorted(driver.run(read_ledger()).entries)


def documents(client: redis.Redis) -> dict[bytes, object]:
    return {key: value for key, value in every_byte(client).items() if re.fullmatch(rb"shop:order:\d+", key)}


def order(client: redis.Redis, number: int = 7) -> dict[bytes, bytes]:
    return client.hgetall(f"shop:order:{number}")


# The life of a project


def test_the_life_of_a_project(
    tmp_path: Path,
    url: str,
    client: redis.Redis,
    write_module: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Create, upgrade, change the models, create, plan, upgrade, clean up, roll back, downgrade."""
    monkeypatch.setenv("REDIS_OM_URL", url)

    def models(*fields: str) -> str:
        name = write_module(MODELS.format(fields="\n        ".join(fields)))
        path = tmp_path / "shop.py"
        path.write_text((tmp_path / f"{name}.py").read_text(), encoding="utf-8")
        return "shop"

    def create(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "redstart.cli.main", "migrate", "create", *words, "--models", "shop"],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join((str(tmp_path), *sys.path))},
        )
        path = re.search(r"migrations/(\w+)\.py", done.stdout)
        assert path is not None, done.stdout
        return path[1]

    models("name: str = Field(index=True)", "total: str")
    first = create("initial")
    assert om("upgrade").stdout.startswith("1 migration file applied.\n")
    for number in range(10):
        client.hset(
            f"shop:order:{number}", mapping={"pk": number, "name": f"n{number}", "total": f"{number}"}
        )
    before = documents(client)

    models("title: str = Field(index=True)", "total: str", "priority: int = 0")
    second = create("title", "--rename", "Order.name=title")
    planned = om("migrate", "plan").stdout
    for words in (
        "Documents: 10 with keys shop:order:*; 20 values to change",
        "FT.CREATE shop:order:index@",
        "Kept until cleanup: Order.name",
        "these queries of the old version fail after the cutover",
    ):
        assert words in planned, planned
    assert documents(client) == before
    done = om("upgrade").stdout
    assert done.startswith("1 migration file applied.\n")
    assert "10 documents read, 20 values changed; 1 index changed" in done
    assert order(client) == {b"pk": b"7", b"name": b"n7", b"title": b"n7", b"total": b"7", b"priority": b"0"}
    assert client.ft("shop:order:index").search("@title:{n7}").total == 1
    assert applied(url) == [first, second]

    assert "10 values changed or removed" in om("migrate", "cleanup").stdout
    assert b"name" not in order(client)
    assert om("migrate", "cleanup").stdout == "Nothing to drop: no unused indexes.\n"
    assert om("migrate", "rollback").stdout.startswith("1 migration file rolled back.\n")
    assert documents(client) == before
    assert applied(url) == [first]
    om("upgrade")
    assert om("downgrade", "base").stdout.startswith("2 migration files rolled back.\n")
    assert (documents(client), applied(url)) == (before, [])
    assert om("downgrade", "base").stdout == "Nothing to roll back.\n"


# Options


def test_up_to_a_file_and_back_to_a_file(shop: redis.Redis, url: str) -> None:
    before = documents(shop)
    assert om("upgrade", "--to", TITLE[:8]).stdout.startswith("2 migration files applied.")
    assert applied(url) == [INITIAL, TITLE]
    om("upgrade")
    assert applied(url) == [INITIAL, TITLE, CENTS]
    assert om("upgrade").stdout == "No pending migration files.\n"
    assert om("downgrade", INITIAL).stdout.startswith("2 migration files rolled back.")
    assert (applied(url), documents(shop)) == ([INITIAL], before)
    refused(run_om("downgrade", TITLE), 1, f"{TITLE} is not applied")
    refused(run_om("upgrade", "--to", INITIAL), 1, f"{INITIAL} is not pending")
    refused(run_om("upgrade", "--to", "gone"), 1, "The migration 'gone' does not exist")


def test_verbose_prints_a_line_for_each_step(shop: redis.Redis) -> None:
    assert om("migrate", "run", "--yes", "--verbose").stderr.count("converting") > 1
    assert om("migrate", "rollback", CENTS, "--yes", "--verbose").stderr.count("replaying the undo log") >= 1
    assert "converting" not in om("migrate", "run", "--yes").stderr
    assert "replaying" not in om("migrate", "rollback", CENTS, "--yes").stderr


def test_a_dry_run_writes_nothing(shop: redis.Redis) -> None:
    om("upgrade", "--to", INITIAL)
    before = every_byte(shop)
    found = om("upgrade", "--dry-run").stdout
    assert found.startswith("Dry run: 2 migration files would be applied; nothing was written.\n")
    assert "Documents: 20 with keys shop:order:*; 20 values to change" in found
    data = om("upgrade", "--dry-run", "--json").json
    assert [one["id"] for one in data["migrations"]] == [TITLE, CENTS]
    assert data["migrations"][0]["estimate"]["documents"] == 20
    assert data["migrations"][0]["estimate"]["kept_until_cleanup"] == ["Order.name"]
    assert data["migrations"][1]["estimate"]["changed_in_place"] == ["Order.price"]
    assert om("migrate", "run", "--dry-run").stdout.startswith("Dry run: 2 migration files")
    assert every_byte(shop) == before


def test_the_prompt_names_documents_and_time(shop: redis.Redis, url: str) -> None:
    om("upgrade", "--to", INITIAL)
    seen = om_on_terminal("upgrade", answer="n", columns=120)
    assert seen.code == 1
    assert "Apply 2 migration files on" in seen.shown
    assert "(20 documents, less than 1 s)?" in " ".join(seen.shown.split())
    assert applied(url) == [INITIAL]
    assert om_on_terminal("upgrade", answer="y").code == 0
    assert applied(url) == [INITIAL, TITLE, CENTS]


@pytest.mark.parametrize("columns", [80, 120])
def test_no_line_is_wider_than_the_terminal_and_none_is_shown_twice(shop: redis.Redis, columns: int) -> None:
    om("upgrade", "--to", INITIAL)
    shown = om_on_terminal("upgrade", answer="y", columns=columns).shown
    lines = [one.rstrip() for one in shown.replace("\r", "\n").splitlines() if one.strip()]
    assert max(map(len, lines)) <= columns
    sentences = [one for one in lines if one.strip().endswith(".")]
    assert len(sentences) == len(set(sentences))


# Values and indexes that do not fit


def test_values_that_cannot_be_converted_are_listed_by_reason(shop: redis.Redis, url: str) -> None:
    shop.hset("shop:order:3", "price", "free")
    shop.hset("shop:order:4", "price", "free")
    shop.hset("shop:order:5", "price", "1.5")
    found = om("upgrade", code=3)
    assert found.stdout.startswith(
        f"Stopped at {CENTS}: a cutover was refused, because queries would lose documents."
    )
    assert "Failed values, left unchanged: 3" in found.stdout
    assert "shop:order:5 price: 1.5" in found.stdout
    assert f"Or roll back with: om migrate rollback {CENTS}" in found.stdout
    assert applied(url) == [INITIAL, TITLE]
    shown = om("migrate", "show", CENTS)
    assert "started, not complete" in shown.stdout
    assert "Failed values, left unchanged: 3" in shown.stdout
    assert om("migrate", "show", CENTS, "--verbose").stdout.count("failed: shop:order:") == 3
    data = om("migrate", "show", CENTS, "--json").json
    assert (data["failed"], {one["key"] for one in data["failures"]}) == (
        3,
        {"shop:order:3", "shop:order:4", "shop:order:5"},
    )
    # The documents are corrected, and the same command completes the file.
    for number in (3, 4, 5):
        shop.hset(f"shop:order:{number}", "price", "1")
    assert om("upgrade").stdout.startswith("1 migration file applied.")
    assert applied(url) == [INITIAL, TITLE, CENTS]
    assert "Failed values" not in om("migrate", "show", CENTS).stdout


def test_a_refused_cutover_is_accepted_or_rolled_back(shop: redis.Redis, url: str) -> None:
    om("upgrade", "--to", TITLE)
    shop.hset("shop:order:3", "price", "free")
    before = documents(shop)
    om("upgrade", code=3)
    assert (
        om("migrate", "check", "--models", "redstart.demo.models", code=3).stdout.count(
            "a run of it was started"
        )
        == 1
    )
    om("migrate", "rollback")
    assert documents(shop) == before
    assert applied(url) == [INITIAL, TITLE]
    assert not shop.exists(STARTED_FILES)
    om("upgrade", code=3)
    om("downgrade", TITLE)
    assert documents(shop) == before
    assert om("upgrade", "--accept-unindexed").stdout.startswith("1 migration file applied.")
    assert applied(url) == [INITIAL, TITLE, CENTS]


def test_the_failure_mode_fail_stops_and_the_same_command_resumes(shop: redis.Redis, url: str) -> None:
    om("upgrade", "--to", TITLE)
    shop.hset("shop:order:3", "price", "free")
    found = om("upgrade", "--failure-mode", "fail", code=5)
    assert found.stdout.startswith(f"Stopped at {CENTS}: ")
    assert "Resume with: om upgrade --failure-mode fail" in found.stdout
    data = om("upgrade", "--failure-mode", "fail", "--json", code=5).json
    assert (data["status"], data["pending"]) == ("stopped", [CENTS])
    assert data["migrations"][0]["reason"]
    shop.hset("shop:order:3", "price", "3")
    om("upgrade", "--failure-mode", "fail")
    assert applied(url) == [INITIAL, TITLE, CENTS]


# Refusals


def edit(name: str) -> None:
    path = Path("migrations") / f"{name}.py"
    path.write_text(path.read_text(encoding="utf-8") + "\n# edited\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "of"),
    [(("upgrade",), INITIAL), (("migrate", "rollback"), TITLE), (("migrate", "cleanup"), TITLE)],
)
def test_an_edited_file_is_refused_before_the_first_write(
    shop: redis.Redis, words: tuple[str, ...], of: str
) -> None:
    om("upgrade", "--to", TITLE)
    edit(of)
    before = every_byte(shop)
    refused(run_om(*words), 1, f"{of} was edited after it was applied")
    assert every_byte(shop) == before


def test_a_file_that_was_edited_during_its_run_is_refused(shop: redis.Redis) -> None:
    om("upgrade", "--to", TITLE)
    shop.hset("shop:order:3", "price", "free")
    om("upgrade", code=3)
    edit(CENTS)
    before = every_byte(shop)
    refused(
        run_om("upgrade"),
        1,
        f"{CENTS} was edited after a run of it was started",
        f"om migrate rollback {CENTS}",
    )
    refused(run_om("migrate", "rollback"), 1, f"{CENTS} was edited after a run of it was started")
    assert every_byte(shop) == before
    lay(*TEXTS)
    om("migrate", "rollback")
    edit(CENTS)
    om("migrate", "plan")


def test_two_heads_are_refused(shop: redis.Redis, url: str) -> None:
    other = Path("migrations/20260104_000000_other.py")
    other.write_text(
        f'from redstart.operations import Migration\n\nmigration = Migration(dependencies=["{TITLE}"])\n',
        encoding="utf-8",
    )
    refused(run_om("upgrade"), 1, "om migrate merge")
    assert applied(url) == []


def test_a_file_that_others_depend_on_is_not_rolled_back_alone(shop: redis.Redis, url: str) -> None:
    om("upgrade")
    refused(run_om("migrate", "rollback", TITLE), 1, f"{CENTS} depends on it", f"om migrate rollback {CENTS}")
    assert applied(url) == [INITIAL, TITLE, CENTS]


def test_a_run_that_would_be_refused_is_named_by_plan_and_dry_run(shop: redis.Redis) -> None:
    om("upgrade", "--to", INITIAL)
    words = ("ON", "HASH", "PREFIX", 1, "shop:order:", "FILTER", "@name=='n7'", "SCHEMA", "name", "TAG")
    shop.execute_command("FT.CREATE", "sevens", *words)
    assert om("migrate", "plan").stdout.startswith("A run would be refused. ")
    assert om("upgrade", "--dry-run").stdout.startswith("A run would be refused. ")
    assert "sevens" in om("migrate", "plan", "--json").json["refusal"]
    found = run_om("upgrade")
    assert (found.code, "sevens" in found.stderr) == (1, True), found.text
    assert not shop.exists(STARTED_FILES)
    assert "started" not in om("migrate", "history").stdout


AGAIN = "20260104_000000_again"
TEXT_OF_AGAIN = f"""
    from redstart.operations import *

    migration = Migration(
        dependencies=["{CENTS}"], operations=[AddField("shop.Order", Field("name", "str", default="new"))]
    )
    """


def test_a_name_that_is_used_again_too_early_is_named_by_plan_check_and_dry_run(
    shop: redis.Redis, url: str
) -> None:
    Path("migrations", f"{AGAIN}.py").write_text(textwrap.dedent(TEXT_OF_AGAIN), encoding="utf-8")
    models = ("--models", "redstart.demo.models")
    reason = f"{AGAIN} adds the field name of the documents shop:order:* again, which {TITLE} removes only"
    for number, last in enumerate((None, CENTS)):
        if last is not None:
            om("upgrade", "--to", last)
        for words in (("migrate", "plan"), ("upgrade", "--dry-run")):
            shown = " ".join(om(*words).stdout.split())
            assert shown.startswith(f"A run would be refused. {reason}"), (number, words)
            assert reason in om(*words, "--json").json["refusal"]
        found = om("migrate", "check", *models, "--json", code=3).json["differences"]
        assert [one["id"] for one in found if one["kind"] == "name_in_use"] == [AGAIN]
        assert reason in " ".join(om("migrate", "check", *models, code=3).stdout.split())
        assert reason in " ".join(om("upgrade", "--yes", code=1).stderr.split())
    for words in (("migrate", "plan", "--to", CENTS), ("migrate", "cleanup", "--dry-run")):
        assert reason not in " ".join(om(*words).stdout.split())
    om("migrate", "cleanup", "--yes")
    assert "refused" not in om("migrate", "plan").stdout
    assert "only at the cleanup" not in run_om("migrate", "check", *models).stdout
    om("upgrade", "--yes")
    assert applied(url) == [INITIAL, TITLE, CENTS, AGAIN]


REMOVED = "20260104_000000_removed"
TEXT_OF_REMOVED = f"""
    from redstart.operations import *

    migration = Migration(dependencies=["{CENTS}"], operations=[RemoveField("shop.Order", "price")])
    """


def test_values_that_a_rollback_leaves_are_listed(shop: redis.Redis, url: str) -> None:
    om("upgrade")
    path = Path("migrations") / f"{REMOVED}.py"
    path.write_text(textwrap.dedent(TEXT_OF_REMOVED).lstrip(), encoding="utf-8")
    assert "Kept until cleanup: Order.price" in om("migrate", "plan").stdout
    om("upgrade")
    assert order(shop)[b"price"] == b"7"
    om("migrate", "cleanup")
    assert b"price" not in order(shop)
    shop.hset("shop:order:99", mapping={"title": "new"})  # the new version writes no price
    found = om("migrate", "rollback", code=6)
    assert found.stdout.startswith("1 migration file rolled back.")
    assert "shop:order:99" in found.stdout
    assert order(shop)[b"price"] == b"7"
    assert applied(url) == [INITIAL, TITLE, CENTS]


def test_another_run_is_refused_while_a_process_renews_the_lease(shop: redis.Redis, url: str) -> None:
    elsewhere = replace(this_process(), boot_id="another machine", pid=999_999)
    state = {"token": "other", "holder": elsewhere.to_json(), "since_ms": 1, "renewals": 1}
    shop.hset(FILES_LEASE.lease, mapping=state)
    ended_at = threading.Event()

    def renew() -> None:
        while not ended_at.wait(0.02):
            shop.hincrby(FILES_LEASE.lease, "renewals", 1)
            shop.pexpire(FILES_LEASE.lease, 10_000)

    thread = threading.Thread(target=renew)
    thread.start()
    try:
        for words in (("upgrade",), ("migrate", "stamp", INITIAL)):
            assert run_om(*words).code == 4
    finally:
        ended_at.set()
        thread.join()
    assert applied(url) == []


@pytest.mark.parametrize(
    "words",
    [("upgrade", "--failure-mode", "skip"), ("downgrade",), ("upgrade", "--migrations-dir", "nowhere")],
)
def test_wrong_options_are_a_usage_error(shop: redis.Redis, words: tuple[str, ...]) -> None:
    assert run_om(*words).code == 2


# Interruptions


def many(client: redis.Redis) -> None:
    om("upgrade", "--to", INITIAL)
    add_orders(client, 5_000)


PAUSING = """
import sys

from redstart.cli.main import main
from redstart.migrations.data.applier import Applier

collect = Applier.collect


def collect_and_wait(self, sent):
    found = yield from collect(self, sent)
    sys.stdin.read()
    return found


Applier.collect = collect_and_wait
main()
"""
"""`om`, which waits after its first changes until its input ends: so it cannot be faster than a signal."""


def kill_in_the_middle(client: redis.Redis, number: signal.Signals) -> Ended:
    """Start an upgrade to the second file, and send a signal when it has changed some of the documents."""
    command = [sys.executable, "-c", PAUSING, "upgrade", "--to", TITLE, "--yes"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            while not client.exists(f"redstart:{TITLE}:journal"):
                assert process.poll() is None, process.communicate()
                time.sleep(0.01)
            process.send_signal(number)
            stdout, stderr = process.communicate()
        finally:
            process.kill()
    return Ended(process.returncode, stdout, stderr)


def test_a_killed_run_is_shown_and_resumed(shop: redis.Redis, url: str) -> None:
    many(shop)
    assert kill_in_the_middle(shop, signal.SIGKILL).code == -signal.SIGKILL
    changed = sum(b"title" in order(shop, number) for number in range(5_000))
    assert 0 < changed < 5_000
    assert applied(url) == [INITIAL]

    status = om("migrate", "status", "--check", "--models", "redstart.demo.models", code=3).stdout
    assert f"Run started and not complete: {TITLE}" in status
    data = om("migrate", "status", "--models", "redstart.demo.models", "--json").json["migration_files"]
    assert (data["started"], data["state"], data["pending"]) == (TITLE, "interrupted", [TITLE, CENTS])
    progress = om("migrate-data", "progress").stdout
    assert progress.startswith(
        f"Run started and not complete: {TITLE}\nResume with: om upgrade --to {TITLE}\n"
    )
    data = om("migrate-data", "progress", "--json").json
    assert (data["migration"], data["state"], data["total"]) == (TITLE, "interrupted", 5_000)
    assert "started, not complete" in om("migrate", "history").stdout

    assert om("upgrade", "--to", TITLE).stdout.startswith("1 migration file applied.")
    assert all(b"title" in order(shop, number) for number in range(5_000))
    assert om("migrate-data", "progress").stdout.startswith("Nothing is running")


def test_a_killed_run_is_rolled_back(shop: redis.Redis, url: str) -> None:
    many(shop)
    before = documents(shop)
    kill_in_the_middle(shop, signal.SIGKILL)
    om("migrate", "rollback")
    assert documents(shop) == before
    assert applied(url) == [INITIAL]


@pytest.mark.parametrize(
    "words",
    [
        ("downgrade", "base", "--accept-unindexed"),
        ("migrate", "rollback", "--to", INITIAL, "--accept-unindexed"),
        ("migrate", "rollback", TITLE),
    ],
)
def test_a_stopped_rollback_names_the_command_that_was_typed(
    shop: redis.Redis, url: str, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    om("upgrade", "--to", TITLE)
    before = applied(url)
    with monkeypatch.context() as patch:
        patch.setattr(undo_files, "stop_on_signal", stopping_at_once)
        stopped = om(*words, "--yes", code=5)
    assert stopped.stdout.startswith(f"Rollback of {TITLE} stopped; its progress is saved.\n")
    assert stopped.stdout.endswith(f"\nResume with: om {' '.join(words)}\n")
    assert om(*words).stdout.startswith("1" if TITLE in words or INITIAL in words else "2")
    assert applied(url) == ([] if "base" in words else [INITIAL]) != before


def test_an_interrupted_run_saves_its_progress(shop: redis.Redis, url: str) -> None:
    many(shop)
    found = kill_in_the_middle(shop, signal.SIGINT)
    assert found.code == 5, found.text
    assert f"Resume with: om upgrade --to {TITLE}" in found.stdout
    om("upgrade", "--to", TITLE)
    assert applied(url) == [INITIAL, TITLE]
