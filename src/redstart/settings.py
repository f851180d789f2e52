"""Settings from the environment, then from `[tool.redstart]` in pyproject.toml, then the defaults.

`om` reads both once per command. Models read the file once per process, when it is first needed: a later change of the
working directory has no effect. A variable that is set later takes effect.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from redstart.display import did_you_mean, has_credentials, printable, shortened
from redstart.errors import ConfigurationError
from redstart.values.timezones import ImplicitUtc, NaiveTimezone

DEFAULT_URL: Final = "redis://localhost:6379"

TEXT: Final = "a string"
TEXTS: Final = "a string or a list of strings"
SETTINGS: Final = {"url": TEXT, "models": TEXTS, "naive_timezone": TEXT, "exclude_prefixes": TEXTS}
"""The settings under `[tool.redstart]`, and their types."""
VARIABLES: Final = ("REDIS_OM_URL", "REDIS_OM_MIGRATIONS_DIR", "REDSTART_MODELS", "REDSTART_NAIVE_TIMEZONE")
"""The settings in the environment."""

_MISSPELT_LIKENESS = 0.9
"""From this likeness on, a variable is a misspelt setting; below, it may belong to another program."""

_CORRECT_FILE = "Fix the file."


@dataclass(frozen=True, slots=True)
class ZoneSetting:
    """The zone of naive datetimes.

    Attributes:
        name: the name of the zone.
        said_in: the setting that names it; None: the default.
    """

    name: str
    said_in: str | None

    def zone(self) -> NaiveTimezone:
        """Return the zone. Raises ConfigurationError if there is no zone of this name."""
        try:
            return NaiveTimezone.parse(self.name)
        except ConfigurationError as exc:
            raise ConfigurationError(f"{self.said_in}: {exc.message}", exc.next_step) from exc


def server_url() -> str:
    """Return the URL of models without Meta.database. Raises ConfigurationError."""
    return os.environ.get("REDIS_OM_URL") or url_setting(_table_of_models())


def naive_timezone() -> NaiveTimezone:
    """Return the zone of naive datetimes. The default warns at its first use.

    Raises:
        ConfigurationError: there is no such zone.
    """
    said = os.environ.get("REDSTART_NAIVE_TIMEZONE")
    return _zones.get(said) or _zones.setdefault(said, _new_zone())


def exclude_prefixes() -> tuple[str, ...]:
    """Return the prefixes of keys that belong to no model with a shorter key prefix. Raises ConfigurationError."""
    return exclude_prefixes_setting(_table_of_models())


def get_root_migrations_dir() -> str:
    """Return the directory of migration files, read at each call: REDIS_OM_MIGRATIONS_DIR, or `migrations`."""
    return os.environ.get("REDIS_OM_MIGRATIONS_DIR", "migrations")


def url_setting(table: dict[str, Any]) -> str:
    """Return the URL of the server, given `[tool.redstart]`."""
    return os.environ.get("REDIS_OM_URL") or table.get("url") or DEFAULT_URL


def naive_timezone_setting(table: dict[str, Any]) -> ZoneSetting:
    """Return the zone of naive datetimes, given `[tool.redstart]`."""
    said = os.environ.get("REDSTART_NAIVE_TIMEZONE")
    if said:
        return ZoneSetting(said, "REDSTART_NAIVE_TIMEZONE")
    named = table.get("naive_timezone")
    return ZoneSetting(named, "naive_timezone in pyproject.toml") if named else ZoneSetting("UTC", None)


def models_setting(table: dict[str, Any]) -> tuple[str, ...]:
    """Return the modules with models, given `[tool.redstart]`. Only `om` uses them."""
    models = table.get("models", ())
    return (models,) if isinstance(models, str) else tuple(models)


def exclude_prefixes_setting(table: dict[str, Any]) -> tuple[str, ...]:
    """Return the prefixes of keys that belong to no model with a shorter key prefix, given `[tool.redstart]`."""
    prefixes = table.get("exclude_prefixes", ())
    return (prefixes,) if isinstance(prefixes, str) else tuple(prefixes)


def project_table() -> dict[str, Any]:
    """Return `[tool.redstart]` of the nearest pyproject.toml, in the current directory or above.

    Raises:
        ConfigurationError: the file cannot be read or is not TOML, or contains an unknown setting or a wrong type.
    """
    import tomllib  # noqa: PLC0415 - a model is declared without it

    here = working_directory()
    for folder in () if here is None else (here, *here.parents):
        file = folder / "pyproject.toml"
        if not file.is_file():
            continue
        try:
            tool = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {})
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as exc:
            raise ConfigurationError(f"{file} cannot be read: {exc}.", _CORRECT_FILE) from exc
        table = tool.get("redstart", {}) if isinstance(tool, dict) else None
        if not isinstance(table, dict):
            raise ConfigurationError(f"{file}: [tool.redstart] is not a table.", _CORRECT_FILE)
        for name, value in table.items():
            _check(file, name, value)
        return table
    return {}


def misspelt_variables() -> list[str]:
    """Return a warning for each environment variable that resembles a setting."""
    return [
        f"Environment variable {name} has no effect. {question}"
        for name in sorted(os.environ.keys() - set(VARIABLES))
        if name.startswith("RED")
        and (question := did_you_mean(name, VARIABLES, min_likeness=_MISSPELT_LIKENESS))
    ]


def _check(file: Path, name: str, value: object) -> None:
    """Raise ConfigurationError for an unknown setting, or a value of the wrong type."""
    if name not in SETTINGS:
        known = did_you_mean(name, SETTINGS) or f"Settings are {', '.join(SETTINGS)}."
        shown = "..." if has_credentials(name) else printable(name)
        raise ConfigurationError(f"{file}: unknown setting tool.redstart.{shown}. {known}", _CORRECT_FILE)
    texts = value if SETTINGS[name] == TEXTS and isinstance(value, list) else [value]
    if not all(isinstance(text, str) for text in texts):
        kind = "a list" if isinstance(value, list) else "a table"
        shown = kind if has_credentials(repr(value)) else shortened(value)
        raise ConfigurationError(
            f"{file}: tool.redstart.{name} is {shown}, not {SETTINGS[name]}.", _CORRECT_FILE
        )


def working_directory() -> Path | None:
    """Return the current directory; None if it was removed, for example by a deployment."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return None


# Dicts and setdefault: all threads get the same object, and there is no lock that a fork could copy while it is held.
_tables: dict[None, dict[str, Any]] = {}
_zones: dict[str | None, NaiveTimezone] = {}


def _table_of_models() -> dict[str, Any]:
    found = _tables.get(None)
    return _tables.setdefault(None, project_table()) if found is None else found


def _new_zone() -> NaiveTimezone:
    setting = naive_timezone_setting(_table_of_models())
    return ImplicitUtc() if setting.said_in is None else setting.zone()
