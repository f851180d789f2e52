"""`om` starts in a blink: help loads nothing that it does not show."""

import json
import subprocess
import sys

import pytest

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


@pytest.mark.parametrize("words", ["--help", "-h", "--version", "migrate-data --help", "migrate-data -h"])
def test_help_imports_nothing_heavy(words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *words.split()], capture_output=True, text=True, check=True
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


def test_version() -> None:
    assert run_om("--version").stdout == f"om, version {__version__}\n"


@pytest.mark.parametrize(
    "words", [[], ["migrate-data"], ["migrate-data", "run"], ["migrate-data", "errors"], ["server"]]
)
def test_h_is_help_everywhere(words: list[str]) -> None:
    assert run_om(*words, "-h").stdout == run_om(*words, "--help").stdout != ""
