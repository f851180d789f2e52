"""docs/moving.md: its files are written and its commands typed, with the redis-om that each walk comes from."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.docs.examples import commands_of, first_missing
from tests.support.cli import run_om_in
from tests.support.corpus import REPOSITORY

PAGE = (REPOSITORY / "docs" / "moving.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(py|sh)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
MADE_IN_ADVANCE = ["python3 -m venv new", "new/bin/pip install redstart"]


def blocks(heading: str) -> list[tuple[str, str]]:
    """The files and commands of a part of the page, in order."""
    part = PAGE if not heading else PAGE.partition(f"\n## {heading}\n")[2]
    return BLOCK.findall(part.partition("\n## ")[0])


def write_program(path: Path, *words: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    path.chmod(0o755)


def make_environments(directory: Path, python: str) -> None:
    """Make `old` and `new`, with the programs that the page starts."""
    write_program(directory / "old/bin/python", python)
    write_program(directory / "old/bin/migrate", str(Path(python).parent / "migrate"))
    write_program(directory / "new/bin/python", sys.executable)


def walk(heading: str, directory: Path, url: str) -> list[str]:
    """Do what a part of the page says; the commands that were made in advance are returned."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REDSTART_")}
    environment |= {"REDIS_OM_URL": url, "COLUMNS": "200", "PYTHONDONTWRITEBYTECODE": "1"}
    left_out = []
    ((_, program),) = blocks("")
    (_, models), *steps = blocks(heading)
    (directory / "shop").mkdir()
    for name, text in {"__init__": "", "__main__": program, "models": models}.items():
        (directory / "shop" / f"{name}.py").write_text(text)
    for _, block in steps:
        lines = [line[2:].partition("  # exit")[0] for line in block.splitlines() if line.startswith("$ ")]
        for line, command in zip(lines, commands_of(block), strict=True):
            if line in MADE_IN_ADVANCE:
                left_out.append(line)
            elif command.words[0] == "cd":
                directory = (directory / command.words[1]).resolve()
            elif command.words[0] == "export":
                name, _, value = command.words[1].partition("=")
                environment[name] = value
            else:
                if command.words[0].endswith("/om"):
                    done = run_om_in(directory, environment, *shlex.split(line, comments=True)[1:])
                    code, output = done.code, done.text
                else:
                    code, output = run_in_shell(line, directory, environment)
                said = f"{line} ended with {code}:\n{output}"
                assert code == command.exit_code, said
                assert first_missing(command.lines, output) is None, said
    return left_out


def run_in_shell(line: str, directory: Path, environment: dict[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.redis_om
@pytest.mark.usefixtures("client")
def test_from_0_3_5(python_with_0x: str, url: str, tmp_path: Path) -> None:
    make_environments(tmp_path, python_with_0x)
    assert walk("From redis-om 0.3.5", tmp_path, url) == MADE_IN_ADVANCE


@pytest.mark.redis_om
@pytest.mark.usefixtures("client")
def test_from_1_2_0(python_with_1x: str, url: str, tmp_path: Path) -> None:
    make_environments(tmp_path, python_with_1x)
    assert walk("From redis-om 1.2.0", tmp_path, url) == MADE_IN_ADVANCE


def test_what_pip_is_asked_for_is_this_project() -> None:
    (install,) = (line for line in MADE_IN_ADVANCE if " install " in line)
    assert Requirement(install.split()[-1]).name == "redstart"
