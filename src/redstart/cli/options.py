"""Options that several commands share, and the questions they ask before they write."""

import shlex
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import Any, TypeVar

import click

from redstart.cli.main import Given
from redstart.cli.settings import Settings, load_settings
from redstart.cli.skipped_migrations import migrations_skipped
from redstart.display import escaped
from redstart.errors import ConfigurationError
from redstart.migrations.data.running.context import DATETIME_MIGRATION

F = TypeVar("F", bound=Callable[..., Any])


def _keep_url(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.obj = replace(ctx.obj or Given(), url=value)


def _keep_excluded(ctx: click.Context, _: click.Parameter, value: tuple[str, ...]) -> None:
    if value:
        ctx.obj = replace(ctx.obj or Given(), exclude_prefixes=value)


def _settings(ctx: click.Context, _: click.Parameter, value: tuple[str, ...]) -> Settings:
    ctx.with_resource(migrations_skipped())  # until the command ends: a module may start a thread
    given = ctx.obj or Given()
    return load_settings(given.url, value or given.models, given.exclude_prefixes)


def _named(ctx: click.Context, _: click.Parameter, value: str | None) -> str:
    """The id. Whether there is such a migration, the command asks the server."""
    if value is None:
        raise ConfigurationError(
            f"No migration is named. The conversion of dates is {DATETIME_MIGRATION}.",
            f"Name one: {ctx.command_path} ID",
        )
    return value


def common(command: F) -> F:
    """--url, --models and --json; the command gets `settings` and `as_json`."""
    for option in reversed(_COMMON):
        command = option(command)
    return command


_COMMON: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--url", metavar="URL", is_eager=True, expose_value=False, callback=_keep_url, help="As om --url."
    ),
    click.option(
        "--models",
        "settings",
        multiple=True,
        metavar="MODULE",
        callback=_settings,
        help="Module or package that declares models; repeatable, or several with commas.",
    ),
    click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout; the rest on stderr."),
)

verbose = click.option("-v", "--verbose", is_flag=True, help="Say more: every failure, every field.")
migration_id = click.argument("migration_id", metavar="ID", required=False, callback=_named)
yes = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
accept_unindexed = click.option(
    "--accept-unindexed",
    is_flag=True,
    help="Cut over even if documents that are found now are lost to queries.",
)
accept_unreadable = click.option(
    "--accept-unreadable",
    is_flag=True,
    help="Change indexes even if a model cannot read most of its documents.",
)
exclude_prefix = click.option(
    "--exclude-prefix",
    multiple=True,
    metavar="PREFIX",
    is_eager=True,
    expose_value=False,
    callback=_keep_excluded,
    help="Keys that begin so belong to no model with a shorter key prefix. Repeatable.",
)
include_prefixes = click.option(
    "--include-prefix",
    "include_prefixes",
    multiple=True,
    metavar="PREFIX",
    help="Convert keys that begin so as documents of the model with the shorter key prefix. Repeatable.",
)
aliases = click.option(
    "--alias",
    "aliases",
    multiple=True,
    metavar="NAME",
    help="Another name of an index, made with FT.ALIASADD: it follows where the index is replaced. Repeatable.",
)
keep_old_index = click.option(
    "--keep-old-index",
    is_flag=True,
    help="Keep a copy of an index that Redstart takes over for the first time, for a quick way back.",
)
batch_size = click.option(
    "--batch-size",
    type=click.IntRange(1, 100_000),
    default=1_000,
    show_default=True,
    metavar="N",
    help="Keys asked for per step, 1 to 100000. Large documents are read in smaller steps.",
)


def chosen_options(ctx: click.Context, *, omit: Collection[str]) -> str:
    """Return the options of a command that were typed, as they are typed again, with a space before each.

    Args:
        omit: names of parameters to leave out. --url, --models and --json are left out too: see `as_typed`.
    """
    return "".join(f" {option}" for option in _chosen(ctx, {*omit, "url", "settings", "as_json"}))


def _chosen(ctx: click.Context, omit: Collection[str]) -> Iterator[str]:
    given = ctx.obj or Given()
    values = ctx.params | {"exclude_prefix": given.exclude_prefixes}
    for parameter in ctx.command.params:
        name = parameter.name or ""
        if name in omit or ctx.get_parameter_source(name) is not click.core.ParameterSource.COMMANDLINE:
            continue
        value = values[name]
        for one in value if isinstance(value, tuple) else (value,):
            yield parameter.opts[-1] if one is True else f"{parameter.opts[-1]} {shlex.quote(str(one))}"


def confirm(question: str, *, assume_yes: bool) -> None:
    """Ask on a terminal; elsewhere go on, for a prompt would block a pipeline. Raises click.Abort on a no."""
    if will_ask(assume_yes=assume_yes):
        click.confirm(escaped(question), abort=True, err=True)


def require_yes(question: str, *, assume_yes: bool) -> None:
    """As `confirm`, for what cannot be taken back: without a terminal it needs --yes."""
    if not assume_yes and not _can_ask():
        raise click.UsageError(f"{question} There is no terminal to ask on: say so with --yes.")
    confirm(question, assume_yes=assume_yes)


def will_ask(*, assume_yes: bool) -> bool:
    """Return whether `confirm` asks."""
    return not assume_yes and _can_ask()


def _can_ask() -> bool:
    """Return whether there is a terminal that can show a question and take the answer."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
