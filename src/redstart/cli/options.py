"""Options that several commands share, and confirmation before writes."""

import os
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import click

from redstart.cli.main import Given
from redstart.cli.model_loading import migrations_skipped
from redstart.cli.output import command_of, fitted, note, warn
from redstart.display import escaped
from redstart.errors import ConfigurationError
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION
from redstart.next_steps import Hint
from redstart.settings import (
    exclude_prefixes_setting,
    misspelt_variables,
    models_setting,
    naive_timezone_setting,
    project_table,
    url_setting,
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a command.

    Attributes:
        url: the server.
        url_is_explicit: whether --url named it, which takes precedence over Meta.database of a model.
        models: modules or packages with models.
        naive_timezone: the zone of naive datetimes.
        naive_timezone_from: the setting that names it; None: the default.
        exclude_prefixes: prefixes of keys that belong to no model with a shorter key prefix.
        exclusions_are_settings: whether they are from pyproject.toml.
    """

    url: str = field(repr=False)
    url_is_explicit: bool
    models: tuple[str, ...]
    naive_timezone: str
    naive_timezone_from: str | None
    exclude_prefixes: tuple[str, ...] = ()
    exclusions_are_settings: bool = False


def load_settings(
    url: str | None, models: tuple[str, ...], exclude_prefixes: tuple[str, ...] = ()
) -> Settings:
    """Return the settings, given the options --url, --models and --exclude-prefix. Warn of misspelt variables.

    Raises:
        ConfigurationError: pyproject.toml cannot be read, is not TOML, or contains an unknown setting.
    """
    for warning in misspelt_variables():
        warn(warning)
    if models and not any(map(_words, models)):
        raise ConfigurationError(
            "No module was given: the value of --models is empty.", "Use --models your_package.models"
        )
    table = project_table()
    zone = naive_timezone_setting(table)
    return Settings(
        url=url or url_setting(table),
        url_is_explicit=bool(url),
        models=tuple(name for one in models for name in _words(one) or (one,))
        or _words(os.environ.get("REDSTART_MODELS", ""))
        or models_setting(table),
        naive_timezone=zone.name,
        naive_timezone_from=zone.said_in,
        exclude_prefixes=exclude_prefixes or exclude_prefixes_setting(table),
        exclusions_are_settings=not exclude_prefixes,
    )


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


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
    """Return the id. The command checks whether the migration exists."""
    if value is None:
        raise ConfigurationError(
            "No migration ID was given.",
            Hint("For the conversion of dates, use: ", command_of(ctx, DATETIME_MIGRATION)),
        )
    return value


def models_option_of(*other_names: str) -> Callable[[F], F]:
    """Return the option --models, which also has other names."""
    return click.option(
        "--models",
        *other_names,
        "settings",
        multiple=True,
        metavar="MODULE",
        callback=_settings,
        help="Module or package with models. Repeatable, or several separated by commas.",
    )


models_option = models_option_of()
url_option = click.option(
    "--url",
    metavar="URL",
    is_eager=True,
    expose_value=False,
    callback=_keep_url,
    help="Server, as in om --url.",
)
json_output = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on stdout, all else on stderr."
)


def without_effect(*names: str) -> Callable[[F], F]:
    """Accept options of redis-om that have no effect there either; print a note if one is given."""

    def warn_of(_: click.Context, parameter: click.Parameter, value: str | None) -> None:
        if value is not None:
            warn(f"{parameter.opts[0]} has no effect on this command, as in redis-om.")

    def add(command: F) -> F:
        for name in names:
            command = click.option(
                name,
                metavar="VALUE",
                expose_value=False,
                callback=warn_of,
                help="No effect, as in redis-om: accepted for its scripts.",
            )(command)
        return command

    return add


def common(command: F) -> F:
    """Add --url, --models and --json, passed to the command as `settings` and `as_json`."""
    for option in reversed(_COMMON):
        command = option(command)
    return command


_COMMON: tuple[Callable[[Any], Any], ...] = (
    url_option,
    models_option,
    json_output,
)

verbose = click.option("-v", "--verbose", is_flag=True, help="Show all failures, fields and steps.")
migration_id = click.argument("migration_id", metavar="ID", required=False, callback=_named)
yes = click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
accept_unindexed = click.option(
    "--accept-unindexed",
    is_flag=True,
    help="Continue even if documents drop out of query results.",
)
accept_unreadable = click.option(
    "--accept-unreadable",
    is_flag=True,
    help="Change indexes even if documents do not fit their model, as after a rename.",
)
exclude_prefix = click.option(
    "--exclude-prefix",
    multiple=True,
    metavar="PREFIX",
    is_eager=True,
    expose_value=False,
    callback=_keep_excluded,
    help="Skip keys with this prefix, even if they match the shorter prefix of a model. Repeatable.",
)
include_prefixes = click.option(
    "--include-prefix",
    "include_prefixes",
    multiple=True,
    metavar="PREFIX",
    help="Treat keys with this prefix as documents of the model with the shorter prefix. Repeatable.",
)
aliases = click.option(
    "--alias",
    "aliases",
    multiple=True,
    metavar="NAME",
    help="Your own alias of an index (FT.ALIASADD), moved together with the index. Repeatable.",
)
keep_old_index = click.option(
    "--keep-old-index",
    is_flag=True,
    help="Keep a copy of each original index, for a fast rollback.",
)
batch_size = click.option(
    "--batch-size",
    type=click.IntRange(1, 100_000),
    default=1_000,
    show_default=True,
    metavar="N",
    help="Keys scanned per batch. Large documents are read in smaller batches.",
)


def chosen_options(ctx: click.Context, *, omit: Collection[str]) -> list[str]:
    """Return the arguments and options of a command that were typed, as words.

    Args:
        omit: names of parameters to leave out. --url, --models and --json are left out too: see `rendered`.
    """
    return list(_chosen(ctx, {*omit, "url", "settings", "as_json"}))


def _chosen(ctx: click.Context, omit: Collection[str]) -> Iterator[str]:
    given = ctx.obj or Given()
    values = ctx.params | {"exclude_prefix": given.exclude_prefixes}
    for parameter in ctx.command.params:
        name = parameter.name or ""
        if name in omit or ctx.get_parameter_source(name) is not click.core.ParameterSource.COMMANDLINE:
            continue
        value = values[name]
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(parameter, click.Argument):
                yield str(one)
                continue
            yield from (parameter.opts[-1],) if one is True else (parameter.opts[-1], str(one))


_ANSWERS = {"y": True, "yes": True, "n": False, "no": False}


def confirm(question: str, *, assume_yes: bool, default: bool = False) -> None:
    """Ask on a terminal; elsewhere return, since a prompt would block a pipeline. Raises click.Abort on a no.

    Args:
        default: what an empty answer means.
    """
    if not will_ask(assume_yes=assume_yes):
        return
    while (answer := _typed_answer(question, default=default)) is None:
        note("Type y or n.")
    if not answer:
        raise click.Abort


def _typed_answer(question: str, *, default: bool) -> bool | None:
    """Ask, and return the answer; None if it is neither yes nor no."""
    prompt = fitted(sys.stderr, f"{escaped(question)} {'[Y/n]' if default else '[y/N]'}:")
    try:
        typed: str = click.prompt(prompt, prompt_suffix=" ", default="", show_default=False, err=True)
    except click.Abort:
        note("")  # the terminal has shown ^C at the end of the question
        raise
    answer = typed.strip().lower()
    return _ANSWERS.get(answer) if answer else default


def require_yes(question: str, *, consequence: str, how: str, assume_yes: bool) -> None:
    """Ask as `confirm` does, for what cannot be undone: without a terminal, --yes is required.

    Args:
        consequence: of a yes, as a sentence.
        how: what to do without a terminal.
    """
    if not assume_yes and not _can_ask():
        raise ConfigurationError(f"Not confirmed. Nothing was changed. {consequence}", how)
    confirm(f"{consequence} {question}", assume_yes=assume_yes)


def will_ask(*, assume_yes: bool) -> bool:
    """Return whether `confirm` asks."""
    return not assume_yes and _can_ask()


def _can_ask() -> bool:
    """Return whether a terminal can show the question and send the answer."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
