"""Use a dump (`dump.rdb`) as the base of append-only files.

A server with `appendonly yes` reads only its append-only files: with a dump alone it silently starts empty. A dump may
be the base of such files if a manifest names it.
"""

import shutil
from pathlib import Path

from redstart.errors import EmbeddedServerError

DUMP_NAME = "dump.rdb"
FOLDER_NAME = "appendonlydir"
_BASE_NAME = "appendonly.aof.1.base.rdb"
_MANIFEST_NAME = "appendonly.aof.manifest"


def adopt_dump(directory: Path) -> bool:
    """Create append-only files from the dump in a directory, unless there are some, or there is no dump.

    Returns:
        Whether files were created.

    Raises:
        EmbeddedServerError: the dump cannot be read, or the directory cannot be written.
    """
    dump, folder = directory / DUMP_NAME, directory / FOLDER_NAME
    if folder.exists() or not dump.is_file():
        return False
    unfinished = directory / f"{FOLDER_NAME}.unfinished"
    try:
        unfinished.mkdir(mode=0o700, exist_ok=True)
        shutil.copyfile(dump, unfinished / _BASE_NAME)
        manifest = f"file {_BASE_NAME} seq 1 type b\n"
        (unfinished / _MANIFEST_NAME).write_text(manifest, encoding="ascii")
        unfinished.rename(folder)
    except OSError as error:
        raise EmbeddedServerError(f"Cannot start with the dump {dump}: {error.strerror}.") from error
    return True


def release_dump(directory: Path) -> None:
    """Remove the files of `adopt_dump` after a server did not start with them. The dump is kept."""
    shutil.rmtree(directory / FOLDER_NAME, ignore_errors=True)
