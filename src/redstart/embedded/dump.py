"""A dump (`dump.rdb`) as the beginning of an append-only file.

A server with `appendonly yes` reads its append-only files and nothing else: with a dump alone it comes up empty, and
says nothing of it. A dump may be the base of such files, though: then a manifest has to name it.
"""

import shutil
from pathlib import Path

from redstart.errors import EmbeddedServerError

DUMP_NAME = "dump.rdb"
FOLDER_NAME = "appendonlydir"
_BASE_NAME = "appendonly.aof.1.base.rdb"
_MANIFEST_NAME = "appendonly.aof.manifest"


def adopt_dump(directory: Path) -> bool:
    """Make append-only files of the dump in a directory, unless there are some, or there is no dump.

    Returns:
        Whether files were made.

    Raises:
        EmbeddedServerError: the dump cannot be read, or the directory not be written.
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
    """Take the files of `adopt_dump` away again, after a server did not start with them. The dump stays."""
    shutil.rmtree(directory / FOLDER_NAME, ignore_errors=True)
