"""Settings of `om`: an option, then what `redstart.settings` finds in the surroundings."""

import os
from dataclasses import dataclass, field

from redstart.settings import (
    exclude_prefixes_setting,
    models_setting,
    naive_timezone_setting,
    project_table,
    url_setting,
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a command works with.

    Attributes:
        url: the server; `url_is_explicit` when --url named it, which wins over a model's Meta.database.
        models: modules or packages that declare models.
        naive_timezone: what a datetime without an offset means; `naive_timezone_from` where that was said,
            None where it was not.
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
    """Settings, given the options --url, --models and --exclude-prefix.

    Raises:
        ConfigurationError: pyproject.toml cannot be read, is not TOML, or holds what is no setting.
    """
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
