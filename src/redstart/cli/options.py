"""Options that several commands share, and the questions they ask before they write."""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from redstart.cli.settings import Settings, load_settings
from redstart.errors import ConfigurationError, UnknownMigration
from redstart.migrations.data.running.context import DATETIME_MIGRATION

F = TypeVar("F", bound=Callable[..., Any])


def _keep_url(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.obj = value


def _settings(ctx: click.Context, _: click.Parameter, value: tuple[str, ...]) -> Settings:
    return load_settings(ctx.obj, value)


def _known_id(ctx: click.Context, _: click.Parameter, value: str | None) -> str:
    """The id, if it is that of the built-in migration, the only one so far."""
    if value is None:
        raise ConfigurationError(
            f"No migration is named. Known: {DATETIME_MIGRATION}.",
            f"Type: {ctx.command_path} {DATETIME_MIGRATION}",
        )
    if value != DATETIME_MIGRATION:
        raise UnknownMigration(value, (DATETIME_MIGRATION,), ctx.command_path)
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
migration_id = click.argument("migration_id", metavar="ID", required=False, callback=_known_id)
yes = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
accept_unindexed = click.option(
    "--accept-unindexed",
    is_flag=True,
    help="Cut over even if documents that are found now are lost to queries.",
)
keep_old = click.option(
    "--keep-old",
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


def confirm(question: str, *, assume_yes: bool) -> None:
    """Ask on a terminal; elsewhere go on, for a prompt would block a pipeline. Raises click.Abort on a no."""
    if not assume_yes and _can_ask():
        click.confirm(question, abort=True, err=True)


def require_yes(question: str, *, assume_yes: bool) -> None:
    """As `confirm`, for what cannot be taken back: without a terminal it needs --yes."""
    if not assume_yes and not _can_ask():
        raise click.UsageError(f"{question} There is no terminal to ask on: say so with --yes.")
    confirm(question, assume_yes=assume_yes)


def _can_ask() -> bool:
    """Whether somebody sees the question and can answer it."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
