"""What the surroundings say: the environment, then `[tool.redstart]` in pyproject.toml, then the default.

`om` reads it once for a command, models at each use: a variable that is set later counts.
"""

import os
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from redstart.errors import ConfigurationError
from redstart.values.timezones import NaiveTimezone

DEFAULT_URL: Final = "redis://localhost:6379"

_MEND = "Mend the file, or work in another directory."


@dataclass(frozen=True, slots=True)
class ZoneSetting:
    """What a datetime without an offset means: the name of a zone, and where that was said."""

    name: str
    said_in: str

    def zone(self) -> NaiveTimezone:
        """The zone. Raises ConfigurationError if there is none of this name."""
        try:
            return NaiveTimezone.parse(self.name)
        except ConfigurationError as exc:
            raise ConfigurationError(f"{self.said_in}: {exc.message}", exc.hint) from exc


def server_url() -> str:
    """The server of models that name none themselves. Raises ConfigurationError."""
    return os.environ.get("REDIS_OM_URL") or url_setting(_table_of(_directory()))


def naive_timezone() -> NaiveTimezone:
    """What a datetime without an offset means. Raises ConfigurationError."""
    return _zone_of(os.environ.get("REDSTART_NAIVE_TIMEZONE"), _directory())


def get_root_migrations_dir() -> str:
    """The directory of migration files, read at each call: REDIS_OM_MIGRATIONS_DIR, or `migrations`."""
    return os.environ.get("REDIS_OM_MIGRATIONS_DIR", "migrations")


def url_setting(table: dict[str, Any]) -> str:
    """The server, given `[tool.redstart]`."""
    return os.environ.get("REDIS_OM_URL") or text_of(table, "url") or DEFAULT_URL


def naive_timezone_setting(table: dict[str, Any]) -> ZoneSetting:
    """The zone of naive datetimes, given `[tool.redstart]`."""
    said = os.environ.get("REDSTART_NAIVE_TIMEZONE")
    if said:
        return ZoneSetting(said, "REDSTART_NAIVE_TIMEZONE")
    return ZoneSetting(text_of(table, "naive_timezone") or "UTC", "naive_timezone in pyproject.toml")


def project_table() -> dict[str, Any]:
    """`[tool.redstart]` of the nearest pyproject.toml, in the current directory or above.

    Raises:
        ConfigurationError: the file cannot be read, or is not TOML.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        file = folder / "pyproject.toml"
        if not file.is_file():
            continue
        try:
            tool = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {})
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as exc:
            raise ConfigurationError(f"{file} cannot be read: {exc}.", _MEND) from exc
        table = tool.get("redstart", {}) if isinstance(tool, dict) else None
        if not isinstance(table, dict):
            raise ConfigurationError(f"{file}: [tool.redstart] is not a table.", _MEND)
        return table
    return {}


@cache
def _zone_of(_said: str | None, directory: str) -> NaiveTimezone:
    """The zone, given what the environment says. Models ask with every document."""
    return naive_timezone_setting(_table_of(directory)).zone()


def _directory() -> str:
    return os.getcwd()  # noqa: PTH109 - Path.cwd() takes 10 us, and models ask with every document


@cache
def _table_of(_directory: str) -> dict[str, Any]:
    return project_table()


def text_of(table: dict[str, Any], name: str) -> str | None:
    """A setting that is text. Raises ConfigurationError."""
    value = table.get(name)
    if value is not None and not isinstance(value, str):
        raise ConfigurationError(f"pyproject.toml: tool.redstart.{name} is {value!r}, not text.", _MEND)
    return value


def texts_of(table: dict[str, Any], name: str) -> tuple[str, ...]:
    """A setting that is a list of texts, or one text. Raises ConfigurationError."""
    value = table.get(name, [])
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ConfigurationError(
            f"pyproject.toml: tool.redstart.{name} is {value!r}, not a list of modules.", _MEND
        )
    return tuple(value)
