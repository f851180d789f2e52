"""A development server in the foreground, for `om server`: until Ctrl-C, SIGTERM, or its own end."""

import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from redstart.devserver.process import EmbeddedServer
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


STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def serve(*, port: int, directory: Path | None, append_only: bool, announce: Callable[[str], None]) -> None:
    """Run a development server until SIGINT or SIGTERM, then stop it. Only in the main thread.

    In a directory with a dump and no append-only file, the server loads the dump.

    Args:
        port: TCP port on 127.0.0.1; 0 for a unix socket only.
        directory: the directory of the append-only file; None for a temporary one.
        append_only: whether the data is kept for a later server on `directory`.
        announce: called with the URL once the server replies.

    Raises:
        EmbeddedServerError: the server could not be started, or ended by itself (with the end of its log).
    """
    server = EmbeddedServer(port=port, directory=directory, append_only=append_only)
    with _one_interrupt():
        try:
            _start(server, directory if append_only else None)
            announce(server.url)
            status = server.wait()
            raise EmbeddedServerError(
                f"The development server ended by itself (exit status {status}).",
                f"The end of its log:\n{server.log_tail()}",
            )
        except KeyboardInterrupt:
            return
        finally:
            server.stop()


def _start(server: EmbeddedServer, directory: Path | None) -> None:
    adopted = directory is not None and adopt_dump(directory)
    try:
        server.start()
    except BaseException:
        if directory is not None and adopted:
            release_dump(directory)
        raise


@contextmanager
def _one_interrupt() -> Iterator[None]:
    """Turn the first stop signal into KeyboardInterrupt; later ones must not interrupt the stop."""

    def interrupt(*_: object) -> None:
        for stop_signal in STOP_SIGNALS:
            signal.signal(stop_signal, signal.SIG_IGN)
        raise KeyboardInterrupt

    previous = {stop_signal: signal.signal(stop_signal, interrupt) for stop_signal in STOP_SIGNALS}
    try:
        yield
    finally:
        for stop_signal, handler in previous.items():
            signal.signal(stop_signal, handler)
