"""Settings: an option, then the environment, then `[tool.redstart]` in pyproject.toml, then the default."""

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redstart.errors import ConfigurationError

DEFAULT_URL = "redis://localhost:6379"

_MEND = "Mend the file, or run om in another directory."


@dataclass(frozen=True, slots=True)
class Settings:
    """What a command works with.

    Attributes:
        url: the server; `url_is_explicit` when --url named it, which wins over a model's Meta.database.
        models: modules or packages that declare models.
        naive_timezone: what a datetime without an offset means; `naive_timezone_from` where that was said.
    """

    url: str
    url_is_explicit: bool
    models: tuple[str, ...]
    naive_timezone: str
    naive_timezone_from: str


def load_settings(url: str | None, models: tuple[str, ...]) -> Settings:
    """Settings, given the options --url and --models.

    Raises:
        ConfigurationError: pyproject.toml cannot be read, is not TOML, or holds something else than text.
    """
    table = _project_table(Path.cwd())
    named = models or _words(os.environ.get("REDSTART_MODELS", "")) or _texts(table, "models")
    zone_of_environment = os.environ.get("REDSTART_NAIVE_TIMEZONE")
    return Settings(
        url=url or os.environ.get("REDIS_OM_URL") or _text(table, "url") or DEFAULT_URL,
        url_is_explicit=bool(url),
        models=named,
        naive_timezone=zone_of_environment or _text(table, "naive_timezone") or "UTC",
        naive_timezone_from="REDSTART_NAIVE_TIMEZONE"
        if zone_of_environment
        else "naive_timezone in pyproject.toml",
    )


def _project_table(directory: Path) -> dict[str, Any]:
    """`[tool.redstart]` of the nearest pyproject.toml, here or above."""
    for folder in (directory, *directory.parents):
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


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _text(table: dict[str, Any], name: str) -> str | None:
    value = table.get(name)
    if value is not None and not isinstance(value, str):
        raise ConfigurationError(f"pyproject.toml: tool.redstart.{name} is {value!r}, not text.", _MEND)
    return value


def _texts(table: dict[str, Any], name: str) -> tuple[str, ...]:
    value = table.get(name, [])
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ConfigurationError(
            f"pyproject.toml: tool.redstart.{name} is {value!r}, not a list of modules.", _MEND
        )
    return tuple(value)
