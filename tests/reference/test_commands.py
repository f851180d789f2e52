"""The commands of redis-om 1.2.0: each command and option is accepted, with the same meaning."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.cli.conftest import write_module
from tests.migrations.indexes.conftest import drop_all, total, wait_until_built
from tests.support.cli import run_om

__all__ = ["write_module"]  # a fixture

LISTED = """
import json
from redis_om.cli.main import om
def walk(command, words):
    for name, inside in getattr(command, "commands", {}).items():
        options = [
            [option.opts + option.secondary_opts, option.is_flag, getattr(option.type, "choices", None)]
            for option in inside.params if option.param_type_name == "option"
        ]
        yield " ".join([*words, name]), options
        yield from walk(inside, [*words, name])
print(json.dumps(dict(walk(om, []))))
"""

COMMANDS = {
    "index": "",
    "index create": "-m --module -f --force",
    "index drop": "-m --module -y --yes",
    "index rebuild": "-m --module -y --yes",
    "migrate": "",
    "migrate create": "--migrations-dir -y --yes",
    "migrate downgrade": "-n --steps --migrations-dir --dry-run -v --verbose -y --yes",
    "migrate reset": "--migrations-dir -y --yes",
    "migrate rollback": "--migrations-dir --dry-run -v --verbose -y --yes",
    "migrate run": "--migrations-dir --dry-run -v --verbose --limit -y --yes",
    "migrate status": "--migrations-dir",
    "migrate-data": "",
    "migrate-data check-schema": "--migrations-dir --module",
    "migrate-data clear-progress": "--migrations-dir --module -y --yes",
    "migrate-data create": "--migrations-dir -y --yes",
    "migrate-data progress": "--migrations-dir --module -v --verbose",
    "migrate-data rollback": "--migrations-dir --module --dry-run -v --verbose -y --yes",
    "migrate-data run": (
        "--migrations-dir --module --dry-run -v --verbose --limit -y --yes --failure-mode --batch-size --max-errors"
    ),
    "migrate-data status": "--migrations-dir --module --detailed -v --verbose",
    "migrate-data verify": "--migrations-dir --module -v --verbose --check-data",
}
"""Every command of redis-om 1.2.0, with its options. A test compares the table with redis-om itself."""

DEFAULT_MODES = {"skip", "fail", "default", "log_and_skip"}


@pytest.mark.redis_om
def test_the_table_has_every_command_and_option(python_with_1x: str) -> None:
    done = subprocess.run([python_with_1x, "-c", LISTED], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert {name: {word for words, _, _ in options for word in words} for name, options in found.items()} == {
        name: set(words.split()) for name, words in COMMANDS.items()
    }
    modes = [choices for options in found.values() for _, _, choices in options if choices]
    assert [set(one) for one in modes] == [DEFAULT_MODES]


@pytest.fixture
def project(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: redis.Redis) -> Path:
    """An empty directory with the directories of redis-om's files; an empty server."""
    drop_all(client)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_OM_URL", url)
    monkeypatch.setenv("REDSTART_MODELS", "redstart.demo.models")
    for name in ("schema-migrations", "data-migrations", "files"):
        (tmp_path / "migrations" / name).mkdir(parents=True)
    (tmp_path / "no_migrations.py").write_text("MIGRATIONS = []\n", encoding="utf-8")
    return tmp_path


CASES = [(name, option) for name, words in COMMANDS.items() for option in words.split()]
VALUES = {
    "-m": "redstart.demo.models",
    "--module": "no_migrations",
    "--migrations-dir": "migrations/files",
    "-n": "1",
    "--steps": "1",
    "--limit": "1",
    "--failure-mode": "skip",
    "--batch-size": "100",
    "--max-errors": "5",
}
ARGUMENTS = {
    "migrate create": "a_name",
    "migrate-data create": "a_name",
    "migrate rollback": "20250101_000000_none",
    "migrate-data rollback": "20250101_000000_none",
}


@pytest.mark.parametrize(("name", "option"), CASES)
def test_each_option_is_accepted(project: Path, name: str, option: str) -> None:
    """Run with the option: it is neither unknown nor without a value that redis-om accepts."""
    words = [*name.split(), *([ARGUMENTS[name]] if name in ARGUMENTS else []), option]
    if option in VALUES:
        is_models = name.startswith("index") and option == "--module"
        words.append("redstart.demo.models" if is_models else VALUES[option])
    if name == "index drop" and option in ("-m", "--module"):
        words.append("--yes")
    found = run_om(*words)
    if "rollback" in name:
        assert "20250101_000000_none" in found.stderr, "the only complaint is that there is no such migration"
        return
    assert found.code in (0, 3), found.text
    assert "Traceback" not in found.text
    if name in (
        "migrate reset",
        "migrate-data progress",
        "migrate-data clear-progress",
        "migrate-data check-schema",
    ):
        has_no_effect = option in ("--migrations-dir", "--module")
        assert (f"{option} has no effect on this command, as in redis-om." in found.stderr) is has_no_effect


@pytest.mark.parametrize("mode", sorted(DEFAULT_MODES))
def test_each_failure_mode_is_accepted(project: Path, mode: str) -> None:
    assert run_om("migrate-data", "run", "--failure-mode", mode).code == 0


@pytest.mark.parametrize("option", ["--module", "-m"])
def test_the_command_of_redis_om_0(option: str) -> None:
    """It was `migrate --module shop.models`."""
    found = run_om("migrate", option, "shop.models")
    assert (found.code, found.stdout) == (2, "")
    assert (
        f"Redstart has no option 'om migrate {option}'. Use: om migrate run --models MODULE" in found.stderr
    )
    assert option not in run_om("migrate", "--help").text


MODELS = """
from {package} import Field, HashModel, JsonModel

class Order(HashModel, index=True):
    title: str = Field(index=True)

    class Meta:
        global_key_prefix = "shop"
        model_key_prefix = "order"

class Customer(JsonModel, index=True):
    name: str = Field(index=True)

    class Meta:
        global_key_prefix = "shop"
        model_key_prefix = "customer"
"""
INDEXES = {"shop:order:index", "shop:customer:index"}
STATES = ("no index", "current indexes", "outdated index")

Om = Callable[..., Any]


@pytest.fixture
def their_om(python_with_1x: str, url: str, tmp_path: Path) -> Om:
    """Runs redis-om's `om` in a package of its models."""
    package = tmp_path / "theirs"
    package.mkdir()
    (package / "__init__.py").write_text("", encoding="utf-8")
    (package / "models.py").write_text(MODELS.format(package="aredis_om"), encoding="utf-8")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [python_with_1x, "-m", "aredis_om.cli.main", *words],
            env={"REDIS_OM_URL": url, "PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def bring_into(client: redis.Redis, state: str, their_om: Om) -> None:
    drop_all(client)
    client.flushall()
    for number in range(5):
        client.hset(f"shop:order:{number}", mapping={"pk": str(number), "title": f"t{number}"})
        client.json().set(f"shop:customer:{number}", "$", {"pk": str(number), "name": f"n{number}"})
    if state != "no index":
        assert their_om("index", "create", "-m", "theirs").returncode == 0
        wait_until_built(client, sorted(INDEXES))
    if state == "outdated index":
        client.execute_command("FT.DROPINDEX", "shop:order:index")
        words = ("ON", "HASH", "PREFIX", 1, "shop:order:", "SCHEMA", "pk", "TAG")
        client.execute_command("FT.CREATE", "shop:order:index", *words)
        client.set("shop:order:index:hash", "of an earlier model")
        wait_until_built(client, sorted(INDEXES))


def searchable(client: redis.Redis) -> dict[str, tuple[int, int]]:
    """For each name that queries can use: all documents, and those that a query on a field finds."""
    found = {}
    for name, query in (("shop:order:index", "@title:{t3}"), ("shop:customer:index", "@name:{n3}")):
        try:
            wait_until_built(client, [name])
            found[name] = (total(client, name), _found(client, name, query))
        except redis.ResponseError:
            continue
    return found


def _found(client: redis.Redis, name: str, query: str) -> int:
    try:
        return total(client, name, query)
    except redis.ResponseError:  # an unknown field
        return 0


@pytest.mark.sample(2)
@pytest.mark.redis_om
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(
    "words", [("create",), ("drop", "--yes"), ("rebuild", "--yes")], ids=lambda words: words[0]
)
def test_index_commands_leave_the_same_names_searchable(
    their_om: Om,
    client: redis.Redis,
    url: str,
    write_module: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    state: str,
    words: tuple[str, ...],
) -> None:
    monkeypatch.setenv("REDIS_OM_URL", url)
    ours = write_module(MODELS.format(package="redstart"))
    results = []
    bring_into(client, state, their_om)
    done = their_om("index", *words, "-m", "theirs")
    assert done.returncode == 0, done.stdout + done.stderr
    results.append(searchable(client))
    bring_into(client, state, their_om)
    found = run_om("index", *words, "-m", ours)
    assert found.code == (3 if (state, words[0]) == ("outdated index", "create") else 0), found.text
    results.append(searchable(client))
    assert results[1] == results[0]
    drop_all(client)


@pytest.mark.redis_om
def test_create_with_force_changes_what_theirs_only_drops(
    their_om: Om,
    client: redis.Redis,
    url: str,
    write_module: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """redis-om drops and creates an outdated index; ours has the same fields afterwards."""
    monkeypatch.setenv("REDIS_OM_URL", url)
    ours = write_module(MODELS.format(package="redstart"))
    bring_into(client, "outdated index", their_om)
    assert run_om("index", "create", "--force", "-m", ours).code == 0
    assert searchable(client) == dict.fromkeys(INDEXES, (5, 1))
    drop_all(client)


@pytest.mark.redis_om
def test_reset_clears_the_same_record(
    their_om: Om, client: redis.Redis, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_OM_URL", url)
    monkeypatch.chdir(tmp_path)
    left = []
    for reset in (their_om, run_om):
        client.flushall()
        (tmp_path / "migrations" / "schema-migrations").mkdir(parents=True, exist_ok=True)
        client.sadd("redis_om:schema_applied_migrations", "20250101_000000_a", "20250102_000000_b")
        client.sadd("redis_om:applied_migrations", "20250101_000000_data")
        _ = reset("migrate", "reset", "--migrations-dir", "migrations/schema-migrations", "--yes")
        left.append(
            (
                client.smembers("redis_om:schema_applied_migrations"),
                client.smembers("redis_om:applied_migrations"),
            )
        )
    assert left[1] == left[0]
