"""`om` starts in a blink: help loads nothing that it does not show."""

import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pydantic
import pytest
import redis

from redstart import __version__
from tests.support.cli import run_om

LOADED = """
import json, sys
from redstart.cli.main import main
sys.argv = ["om", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    print(json.dumps([end.code, sorted({name.partition(".")[0] for name in sys.modules}), sorted(sys.modules)]))
"""

HEAVY = {
    "redis",
    "hiredis",
    "pydantic",
    "rich",
    "asyncio",
    "msgpack",
    "ulid_transform",
    "sqlite3",
    "http",
    "email",
}


@pytest.mark.parametrize("words", ["--help", "-h", "migrate-data --help", "migrate-data -h"])
def test_help_imports_nothing_heavy(words: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *words.split()],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    code, packages, modules = json.loads(done.stdout.splitlines()[-1])
    assert code == 0
    assert HEAVY & set(packages) == set()
    ours = {name for name in modules if name.startswith("redstart.")}
    light = (
        "redstart.cli",
        "redstart.display",
        "redstart.errors",
        "redstart.next_steps",
        "redstart.unavailable_names",
    )
    assert all(name.startswith(light) for name in ours), ours


def test_version_names_what_a_bug_report_needs(url: str) -> None:
    found = run_om("--url", url, "--version")
    first, python, libraries, server = found.stdout.splitlines()
    assert (found.code, first) == (0, f"om, version {__version__}")
    assert python.startswith(f"Python {platform.python_version()} (")
    assert f"redis {redis.__version__}," in libraries
    assert f"pydantic {pydantic.VERSION}," in libraries
    assert re.fullmatch(r"Server at unix://\S+: (valkey|redis) \d+\.\S+(, \w+ [\d.]+)+", server), server


def test_version_without_a_server_is_quick_and_without_passwords() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it accepts connections and never replies
        port = silent.getsockname()[1]
        began = time.monotonic()
        found = run_om("--url", f"redis://:secret@127.0.0.1:{port}", "--version")
        assert time.monotonic() - began < 5.0
    assert found.code == 0
    assert found.stdout.splitlines()[-1].startswith(f"The server at redis://127.0.0.1:{port} did not reply")
    assert "secret" not in found.text
    assert "is not a Redis URL" in run_om("--url", "nothing", "--version").stdout


def test_the_package_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "redstart", "migrate", "--help"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("Usage: om migrate ")
    bad = subprocess.run(
        [sys.executable, "-m", "redstart", "no-such"], capture_output=True, text=True, check=False
    )
    assert bad.returncode == 2


def completed(name: str, *words: str) -> list[str]:
    """Return what bash completes, with the script of `om completion bash` and the program on the path."""
    program = Path(sys.executable).with_name(name)
    script = (
        f'eval "$({program} completion bash)"; COMP_WORDS=({name} {" ".join(words)}); '
        f'COMP_CWORD={len(words)}; _{name}_completion {program}; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_commands_and_options() -> None:
    assert completed("om", "mig") == ["migrate", "migrate-data"]
    assert "rollback" in completed("om", "migrate-data", "''")
    assert completed("redstart", "migrate", "run", "--dry") == ["--dry-run"]
    assert completed("om", "completion", "z") == ["zsh"]
    assert completed("om", "index", "--n") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(shell: str) -> None:
    found = run_om("completion", shell)
    assert (found.code, f"_OM_COMPLETE={shell}_complete" in found.stdout) == (0, True)
    assert f"_REDSTART_COMPLETE={shell}_complete" in run_om("completion", shell, name="redstart").stdout
    assert run_om("completion", "powershell").code == 2


@pytest.mark.parametrize(
    "words", [[], ["migrate-data"], ["migrate-data", "run"], ["migrate-data", "errors"], ["server"]]
)
def test_h_is_help_everywhere(words: list[str]) -> None:
    assert run_om(*words, "-h").stdout == run_om(*words, "--help").stdout != ""
