"""Where the server, the models and the time zone come from, and which of several wins."""

from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from redstart.cli.options import load_settings
from redstart.devserver.process import EmbeddedServer
from tests.support.cli import Ended, om_on_terminal, run_om

NOWHERE = "redis://127.0.0.1:1"
STATS = ("migrate-data", "stats", "--json")

LOG = """
    import datetime
    import redis
    import redis.asyncio
    from redstart import HashModel

    class Log(HashModel, index=True):
        at: datetime.datetime

        class Meta:
            global_key_prefix = "app"
            model_key_prefix = "log"
"""


def documents(found: Ended) -> int:
    assert found.code == 0, found.text
    count = found.json["documents"]
    assert isinstance(count, int)
    return count


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def project(folder: Path, text: str) -> None:
    (folder / "pyproject.toml").write_text(text)


class TestTheServer:
    @pytest.fixture(autouse=True)
    def one_visit(self, client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
        client.hset("station:visit:a", "arrived_at", "2020-01-01")
        monkeypatch.setenv("REDSTART_MODELS", "redstart.demo.models")

    def test_from_the_environment(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("REDIS_OM_URL", url)
        assert documents(run_om(*STATS)) == 1

    def test_from_pyproject_here_or_above(
        self, url: str, here: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        project(here, f'[tool.redstart]\nurl = "{url}"\n')
        assert documents(run_om(*STATS)) == 1
        (here / "deep" / "down").mkdir(parents=True)
        monkeypatch.chdir(here / "deep" / "down")
        assert documents(run_om(*STATS)) == 1

    def test_the_environment_wins_over_pyproject(
        self, url: str, here: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        project(here, f'[tool.redstart]\nurl = "{NOWHERE}"\n')
        assert run_om(*STATS).code == 1
        monkeypatch.setenv("REDIS_OM_URL", url)
        assert documents(run_om(*STATS)) == 1

    def test_the_option_wins_over_the_environment(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("REDIS_OM_URL", NOWHERE)
        assert run_om(*STATS).code == 1
        assert documents(run_om("--url", url, *STATS)) == 1
        assert documents(run_om(*STATS, "--url", url)) == 1
        assert documents(run_om("--url", NOWHERE, *STATS, "--url", url)) == 1

    def test_localhost_otherwise(self, here: Path) -> None:
        """Not asked through `om`: a server may run there, which no test may touch."""
        assert load_settings(None, ()).url == "redis://localhost:6379"


class TestMetaDatabase:
    @pytest.mark.parametrize("kind", ["redis.Redis", "redis.asyncio.Redis"])
    def test_a_models_own_client_is_used_undecoded(
        self, client: redis.Redis, url: str, write_module: Callable[[str], str], kind: str
    ) -> None:
        client.hset("app:log:a", mapping={"at": "2020-01-01", "blob": b"\xff"})
        name = write_module(f"{LOG}\n            database = {kind}.from_url({url!r}, decode_responses=True)")
        assert documents(run_om(*STATS, "--models", name)) == 1
        assert run_om("migrate-data", "run", "--models", name).code == 0
        assert client.hgetall("app:log:a") == {b"at": b"1577836800.0", b"blob": b"\xff"}

    def test_it_wins_over_the_environment_and_an_explicit_url_over_it(
        self,
        client: redis.Redis,
        url: str,
        own_server: Callable[..., EmbeddedServer],
        write_module: Callable[[str], str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        client.hset("app:log:a", "at", "2020-01-01")
        other = own_server().url
        name = write_module(f"{LOG}\n            database = redis.Redis.from_url({url!r})")
        monkeypatch.setenv("REDIS_OM_URL", other)
        assert documents(run_om(*STATS, "--models", name)) == 1
        assert documents(run_om(*STATS, "--models", name, "--url", other)) == 0

    @pytest.mark.parametrize("second", ["redis.asyncio.Redis(port=1002, db=3)", None])
    def test_models_on_different_servers(
        self,
        url: str,
        write_module: Callable[[str], str],
        second: str | None,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A model that names no client lives at the configured URL, as in redis-om."""
        monkeypatch.setenv("REDIS_OM_URL", "redis://127.0.0.1:1003")
        name = write_module(f"""{LOG}
            database = redis.Redis(port=1001)

    class Note(HashModel, index=True):
        at: datetime.datetime

        class Meta:
            global_key_prefix = "app"
            model_key_prefix = "note"
            database = {second}
        """)
        found = run_om(*STATS, "--models", name)
        assert found.code == 2
        assert "different servers: " in found.stderr
        assert "localhost:1001/0" in found.stderr
        assert ("localhost:1002/3" if second else "127.0.0.1:1003/0") in found.stderr
        assert "--url" in found.stderr
        assert documents(run_om(*STATS, "--models", name, "--url", url)) == 0

    def test_something_else_than_a_client(self, write_module: Callable[[str], str]) -> None:
        name = write_module(f'{LOG}\n            database = "redis://localhost"')
        found = run_om(*STATS, "--models", name)
        assert found.code == 2
        assert "Meta.database is of the class str" in found.stderr
        assert "--url" in found.stderr


class TestTheModels:
    @pytest.fixture(autouse=True)
    def server(self, configured: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("REDSTART_MODELS")

    def names(self, *words: str) -> list[str]:
        found = run_om("migrate-data", "status", "--json", *words)
        assert found.code == 0, found.text
        return [model["name"].rpartition(".")[2] for model in found.json["models"]]

    def test_several_options(self, write_module: Callable[[str], str]) -> None:
        one = write_module(LOG)
        two = write_module(LOG.replace("Log", "Note").replace('"log"', '"note"'))
        assert self.names("--models", one) == ["Log"]
        assert self.names("--models", one, "--models", two) == ["Log", "Note"]
        assert self.names("--models", f"{one},{two}") == ["Log", "Note"]

    def test_the_environment_separated_by_commas(
        self, write_module: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one = write_module(LOG)
        two = write_module(LOG.replace("Log", "Note").replace('"log"', '"note"'))
        monkeypatch.setenv("REDSTART_MODELS", f"{one}, {two},")
        assert self.names() == ["Log", "Note"]
        assert self.names("--models", two) == ["Note"]

    @pytest.mark.parametrize("form", ['"{}"', '["{}"]'])
    def test_pyproject(
        self, here: Path, write_module: Callable[[str], str], form: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one = write_module(LOG)
        project(here, f"[tool.redstart]\nmodels = {form.format(one)}\n")
        assert self.names() == ["Log"]
        monkeypatch.setenv("REDSTART_MODELS", write_module(LOG.replace("Log", "Note")))
        assert self.names() == ["Note"]

    def test_a_package_means_all_its_modules(self, here: Path, write_module: Callable[[str], str]) -> None:
        name = write_module(LOG)
        package = here / f"package_{name}"
        package.mkdir()
        (package / "__init__.py").touch()
        (here / f"{name}.py").rename(package / "logs.py")
        assert self.names("--models", package.name) == ["Log"]


class TestTheNaiveTimezone:
    @pytest.fixture(autouse=True)
    def one_log(self, client: redis.Redis, configured: str) -> None:
        client.hset("station:visit:a", "arrived_at", "2020-01-01T00:00:00")

    def converted(self, client: redis.Redis) -> bytes:
        assert run_om("migrate-data", "run").code == 0
        value = client.hget("station:visit:a", "arrived_at")
        assert isinstance(value, bytes)
        return value

    def test_the_default_is_utc(self, client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TZ", "Asia/Kolkata")
        assert self.converted(client) == b"1577836800.0"

    def test_the_environment(self, client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("REDSTART_NAIVE_TIMEZONE", "Asia/Kolkata")
        assert self.converted(client) == b"1577817000.0"

    def test_pyproject_and_the_environment_wins_over_it(
        self, client: redis.Redis, here: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        project(here, '[tool.redstart]\nnaive_timezone = "Asia/Kolkata"\n')
        found = run_om("migrate-data", "run", "--dry-run", "--json").json
        assert "1577817000.0" in str(found)
        monkeypatch.setenv("REDSTART_NAIVE_TIMEZONE", "UTC")
        assert self.converted(client) == b"1577836800.0"

    def test_an_invalid_name_is_reported_with_its_setting(
        self, client: redis.Redis, here: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        project(here, '[tool.redstart]\nnaive_timezone = "Mars/Olympus"\n')
        found = run_om("migrate-data", "run")
        assert found.code == 2
        assert "pyproject.toml: Unknown time zone 'Mars/Olympus'" in found.stderr
        monkeypatch.setenv("REDSTART_NAIVE_TIMEZONE", "../etc/passwd")
        found = run_om("migrate-data", "run")
        assert found.code == 2
        assert "REDSTART_NAIVE_TIMEZONE: Unknown time zone '../etc/passwd'" in found.stderr
        assert "Europe/Berlin" in found.stderr
        assert client.hget("station:visit:a", "arrived_at") == b"2020-01-01T00:00:00"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"[tool.redstart", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b"tool = 3", "[tool.redstart] is not a table"),
        (b"[tool]\nredstart = 3", "[tool.redstart] is not a table"),
        (b"[tool.redstart]\nurl = 3", "tool.redstart.url is 3, not a string"),
        (b"[tool.redstart]\nmodels = 3", "tool.redstart.models is 3, not a string or a list of strings"),
        (b"[tool.redstart]\nmodels = [3]", "tool.redstart.models is [3], not a string or a list of strings"),
        (b"[tool.redstart]\nnaive_timezone = true", "tool.redstart.naive_timezone is True, not a string"),
    ],
)
def test_a_broken_pyproject(here: Path, text: bytes, said: str) -> None:
    (here / "pyproject.toml").write_bytes(text)
    found = run_om("migrate-data", "status")
    assert found.code == 2
    assert "pyproject.toml" in found.stderr
    assert said in found.stderr
    assert "Fix the file" in found.stderr
    assert "Traceback" not in found.text
    assert run_om("migrate-data", "status", "--help").code == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('modles = ["shop.models"]', "unknown setting tool.redstart.modles. Did you mean 'models'?"),
        ('Models = ["shop.models"]', "unknown setting tool.redstart.Models. Did you mean 'models'?"),
        (
            'naive-timezone = "UTC"',
            "unknown setting tool.redstart.naive-timezone. Did you mean 'naive_timezone'?",
        ),
        (
            'x = "y"',
            "unknown setting tool.redstart.x. Settings are url, models, naive_timezone, exclude_prefixes.",
        ),
        ('[tool.redstart.urls]\none = "y"', "unknown setting tool.redstart.urls. Did you mean 'url'?"),
        ("url = 3", "tool.redstart.url is 3, not a string"),
        (
            "naive_timezone = 2020-01-01",
            "tool.redstart.naive_timezone is datetime.date(2020, 1, 1), not a string",
        ),
    ],
)
@pytest.mark.parametrize("command", ["migrate-data status", "migrate run"])
def test_an_invalid_setting_is_reported_even_if_it_is_overridden(
    configured: str, here: Path, line: str, said: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDSTART_NAIVE_TIMEZONE", "UTC")
    (here / "pyproject.toml").write_text(f"[tool.redstart]\n{line}\n")
    found = run_om("--url", configured, *command.split())
    assert found.code == 2
    assert found.stderr.startswith(f"Error: {here / 'pyproject.toml'}: {said}")
    assert found.stdout == ""


def test_the_prompt_names_the_server(configured: str) -> None:
    assert configured in om_on_terminal("migrate-data", "run", answer="n").shown.replace("\r\n", "")


@pytest.mark.parametrize(
    "words", ["migrate-data status", "migrate-data run --dry-run", "migrate status", "migrate run"]
)
def test_models_are_given_before_or_after_the_command(
    url: str, write_module: Callable[[str], str], words: str
) -> None:
    name = write_module(LOG)
    before = run_om("--url", url, "--models", name, *words.split(), "--json")
    behind = run_om(*words.split(), "--url", url, "--models", name, "--json")
    assert before.code == behind.code == 0, before.text
    assert before.json.keys() == behind.json.keys()
    both = run_om(
        "--models",
        "no_such_module",
        "--url",
        "redis://127.0.0.1:1",
        *words.split(),
        "--models",
        name,
        "--url",
        url,
    )
    assert both.code == 0, "those behind the command count"
    refused = run_om("--models", "no_such_module", *words.split())
    assert refused.code == 2
    assert "no_such_module" in refused.stderr
