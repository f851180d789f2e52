"""Settings of `om`: options, then the environment, then pyproject.toml."""

import os
from dataclasses import dataclass, field

from redstart.cli.output import warn
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
    """

    url: str = field(repr=False)
    url_is_explicit: bool
    models: tuple[str, ...]
    naive_timezone: str
    naive_timezone_from: str | None
    exclude_prefixes: tuple[str, ...] = ()


def load_settings(
    url: str | None, models: tuple[str, ...], exclude_prefixes: tuple[str, ...] = ()
) -> Settings:
    """Return the settings, given the options --url, --models and --exclude-prefix. Warn of misspelt variables.

    Raises:
        ConfigurationError: pyproject.toml cannot be read, is not TOML, or contains an unknown setting.
    """
    for warning in misspelt_variables():
        warn(warning)
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
    )


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())
