"""Commands are typed as they are run, under the demo's settings only."""

import subprocess
from collections.abc import Sequence

import pytest

from redstart.demo.tour import Shell, abridged


class Typed:
    """A narrator that remembers commands and output."""

    def __init__(self) -> None:
        self.commands: list[str] = []
        self.lines: list[str] = []

    def chapter(self, title: str) -> None: ...

    def say(self, text: str) -> None: ...

    def problem(self, text: str) -> None: ...

    def after_kill(self) -> None: ...

    def typed(self, command: str) -> None:
        self.commands.append(command)

    def output(self, lines: Sequence[str]) -> None:
        self.lines += lines


def test_what_is_typed_is_what_is_run() -> None:
    typed = Typed()
    code = Shell({}, typed).run_abridged("migrate-data", "rollback", "no such id", first=5, last=5)
    assert typed.commands == ["om migrate-data rollback 'no such id'"]
    assert (code, typed.lines) == (1, [])


def test_the_exit_code_is_the_commands(capfd: pytest.CaptureFixture[str]) -> None:
    assert Shell({}, Typed()).run("migrate-data", "stats") == 2
    assert "No models were given" in capfd.readouterr().err


def test_settings_of_the_environment_do_not_reach_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDSTART_MODELS", "no.such.module")
    monkeypatch.setenv("REDSTART_NAIVE_TIMEZONE", "no/such/zone")
    started: list[dict[str, str]] = []
    monkeypatch.setattr(subprocess, "Popen", lambda *_, env, **__: started.append(env))
    Shell({"REDIS_OM_URL": "unix:///ours"}, Typed()).start("--version")
    ours = {name: value for name, value in started[0].items() if name.startswith(("REDIS_OM_", "REDSTART_"))}
    assert ours == {"REDIS_OM_URL": "unix:///ours", "REDSTART_NAIVE_TIMEZONE": "UTC"}


def test_abridged_shows_both_ends_and_counts_the_rest() -> None:
    lines = [str(number) for number in range(10)]
    assert abridged(lines, 2, 1) == ["0", "1", "[... 7 lines ...]", "9"]
    assert abridged(lines, 5, 5) == lines
    assert abridged(lines, 5, 4) == lines
    assert abridged([], 2, 2) == []
