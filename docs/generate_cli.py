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

Made by `python docs/generate_cli.py` from the commands themselves; do not change by hand.

`redstart` is the same command under another name, for machines that have another `om`. If you type `redstart`, its
messages also say `redstart ...`. The next command that a message names has the `--url` and `--models` that you typed.
Every command except `om server` and `om demo` takes `--json`: it prints one object on stdout ([json.md](json.md)), and
everything else on stderr. Commands ask questions only on a terminal; `--yes` answers them. The permissions that a run
needs: [acl.md](acl.md).

## Settings

| setting | option | environment | pyproject.toml, `[tool.redstart]` | default |
|---|---|---|---|---|
| server | `--url` | `REDIS_OM_URL` | `url` | `redis://localhost:6379` |
| models | `--models`, repeatable | `REDSTART_MODELS`; both: with commas | `models`, a text or a list | none |
| what a datetime without an offset means | | `REDSTART_NAIVE_TIMEZONE` | `naive_timezone` | `UTC` |
| keys of other models | `--exclude-prefix`, repeatable | | `exclude_prefixes`, a text or a list | none |

If a setting is given in several places, the leftmost column wins. An explicit `--url` also wins over a model's
`Meta.database`; the other two do not. A time zone is `UTC`, `local` or a name such as `Europe/Berlin`.
`om` warns of an environment variable whose name resembles one of these.
If you name a package, the models of all its modules are used, also in subfolders that have an `__init__.py`.

`om` imports modules for their models only. A module that migrates when it is imported, as with `Migrator().run()` at
its end, does not migrate then, whether that is Redstart's Migrator or redis-om's; a line on stderr reports it.

Applications have the same settings for the server and the time zone. They read pyproject.toml once, when it is first
needed; that the process works in another directory later, or that the directory is removed, changes nothing.

Migration files are looked for in `schema-migrations` and `data-migrations`, inside `REDIS_OM_MIGRATIONS_DIR` or, if
that is not set, inside `migrations`. `--migrations-dir` names the directory of the files itself. What is done with
them: [from-redis-om.md](from-redis-om.md#migration-files).

## Exit codes

One outcome has one code in every command. An index refuses a cutover or a rollback if documents would drop out of query
results.

| code | meaning | for example |
|---|---|---|
| 0 | done, or nothing to do | |
| 1 | failed, or refused before the first write | no connection, too little memory, a question answered with no |
| 2 | wrong usage or configuration | an unknown option, a model that cannot be imported |
| 3 | work is pending | `--check`, `check-schema`, migration files, a cutover or rollback that an index refused |
| 4 | another run holds the lease, or has taken it | two runs at once |
| 5 | stopped with its progress saved; the same command resumes it | Ctrl-C, `--limit-documents` |
| 6 | problems found | `verify` finds missing, wrong or unconverted values; a rollback leaves values that it lists |
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
