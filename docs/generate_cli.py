"""Writes docs/cli.md from the commands themselves: python docs/generate_cli.py

tests/cli/test_docs.py fails when the file is stale, or a command or option has no help.
"""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click

from redstart.cli.main import om

FILE = Path(__file__).with_name("cli.md")

INTRODUCTION = """\
# The command line

This page is generated from the commands by `python docs/generate_cli.py`. Do not edit it.

`redstart` is another name of the command `om`, for environments with another `om`. If you type `redstart`, messages
name commands as `redstart ...`. A next command in a message has the `--url` and `--models` that you typed. Every
command except `om server` and `om demo` has the option `--json`: it prints one object on stdout ([json.md](json.md)),
and everything else on stderr. Commands ask for confirmation only on a terminal; `--yes` skips the question.
[acl.md](acl.md) lists the permissions that a run needs.

## Settings

| setting | option | environment | pyproject.toml, `[tool.redstart]` | default |
|---|---|---|---|---|
| server | `--url` | `REDIS_OM_URL` | `url` | `redis://localhost:6379` |
| models | `--models`, repeatable | `REDSTART_MODELS` | `models`, a string or a list | none |
| time zone of datetimes without an offset | | `REDSTART_NAIVE_TIMEZONE` | `naive_timezone` | `UTC` |
| key prefixes of other models | `--exclude-prefix`, repeatable | | `exclude_prefixes`, a string or a list | none |

An option takes precedence over the environment, and the environment over pyproject.toml. `--url` also takes precedence
over `Meta.database` of a model; `REDIS_OM_URL` and `url` do not. `--models` and `REDSTART_MODELS` accept several
modules, separated by commas. If you name a package, `om` uses the models of all its modules, including
subdirectories with an `__init__.py`. A time zone is `UTC`, `local` or a name such as `Europe/Berlin`. `om` warns of
environment variables whose names are similar to these; applications [log](errors.md#logging) them once.

`om` imports modules only to read their models. If a module calls `Migrator().run()` of Redstart or redis-om when it is
imported, `om` skips this call, and reports it on stderr.

Applications use the same settings for the server and the time zone. A process reads pyproject.toml once, when it first
needs a setting; later changes of the working directory have no effect.

`om` reads migration files from the directories `schema-migrations` and `data-migrations` in `REDIS_OM_MIGRATIONS_DIR`
or, if this variable is not set, in `migrations`. `--migrations-dir` sets the directory of the files itself.
[from-redis-om.md](from-redis-om.md#migration-files) describes the use of these files.

## Exit codes

An outcome has the same exit code in every command. A cutover or a rollback is refused if documents would drop out of
query results.

| code | meaning | examples |
|---|---|---|
| 0 | done, or nothing to do | |
| 1 | failed, or refused before the first write | no connection, too little memory, a question answered with no |
| 2 | wrong usage or configuration | an unknown option, a model that cannot be imported |
| 3 | work is pending | `--check`, `check-schema`, `verify` before a run, pending files, a refused cutover or rollback |
| 4 | another run holds the lease | two runs at once |
| 5 | stopped with its progress saved; the same command resumes it | Ctrl-C, `--limit-documents` |
| 6 | problems found | `verify` finds wrong or unconverted values; a rollback leaves values; documents disappear |
"""


def context_of(command: click.Command, path: str = "om") -> click.Context:
    """What a command needs to describe itself. Click remembers the help option it makes here: it must be om's."""
    return click.Context(command, info_name=path, help_option_names=om.context_settings["help_option_names"])


def commands(command: click.Command, path: str = "om") -> Iterator[tuple[str, click.Command]]:
    """A command and all below it, by what is typed."""
    yield path, command
    if isinstance(command, click.Group):
        context = context_of(command, path)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, f"{path} {name}")


def options(command: click.Command) -> Iterator[tuple[str, str]]:
    """What is typed for each option and argument, and its help."""
    context = context_of(command)
    for parameter in command.get_params(context):
        if isinstance(parameter, click.Option):
            record = parameter.get_help_record(context)
            assert record is not None, f"{command.name}: {parameter.name} is hidden"
            yield record


def page() -> str:
    """The whole of docs/cli.md."""
    return "\n".join([INTRODUCTION, *(_section(path, command) for path, command in commands(om))])


def _section(path: str, command: click.Command) -> str:
    context = context_of(command, path)
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    lines = [f"## `{path}`", "", _help(command), "", "```", usage, "```", ""]
    if isinstance(command, click.Group):
        names = command.list_commands(context)
        lines += [f"Commands: {', '.join(f'[`{name}`](#{_anchor(path, name)})' for name in names)}.", ""]
    lines += ["| option | |", "|---|---|"]
    lines += [f"| {_cell(f'`{typed}`')} | {_cell(text)} |" for typed, text in options(command)]
    return "\n".join([*lines, ""])


def _help(command: click.Command) -> str:
    """Return the text of a command's help; a paragraph that click does not wrap becomes a block."""
    return re.sub(
        r"\x08\n(.+?)(?=\n\n|\Z)", r"```\n\1\n```", inspect.cleandoc(command.help or ""), flags=re.DOTALL
    )


def _anchor(path: str, name: str) -> str:
    return f"{path} {name}".replace(" ", "-")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
