"""Runs what the documents show: Python blocks by Sybil, and commands as a reader types them.

In a block marked `console`, a line that begins with `$ ` is a command, and every other line must be in what
it printed, in that order; `...` stands for anything. A comment `# exit 3` behind a command is its exit code.
"""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from sybil import Document, Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "docs/*.md", "docs/guide/*.md")
GUIDE = ROOT / "docs" / "guide"

PROGRAMS = {
    "om": [sys.executable, "-m", "redstart.cli.main"],
    "redis-cli": [sys.executable, str(ROOT / "tests" / "support" / "redis_cli.py")],
}
"""Programs that commands may name. What else a document shows belongs into a block marked `sh`."""


@dataclass(frozen=True)
class Command:
    """A command of a console block, its exit code, and patterns of lines it prints."""

    words: list[str]
    exit_code: int
    lines: list[str]


def parse_document(path: Path) -> Document:
    """The document with its examples, the Python ones and the commands."""
    parsers = [PythonCodeBlockParser(), CodeBlockParser("console", evaluate_console)]
    return Sybil(parsers=parsers, path=str(path.parent), pattern=path.name).parse(path)


def evaluate_console(example: Example) -> None:
    """Type the commands of one block, under the settings in the namespace's `environment`."""
    environment = os.environ | example.namespace["environment"]
    environment["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, filter(None, sys.path)))
    for command in commands_of(example.parsed):
        program, *arguments = command.words
        done = subprocess.run(
            [*PROGRAMS[program], *arguments],
            env=environment,
            cwd=example.namespace["directory"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        said = f"{shlex.join(command.words)} ended with {done.returncode}:\n{done.stdout}"
        assert done.returncode == command.exit_code, said
        missing = first_missing(command.lines, done.stdout)
        assert missing is None, f"no line {missing!r} in order in what follows.\n{said}"


def commands_of(block: str) -> list[Command]:
    """The commands of a console block. A backslash at the end of a line continues a command."""
    commands: list[Command] = []
    for line in block.replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            text, _, comment = line[2:].partition("  # exit ")
            commands.append(Command(shlex.split(text, comments=True), int(comment or 0), []))
        elif line:
            commands[-1].lines.append(line)
    return commands


def first_missing(patterns: list[str], output: str) -> str | None:
    """The first of the patterns that no further line of the output fits; None if all are there in order."""
    lines = iter(output.splitlines())
    for pattern in patterns:
        wanted = re.compile(".*".join(map(re.escape, pattern.split("..."))))
        if not any(wanted.fullmatch(line.rstrip()) for line in lines):
            return pattern
    return None
