"""Runs what the documents show: Python blocks by Sybil, and commands as a reader types them.

A Python block that begins with a comment that is only a path, such as `# shop.py`, is that file: it is written. One
that begins with `# migrations/..._name.py` shows lines of a file that a command has written. A block marked `diff`
edits such a file.

In a block marked `console`, a line that begins with `$ ` is a command, and every other line must be in what
it printed, in that order; `...` stands for anything. A comment `# exit 3` behind a command is its exit code. In a
command, `..._name` is the id of the migration file with this name.

`python FILE LABEL &` is a process that runs until `pkill -f "FILE LABEL"`, and must not end before; the line below it
is the first that it prints. `export NAME=VALUE` is for the commands after it.
"""

import io
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sybil import Document, Example, Region, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

from redstart.demo.models import Ringer, Sighting, Visit
from redstart.mapping.base_model import register
from tests.support.cli import Ended, run_om
from tests.support.models import registry_of_its_own

ROOT = Path(__file__).parents[2]
DOCUMENTS = (
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "docs/*.md",
    "docs/guide/*.md",
    "docs/operations/*.md",
    "examples/*/README.md",
)
GUIDE = ROOT / "docs" / "guide"
OPERATIONS = ROOT / "docs" / "operations"
"""Pages of operations, which begin with the files and documents of `example`."""

PROGRAMS = {
    "om": [sys.executable, "-m", "redstart.cli.main"],
    "redis-cli": [sys.executable, str(ROOT / "tests" / "support" / "redis_cli.py")],
    "python": [sys.executable],
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
    parsers = [
        _PythonParser(),
        CodeBlockParser("console", evaluate_console),
        CodeBlockParser("diff", _edit_file),
    ]
    return Sybil(parsers=parsers, path=str(path.parent), pattern=path.name).parse(path)


_FILE = re.compile(r"# ([\w/]+\.py)\n")
_SHOWN_FILE = re.compile(r"# migrations/(\.\.\._\w+)\.py\n")


class _PythonParser(PythonCodeBlockParser):
    """Blocks of Python: most are executed, files are written."""

    def __call__(self, document: Document) -> Iterable[Region]:
        for region in super().__call__(document):
            if isinstance(region.parsed, str) and _FILE.match(region.parsed):
                region.evaluator = _write_file
            if isinstance(region.parsed, str) and _SHOWN_FILE.match(region.parsed):
                region.evaluator = _compare_file
            yield region


def _write_file(example: Example) -> None:
    name = _FILE.match(example.parsed)
    assert name is not None
    path = example.namespace["directory"] / name[1]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(example.parsed, encoding="utf-8")


def _compare_file(example: Example) -> None:
    """Look for the lines of a block in the migration file that it shows."""
    name = _SHOWN_FILE.match(example.parsed)
    assert name is not None
    text = _migration_file(name[1], example.namespace["directory"]).read_text(encoding="utf-8")
    shown = [line for line in example.parsed.splitlines()[1:] if line]
    assert first_missing(shown, text) is None, f"no line {first_missing(shown, text)!r} in order in:\n{text}"


def _edit_file(example: Example) -> None:
    """Replace lines of a migration file, as the hunks of a diff say."""
    header, *hunks = re.split(r"^@@\n", example.parsed, flags=re.MULTILINE)
    path = _migration_file(
        header.removeprefix("--- migrations/").strip().removesuffix(".py"), example.namespace["directory"]
    )
    text = path.read_text(encoding="utf-8")
    for hunk in hunks:
        lines = hunk.splitlines(keepends=True)
        old, new = ("".join(line[1:] for line in lines if line[0] in kept) for kept in (" -", " +"))
        assert text.count(old) == 1, f"not exactly one time in {path.name}:\n{old}\n{text}"
        text = text.replace(old, new)
    _ = path.write_text(text, encoding="utf-8")


def _migration_file(word: str, directory: Path) -> Path:
    return directory / "migrations" / f"{_migration_id(word, directory)}.py"


def _migration_id(word: str, directory: Path) -> str:
    """Return the id of a migration file for a word such as `..._name`, and any other word as it is."""
    if not word.startswith("..._"):
        return word
    (path,) = directory.glob(f"migrations/*{word[3:]}.py")
    return path.stem


def evaluate_console(example: Example) -> None:
    """Type the commands of one block."""
    type_commands(example.parsed, example.namespace)


def type_commands(block: str, namespace: dict[str, Any]) -> None:
    """Type commands in the namespace's `directory`, under the settings in its `environment`."""
    directory = namespace["directory"]
    processes = namespace.setdefault("processes", {})
    for command in commands_of(block):
        environment = os.environ | namespace["environment"]
        environment["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, filter(None, sys.path)))
        program, *arguments = (_migration_id(word, directory) for word in command.words)
        if program == "export":
            namespace["environment"] |= dict([arguments[0].split("=", 1)])
            continue
        if arguments[-1:] == ["&"]:
            label = " ".join(arguments[:-1])
            processes[label] = _started(PROGRAMS[program] + arguments[:-1], environment, directory)
            missing = first_missing(command.lines, processes[label].stdout.readline())
            assert missing is None, f"no line {missing!r} of {label}"
            continue
        if program == "pkill":
            _stop(processes.pop(arguments[-1]))
            continue
        if program in ("om", "python"):
            run = run_om if program == "om" else _python
            code, outputs = _in_this_process(run, arguments, environment, directory)
        else:
            code, outputs = _program(PROGRAMS[program] + arguments, environment, directory)
        said = f"{shlex.join(command.words)} ended with {code}:\n{outputs[0]}"
        assert code == command.exit_code, said
        missing = [first_missing(command.lines, output) for output in outputs]
        assert None in missing, f"no line {missing[0]!r} in order in what follows.\n{said}"


def _in_this_process(
    run: Callable[..., Ended], words: list[str], environment: dict[str, str], directory: Path
) -> tuple[int, list[str]]:
    """Run a command in this process, for a page types it a dozen times. Its outputs may stand in either order."""
    with pytest.MonkeyPatch.context() as patch, registry_of_its_own(), _modules_of(directory):
        for model in (Ringer, Visit, Sighting):  # imported long ago, in another test's registry
            register(model)
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.chdir(directory)
        done = run(*words)
    return done.code, [done.stdout + done.stderr, done.stderr + done.stdout]


def _python(*words: str) -> Ended:
    """Run a file, or the code after `-c`, as `python` does."""
    stdout = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(stdout):
        patch.syspath_prepend(str(Path.cwd()))
        if words[0] == "-c":
            patch.setattr(sys, "argv", ["-c", *words[2:]])
            exec(words[1], {"__name__": "__main__"})
        else:
            patch.setattr(sys, "argv", list(words))
            _ = runpy.run_path(words[0], run_name="__main__")
    return Ended(0, stdout.getvalue(), "")


@contextmanager
def _modules_of(directory: Path) -> Iterator[None]:
    """Forget the modules of a directory afterwards: a later command may find other files."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(directory)):
            del sys.modules[name]
    shutil.rmtree(directory / "__pycache__", ignore_errors=True)


def _started(words: list[str], environment: dict[str, str], directory: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        words,
        env=environment,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _stop(process: "subprocess.Popen[str]") -> None:
    """End a process, which must not have ended by itself."""
    is_running = process.poll() is None
    process.kill()
    output, _ = process.communicate()
    assert is_running, output


def stop_all(document: Document) -> None:
    """End the processes that a page has started, also after a failure."""
    for process in document.namespace.get("processes", {}).values():
        process.kill()
        _ = process.communicate()


def _program(words: list[str], environment: dict[str, str], directory: Path) -> tuple[int, list[str]]:
    done = subprocess.run(
        words,
        env=environment,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, [done.stdout]


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
