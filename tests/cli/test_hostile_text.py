"""Text from a server, a file or a command line cannot act on the terminal: no command prints a control character."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from redstart.display import escaped, one_line, printable, without_passwords
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from redstart.migrations.indexes.state import LEASE as INDEX_LEASE
from redstart.migrations.indexes.state import RECORDS
from redstart.migrations.lease_state import this_process
from redstart.migrations.state_keys import APPLIED_MIGRATIONS, StateKeys
from tests.support.cli import run_om
from tests.support.sample import load_sample

KEYS = StateKeys(ID)
HOSTILE = "a\x1b[2J\x1b]0;t\x07\u202eb\x9b1m\x85\u2028\u200dc"
ONE_LINE = "a\x1b[2J\x1b]0;t\x07\u202eb\x9b1mc"
"""Where a line break would be one."""

COMMANDS: tuple[tuple[str, ...], ...] = (
    ("migrate-data", "status", "--detailed"),
    ("migrate-data", "stats", "-v"),
    ("migrate-data", "progress", "-v"),
    ("migrate-data", "run", "--dry-run", "-v"),
    ("migrate-data", "run", "-v", "--log-file", "-"),
    ("migrate-data", "errors"),
    ("migrate-data", "verify", "--check-data", "-v"),
    ("migrate-data", "check-schema"),
    ("migrate", "status"),
    ("migrate", "run", "-v"),
    ("migrate", "cleanup", "--dry-run"),
    ("migrate-data", "rollback", ID, "--dry-run", "-v"),
    ("migrate-data", "rollback", ID, "-v"),
    ("migrate", "rollback"),
    ("migrate-data", "rollback", HOSTILE),
    ("migrate-data", "drop-undo-log", HOSTILE, "--yes"),
    ("migrate", HOSTILE),
    (HOSTILE,),
    ("migrate-data", "status", "--" + HOSTILE),
    ("migrate-data", "status", "--models", HOSTILE),
    ("migrate-data", "verify", "--log-file", "/nowhere/" + HOSTILE),
    ("migrate-data", "run", "--migrations-dir", "/nowhere/" + HOSTILE),
    ("--url", f"redis://{HOSTILE}:1", "migrate-data", "status"),
    ("--url", f"redis://127.0.0.1:1/{HOSTILE}", "migrate-data", "status"),
    ("--url", f"unix:///{HOSTILE}", "migrate-data", "status"),
)

MODELS = f"""
    import datetime
    from redstart import HashModel, JsonModel

    class Log(HashModel, index=True):
        at: datetime.datetime

        class Meta:
            global_key_prefix = "app"
            model_key_prefix = {ONE_LINE!r}
            index_name = {ONE_LINE!r}

    class Tree(JsonModel):
        at: dict[str, datetime.datetime]

        class Meta:
            global_key_prefix = "app"
            model_key_prefix = "tree"

    Log.__qualname__ = Log.__name__ = {ONE_LINE!r}
"""


def unprintable(text: str) -> str:
    """The characters of a text that a terminal does not show as text."""
    return "".join(char for char in text if not char.isprintable() and char not in "\n\t")


@pytest.fixture
def hostile(
    configured: str, client: redis.Redis, write_module: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> redis.Redis:
    """A server and a directory full of it."""
    monkeypatch.setenv("REDSTART_MODELS", write_module(MODELS))
    for number, value in enumerate(("2020-01-01", HOSTILE, "no date")):
        client.hset(f"app:{ONE_LINE}:{number}{HOSTILE}", "at", value)
        client.json().set(f"app:tree:{number}{HOSTILE}", "$", {"at": {HOSTILE: value}})
    client.sadd(APPLIED_MIGRATIONS, HOSTILE, "20240101_000000_gone")
    client.sadd("redis_om:schema_applied_migrations", HOSTILE)
    for folder, base, module in (
        ("data-migrations", "BaseMigration", "redstart.model.migrations.data"),
        ("schema-migrations", "BaseSchemaMigration", "redstart.model.migrations.schema"),
    ):
        files = Path("migrations") / folder
        files.mkdir(parents=True)
        (files / f"20240101_000000_{ONE_LINE}.py").write_text(
            f"from {module} import {base}\nclass M({base}):\n"
            f"    migration_id = {HOSTILE[::-1]!r}\n    description = {HOSTILE!r}\n    async def up(self): ...\n"
        )
        (files / f"20240102_000000_{ONE_LINE}.py").write_text(f"raise RuntimeError({HOSTILE!r})\n")
        (files / "20240101_000000_gone.py").write_text(f"raise RuntimeError({HOSTILE!r})\n")
    return client


def test_no_command_prints_a_control_character(hostile: redis.Redis) -> None:
    for words in COMMANDS:
        check(words)
    for unusable in [
        *Path("migrations").rglob("20240102_*"),
        *Path("migrations/schema-migrations").glob("*gone*"),
    ]:
        unusable.unlink()
    codes = [check(words) for words in COMMANDS[:14]]
    assert 0 in codes, "some do their work"


def check(words: tuple[str, ...]) -> int:
    """Run a command; its exit code."""
    found = run_om(*words)
    assert "Traceback" not in found.text, (words, found.text)
    assert unprintable(found.text) == "", (words, found.text)
    return found.code


@pytest.mark.parametrize("key", [KEYS.lease.lease, INDEX_LEASE.lease])
def test_the_lease_holder(station: redis.Redis, key: str) -> None:
    holder = json.loads(this_process().to_json()) | {
        "host": HOSTILE,
        "command": HOSTILE + " redis://:S3cret@x",
    }
    station.hset(
        key, mapping={"token": HOSTILE, "holder": json.dumps(holder), "since_ms": "1", "renewals": "0"}
    )
    for words in (
        ("migrate-data", "progress"),
        ("migrate-data", "status"),
        ("migrate-data", "force-unlock", "--yes"),
    ):
        found = run_om(*words)
        assert found.code == 0, found.text
        assert unprintable(found.text) == ""
        assert "S3cret" not in found.text


@pytest.mark.sample(11)
@pytest.mark.parametrize("value", [b"\xff", HOSTILE.encode(), json.dumps({"format": HOSTILE}).encode()])
@pytest.mark.parametrize("key", [KEYS.checkpoint, KEYS.record, RECORDS, KEYS.failures, KEYS.lease.lease])
def test_state_that_is_damaged(configured: str, client: redis.Redis, key: str, value: bytes) -> None:
    load_sample(client, 10)
    client.set(key, value) if key == KEYS.checkpoint else client.hset(key, HOSTILE, value)
    for words in (("migrate-data", "status"), ("migrate-data", "run"), ("migrate", "status")):
        found = run_om(*words)
        assert unprintable(found.text) == ""
        assert "Traceback" not in found.text


@pytest.mark.parametrize("text", [HOSTILE, ONE_LINE, "\0", "\r\nError: x", "\ud800", "\x7f"])
def test_the_functions_that_escape(text: str) -> None:
    assert unprintable(escaped(text)) == ""
    assert unprintable(printable(text)) == ""
    assert "\n" not in printable(text)
    assert unprintable(one_line(text.encode(errors="surrogatepass"), 200)) == ""
    assert escaped("größe, 日本, 1 €\nline") == "größe, 日本, 1 €\nline"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at redis://localhost:6379/0: no", "at redis://localhost:6379/0: no"),
        ("at 'redis://:pw@h:1', and", "at 'redis://h:1', and"),
        ('from_url("redis://:pw@h/0?password=x")', 'from_url("redis://h/0")'),
        ("see https://example.org/a", "see https://example.org/a"),
        (
            "unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'u' 'pw'",
            "unknown command 'HELLO', ",
        ),
    ],
)
def test_the_function_that_masks(text: str, shown: str) -> None:
    assert without_passwords(text).startswith(shown)
    assert "pw" not in without_passwords(text)
