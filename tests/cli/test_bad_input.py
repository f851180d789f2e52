"""Bad input: what is said, with which exit code, and that nothing on the server changed. Never a traceback of ours."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from redstart.embedded.process import EmbeddedServer
from redstart.migrations.data.running.context import DATETIME_MIGRATION as ID
from redstart.migrations.data.state.keys import StateKeys
from tests.support.cli import Ended, run_om
from tests.support.snapshot import STATE_PREFIXES, Snapshot, difference, snapshot

KEYS = StateKeys(ID)
RUN = ("migrate-data", "run")


def refused(ended: Ended, code: int, *said: str) -> None:
    """It ended with this code, said all this on stderr, and showed no traceback."""
    assert ended.code == code, ended.text
    for words in said:
        assert words in ended.stderr, ended.stderr
    assert ended.stderr.startswith("Error: ")
    assert "Traceback" not in ended.text


class TestTheServer:
    @pytest.mark.parametrize(
        "command", ["stats", "status", "run", "verify", "progress", "errors", "clear-progress"]
    )
    def test_none(self, configured: str, command: str) -> None:
        found = run_om("--url", "redis://127.0.0.1:1", "migrate-data", command)
        refused(found, 1, "No answer from the server at redis://127.0.0.1:1", "--url", "REDIS_OM_URL")
        assert found.stdout == ""

    def test_none_with_json(self, configured: str) -> None:
        found = run_om("--url", "redis://127.0.0.1:1", *RUN, "--json")
        refused(found, 1)
        assert found.json["status"] == "error"
        assert "No answer" in found.json["error"]
        assert "--url" in found.json["hint"]
        assert found.json["exit_code"] == 1

    def test_a_database_that_is_not_there(self, configured: str) -> None:
        found = run_om("--url", f"{configured}?db=99", *RUN)
        refused(found, 1, "out of range", "names a database that the server does not have")

    @pytest.mark.parametrize("credentials", ["", ":S3cret@", "ann:S3cret@"])
    def test_a_wrong_password_is_not_shown(
        self, configured: str, own_server: Callable[..., EmbeddedServer], credentials: str
    ) -> None:
        server = own_server(password="the right one")
        place = server.url.rpartition("@")[2]
        for words in ((), ("--json",)):
            found = run_om("--url", f"unix://{credentials}{place}", *RUN, *words)
            refused(found, 1, "redis://user:password@host:port")
            assert "S3cret" not in found.text
            assert "the right one" not in found.text

    def test_a_right_password_is_not_shown_either(
        self, configured: str, own_server: Callable[..., EmbeddedServer]
    ) -> None:
        url = own_server(password="S3cret").url
        for words in (
            "stats -v",
            "run -v",
            "status --detailed",
            "progress",
            "verify -v",
            f"rollback {ID} -v",
        ):
            found = run_om("--url", url, "migrate-data", *words.split())
            assert found.code == 0, found.text
            assert "S3cret" not in found.text

    @pytest.mark.parametrize(
        "url",
        [
            "localhost:6379",
            "http://localhost",
            "redis://:S3cret/@localhost",
            "redis://localhost/0?colour=red",
        ],
    )
    def test_what_is_no_url(self, configured: str, url: str) -> None:
        found = run_om("--url", url, "migrate-data", "status")
        refused(found, 2, "is not a Redis URL", "redis://user:password@host:6379/0")
        assert "S3cret" not in found.text

    def test_no_json(self, configured: str, own_server: Callable[..., EmbeddedServer]) -> None:
        server = own_server(with_json=False, with_search=False)
        with redis.Redis.from_url(server.url) as client:
            client.hset("station:visit:a", "arrived_at", "2020-01-01")
            before = snapshot(client)
            for command in ("run", "stats"):
                found = run_om("--url", server.url, "migrate-data", command)
                refused(found, 1, "Sighting", "no JSON.MERGE command", "RedisJSON", "--models")
            assert difference(before, snapshot(client)) == []

    def test_hash_models_need_no_json(
        self, own_server: Callable[..., EmbeddedServer], write_module: Callable[[str], str]
    ) -> None:
        server = own_server(with_json=False, with_search=False)
        with redis.Redis.from_url(server.url) as client:
            client.hset("app:log:a", "at", "2020-01-01")
            found = run_om("--url", server.url, *RUN, "--models", write_module(LOG))
            assert found.code == 0, found.text
            assert client.hget("app:log:a", "at") == b"1577836800.0"

    def test_a_policy_that_evicts(self, configured: str, own_server: Callable[..., EmbeddedServer]) -> None:
        server = own_server(extra_arguments=("--maxmemory-policy", "allkeys-lru", "--maxmemory", "100mb"))
        with redis.Redis.from_url(server.url) as client:
            client.hset("station:visit:a", "arrived_at", "2020-01-01")
            before = snapshot(client)
            refused(
                run_om("--url", server.url, *RUN),
                1,
                "maxmemory-policy is allkeys-lru",
                "evict the undo log",
                "CONFIG SET maxmemory-policy noeviction",
            )
            assert "allkeys-lru" in run_om("--url", server.url, "migrate-data", "stats").stdout
            assert difference(before, snapshot(client)) == []

    def test_too_little_memory_for_the_undo_log(
        self, configured: str, own_server: Callable[..., EmbeddedServer]
    ) -> None:
        server = own_server()
        with redis.Redis.from_url(server.url) as client:
            for number in range(20_000):
                if number % 1_000 == 0:
                    pipe = client.pipeline(transaction=False)
                pipe.hset(f"station:visit:{number}", "arrived_at", "2020-01-01")
                if number % 1_000 == 999:
                    pipe.execute()
            before = snapshot(client)
            client.config_set("maxmemory", int(client.info("memory")["used_memory"]) + 400_000)
            refused(run_om("--url", server.url, *RUN), 1, "The undo log needs about 1.0 MB", "maxmemory")
            assert difference(before, snapshot(client, exclude_prefixes=STATE_PREFIXES)) == []


LOG = """
    import datetime
    from redstart import HashModel

    class Log(HashModel, index=True):
        at: datetime.datetime

        class Meta:
            global_key_prefix = "app"
            model_key_prefix = "log"
"""


class TestTheModels:
    @pytest.fixture(autouse=True)
    def empty_server(self, configured: str) -> None:
        """REDIS_OM_URL names an empty server."""

    def test_none_are_named(self, monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
        monkeypatch.delenv("REDSTART_MODELS")
        monkeypatch.chdir(str(tmp_path))
        for command in ("stats", "status", "run", "verify"):
            found = run_om("migrate-data", command)
            refused(found, 2, "No models are named", "--models", "REDSTART_MODELS", "[tool.redstart]")

    def test_a_module_that_is_not_there(self) -> None:
        found = run_om(*RUN, "--models", "no_such_package.models")
        refused(
            found, 2, "'no_such_package.models' cannot be imported", "ModuleNotFoundError", "Looked for it in"
        )

    def test_one_that_imports_from_redis_om_still(self, write_module: Callable[[str], str]) -> None:
        name = write_module("import redis_om")
        refused(
            run_om(*RUN, "--models", name), 2, "No module named 'redis_om'", "from redstart import ...", name
        )

    @pytest.mark.parametrize("what", ["Order", "py"])
    def test_a_model_or_a_file_instead_of_a_module(
        self, write_module: Callable[[str], str], what: str
    ) -> None:
        name = write_module("")
        refused(run_om(*RUN, "--models", f"{name}.{what}"), 2, f"{name} is a module.", f"--models {name}")

    @pytest.mark.parametrize("name", ["./models.py", ".models", "", "a..b"])
    def test_what_is_no_name_of_a_module(self, name: str) -> None:
        refused(run_om(*RUN, "--models", name), 2, "cannot be imported")

    def test_one_that_fails_shows_the_users_frames_only(self, write_module: Callable[[str], str]) -> None:
        name = write_module("""
            def helper():
                return 1 / 0

            helper()
        """)
        found = run_om(*RUN, "--models", name)
        refused(
            found,
            2,
            f"'{name}' cannot be imported: ZeroDivisionError",
            f'{name}.py", line 3, in helper',
            "1 / 0",
        )
        assert "importlib" not in found.stderr
        assert "redstart/cli" not in found.stderr

    @pytest.mark.parametrize(
        ("where", "source", "why"),
        [
            ("deep/tasks.py", "import no_such_thing", "ModuleNotFoundError: No module named 'no_such_thing'"),
            ("deep/__init__.py", "raise RuntimeError('no broker')", "RuntimeError: no broker"),
            ("tasks.py", "def broken(:", "SyntaxError"),
        ],
    )
    def test_a_module_of_a_package_that_fails(
        self, tmp_path: Path, write_module: Callable[[str], str], where: str, source: str, why: str
    ) -> None:
        models = write_module(LOG)
        package = tmp_path / f"package_{models}"
        (package / "deep").mkdir(parents=True)
        for folder in (package, package / "deep"):
            (folder / "__init__.py").touch()
        (tmp_path / f"{models}.py").rename(package / "models.py")
        assert run_om("migrate-data", "status", "--models", package.name).code == 0
        (package / where).write_text(source)
        for name in [name for name in sys.modules if name.startswith(package.name)]:
            del sys.modules[name]
        importlib.invalidate_caches()
        module = f"{package.name}.{where.removesuffix('.py').removesuffix('/__init__').replace('/', '.')}"
        found = run_om(*RUN, "--models", package.name)
        refused(found, 2, f"The module {module!r} cannot be imported: {why}", f"{package.name}/{where}")
        assert found.stderr.splitlines()[-1].endswith(f"--models {package.name}.models")
        assert run_om("migrate-data", "status", "--models", f"{package.name}.models").code == 0

    def test_a_deep_failure_is_shortened(self, write_module: Callable[[str], str]) -> None:
        name = write_module("""
            def helper(depth):
                if depth == 0:
                    raise KeyError("too deep")
                helper(depth - 1)

            helper(50)
        """)
        found = run_om(*RUN, "--models", name)
        refused(found, 2, "KeyError: 'too deep'")
        assert found.stderr.count("in helper") == 3

    def test_a_syntax_error_shows_its_line(self, write_module: Callable[[str], str]) -> None:
        name = write_module("""
            x = 1
            def broken(:
        """)
        found = run_om(*RUN, "--models", name)
        refused(found, 2, "SyntaxError", f'{name}.py", line 3', "def broken(:")
        assert "Looked for it" not in found.stderr

    @pytest.mark.parametrize(
        "how", ["raise SystemExit(3)", "import sys; sys.exit('bye')", "raise SystemExit"]
    )
    def test_one_that_exits(self, write_module: Callable[[str], str], how: str) -> None:
        name = write_module(how)
        refused(run_om(*RUN, "--models", name), 2, f"'{name}' cannot be imported: SystemExit", f"{name}.py")

    def test_one_without_models(self, write_module: Callable[[str], str]) -> None:
        name = write_module("x = 1")
        refused(run_om(*RUN, "--models", name), 2, f"{name} imported", "no HashModel or JsonModel")

    def test_one_that_prints_does_not_get_into_the_json(self, write_module: Callable[[str], str]) -> None:
        name = write_module(LOG + "\n    print('hello from a module')")
        found = run_om("migrate-data", "status", "--models", name, "--json")
        assert found.json["pending"] == [ID]
        assert "hello from a module" in found.stderr

    def test_a_model_that_is_declared_wrongly(self, write_module: Callable[[str], str]) -> None:
        name = write_module("""
            from redstart import HashModel

            class Log(HashModel, index=True):
                lines: list[str]
        """)
        refused(run_om(*RUN, "--models", name), 2, f"models in {name}", "Field: lines")

    def test_a_prefix_that_swallows_anothers(
        self, client: redis.Redis, write_module: Callable[[str], str]
    ) -> None:
        name = write_module("""
            import datetime
            from redstart import HashModel

            class Outer(HashModel, index=True):
                at: datetime.datetime

                class Meta:
                    global_key_prefix = "app"
                    model_key_prefix = "log"

            class Inner(HashModel, index=True):
                at: datetime.datetime

                class Meta:
                    global_key_prefix = "app"
                    model_key_prefix = "log:old"
        """)
        client.hset("app:log:old:1", "at", "2020-01-01")
        before = snapshot(client)
        found = run_om(*RUN, "--models", name)
        refused(found, 2, "'app:log:' of ", "Outer also holds the keys of ", "Inner", "model_key_prefix")
        assert difference(before, snapshot(client)) == []


class TestIdsAndOptions:
    @pytest.mark.parametrize("command", ["rollback", "forget"])
    def test_an_unknown_migration(self, station: redis.Redis, command: str) -> None:
        before = snapshot(station)
        found = run_om("migrate-data", command, "002_other", "--yes")
        refused(found, 1, "'002_other'", f"Known: {ID}.", f"\nType: om migrate-data {command} {ID}\n")
        assert difference(before, snapshot(station)) == []

    @pytest.mark.parametrize("command", ["rollback", "forget"])
    def test_no_migration_is_named(self, station: redis.Redis, command: str) -> None:
        before = snapshot(station)
        found = run_om("migrate-data", command, "--yes")
        refused(
            found, 2, "No migration is named.", f"Known: {ID}.", f"\nType: om migrate-data {command} {ID}\n"
        )
        as_json = run_om("migrate-data", command, "--yes", "--json").json
        assert (as_json["exit_code"], as_json["hint"]) == (2, f"Type: om migrate-data {command} {ID}")
        assert difference(before, snapshot(station)) == []

    @pytest.mark.parametrize(
        "words",
        [
            "run --batch-size 0",
            "run --batch-size 100001",
            "run --batch-size many",
            "run --max-errors 0",
            "run --limit -1",
            "run --limit-documents 0",
            "run --failure-mode ignore",
            "run --colour",
            "run extra",
            f"rollback {ID} extra",
            "no-such-command",
        ],
    )
    def test_wrong_usage(self, station: redis.Redis, words: str) -> None:
        before = snapshot(station)
        found = run_om("migrate-data", *words.split())
        refused(found, 2, "See the options with: om migrate-data", "--help")
        assert run_om("migrate-data", *words.split(), "--json").json["exit_code"] == 2
        assert difference(before, snapshot(station)) == []

    @pytest.mark.parametrize("words", ["", "migrate-data"])
    def test_without_a_command_the_help_is_shown(self, words: str) -> None:
        found = run_om(*words.split())
        assert (found.code, found.stdout) == (2, "")
        assert found.stderr.startswith(f"Usage: om {words}".strip())
        assert "Commands:" in found.stderr


class TestWhatIsOnTheServer:
    def test_keys_of_another_type_are_left_alone_and_counted(
        self, configured: str, client: redis.Redis
    ) -> None:
        client.hset("station:visit:a", "arrived_at", "2020-01-01")
        client.set("station:visit:text", "2020-01-01")
        client.rpush("station:visit:list", "2020-01-01")
        client.json().set("station:visit:json", "$", {"arrived_at": "2020-01-01"})
        before = snapshot(client)
        assert run_om("migrate-data", "stats", "--json").json["foreign_keys"] == 3
        assert "keys of another type, left alone  3" in run_om("migrate-data", "stats").stdout
        assert run_om(*RUN).code == 0
        (changed,) = difference(before, snapshot(client, exclude_prefixes=STATE_PREFIXES))
        assert changed.startswith("station:visit:a")

    @pytest.fixture
    def interrupted(self, station: redis.Redis) -> tuple[redis.Redis, Snapshot]:
        """A stopped run, and all documents as it left them."""
        assert run_om(*RUN, "--limit-documents", "20").code == 5
        return station, snapshot(station, exclude_prefixes=STATE_PREFIXES)

    @pytest.mark.parametrize(
        ("saved", "said"),
        [
            (b"\xff\x00", "cannot be read"),
            (b"{}", "cannot be read"),
            (b"[]", "cannot be read"),
            (b'{"format": 1}', "cannot be read"),
            (b'{"format": 2}', "has format 2; this version reads format 1"),
        ],
    )
    def test_saved_progress_that_is_not_understood(
        self, interrupted: tuple[redis.Redis, Snapshot], saved: bytes, said: str
    ) -> None:
        client, before = interrupted
        client.set(KEYS.checkpoint, saved)
        for command in ("run", "progress", "status"):
            found = run_om("migrate-data", command)
            refused(found, 1, KEYS.checkpoint, said, "om migrate-data clear-progress")
        refused(run_om("migrate-data", "rollback", ID), 1, KEYS.checkpoint)
        assert difference(before, snapshot(client, exclude_prefixes=STATE_PREFIXES)) == []

        assert run_om("migrate-data", "clear-progress").code == 0
        assert run_om(*RUN).code == 0
        assert run_om("migrate-data", "verify").code == 0

    @pytest.mark.parametrize("key", [KEYS.record, KEYS.checkpoint, KEYS.census, KEYS.journal])
    def test_state_of_another_type(self, station: redis.Redis, key: str) -> None:
        before = snapshot(station)
        station.hset(key, "not", "ours") if key == KEYS.checkpoint else station.set(key, "not ours")
        found = run_om(*RUN)
        assert found.code == 1
        assert "Error: WRONGTYPE" in found.stderr
        assert "Traceback" not in found.text
        assert difference(before, snapshot(station, exclude_prefixes=STATE_PREFIXES)) == []

    def test_a_record_that_is_damaged(self, station: redis.Redis) -> None:
        station.hset(KEYS.record, "plan", "{")
        before = snapshot(station)
        refused(run_om(*RUN), 1, KEYS.record, "Redstart did not write", "redis-cli HGETALL")
        assert difference(before, snapshot(station)) == []

    def test_models_that_changed_since_the_interruption(
        self, interrupted: tuple[redis.Redis, Snapshot], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client, before = interrupted
        monkeypatch.setenv("REDSTART_NAIVE_TIMEZONE", "Asia/Kolkata")
        refused(run_om(*RUN), 1, "now be read as Asia/Kolkata", f"om migrate-data rollback {ID}\n")
        assert difference(before, snapshot(client, exclude_prefixes=STATE_PREFIXES)) == []

    def test_an_undo_log_that_lost_entries(self, station: redis.Redis) -> None:
        assert run_om(*RUN).code == 0
        before = snapshot(station, exclude_prefixes=STATE_PREFIXES)
        station.xtrim(KEYS.journal, 0, approximate=False)
        refused(run_om("migrate-data", "rollback", ID), 1, KEYS.journal, "om migrate-data forget")
        assert difference(before, snapshot(station, exclude_prefixes=STATE_PREFIXES)) == []
