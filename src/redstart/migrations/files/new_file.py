"""New migration files: their names, and how they are written."""

import re
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from redstart.display import printable, shortened
from redstart.errors import ConfigurationError

MAX_NAME_CHARACTERS: Final = 100
_NAME = re.compile(rf"\w{{1,{MAX_NAME_CHARACTERS}}}")


def new_id(name: str, now: datetime) -> str:
    """Return the id of a new migration file: the time, and a name.

    Args:
        name: what the file changes, in a few words; spaces and hyphens become underscores.
        now: in UTC.

    Raises:
        ConfigurationError: the name contains other characters than letters and digits, or is too long.
    """
    word = re.sub(r"[\s_-]+", "_", name).strip("_")
    if not _NAME.fullmatch(word):
        raise ConfigurationError(
            f"{shortened(name)} cannot be part of a file name.",
            f"Use letters, digits, spaces, '_' and '-', at most {MAX_NAME_CHARACTERS} characters.",
        )
    return f"{now:%Y%m%d_%H%M%S}_{word}"


def write_file(root: Path, migration_id: str, source: str) -> Path:
    """Write a migration file, and return its path. An existing file is never replaced.

    Raises:
        ConfigurationError: it exists, or cannot be written.
    """
    path = root / f"{migration_id}.py"
    try:
        root.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            try:
                _ = file.write(source)
                file.flush()
            except OSError:
                with suppress(OSError):  # every later command would find half of a file
                    path.unlink()
                raise
    except FileExistsError as exc:
        raise ConfigurationError(
            f"{printable(path if path.exists() else root)} exists already.", "Use another name."
        ) from exc
    except OSError as exc:
        raise ConfigurationError(
            f"{printable(path)} cannot be written: {exc.strerror}.",
            "Give another directory with --migrations-dir or REDIS_OM_MIGRATIONS_DIR.",
        ) from exc
    return path
