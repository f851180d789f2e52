"""The process of a development server: start, probe, stop, kill, restart."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, TypeAlias
from urllib.parse import quote

from redstart.commands.server_errors import is_loading
from redstart.devserver.binaries import Binaries, find_binaries
from redstart.devserver.supervision import (
    SOCKET_NAME,
    Reaper,
    lock_data_directory,
    make_private_directory,
    unready_reply,
)
from redstart.errors import EmbeddedServerError

AppendSync: TypeAlias = Literal["always", "everysec", "no"]

# By default the search module returns what it finds within 500 ms, silently incomplete.
SEARCH_ARGUMENTS = ("TIMEOUT", "0", "ON_TIMEOUT", "FAIL")


# By default Valkey frees in a background thread what FLUSHALL and expiry remove. Seen with RedisJSON 2.8: after a
# few hundred such flushes the next JSON.GET panics, and the server crashes.
FREED_AT_ONCE = (
    "lazyfree-lazy-user-flush",
    "lazyfree-lazy-user-del",
    "lazyfree-lazy-server-del",
    "lazyfree-lazy-expire",
    "lazyfree-lazy-eviction",
)


def server_arguments(
    binaries: Binaries,
    *,
    socket_path: Path,
    directory: Path,
    port: int,
    append_only: bool,
    append_sync: AppendSync,
    extra_arguments: Sequence[str],
) -> list[str]:
    """Return the command line of a server that reads further settings from its standard input (`-`).

    No snapshots (`--save ""`): a module can abort one at shutdown, and the append-only file needs none.
    """
    settings = {
        "port": str(port),
        "bind": "127.0.0.1",
        "unixsocket": str(socket_path),
        "unixsocketperm": "700",
        "dir": str(directory),
        "save": "",
        "appendonly": "yes" if append_only else "no",
        "appendfsync": append_sync,
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
    } | dict.fromkeys(FREED_AT_ONCE, "no")
    words = [str(binaries.server), "-"]
    for name, value in settings.items():
        words += [f"--{name}", value]
    if binaries.json_module is not None:
        words += ["--loadmodule", str(binaries.json_module)]
    if binaries.search_module is not None:
        words += ["--loadmodule", str(binaries.search_module), *SEARCH_ARGUMENTS]
    return [*words, *extra_arguments]


def secret_settings(password: str | None) -> bytes:
    """Return the lines for the server's standard input: every user can read a password on a command line."""
    if not password:
        return b""
    quoted = "".join(f"\\x{byte:02x}" for byte in password.encode())
    return f'requirepass "{quoted}"\n'.encode()


# A shell delays the server until its reaper runs: if the parent is killed between the two, the shell reads the end
# of its input and exits. `exec` keeps the process id, and the shell reads one line only, so the rest of the input is
# left for the server.
GATE = 'read -r go && exec "$@"'

LOG_NAME = "server.log"
PROBE_INTERVAL_SECONDS = 0.005
LOG_TAIL_BYTES = 8192


class EmbeddedServer:
    """A server for development and tests. A context manager: started on entry, stopped on exit.

    It ends when this process ends, also by SIGKILL. It runs in a session of its own, so Ctrl-C in a terminal
    does not reach it.

    Args:
        directory: the directory of the append-only file; created if absent, never removed. None: a temporary
            one, removed on `stop`.
        append_only: whether writes are kept, for `restart` and for a later server on `directory`.
        append_sync: when the append-only file is flushed to disk (`appendfsync`). With `everysec` a killed
            server may lose two seconds of acknowledged writes, since it delays them while the disk is busy;
            with `always` none; with `no` none, unless the machine fails.
        with_json: load the JSON module.
        with_search: load the search module.
        password: of the default user; None or "" for none.
        port: TCP port on 127.0.0.1, besides the unix socket; 0 for the unix socket only.
        extra_arguments: appended to the server's command line, such as `("--maxmemory", "100mb")`.
        start_timeout_seconds: limit for the start, without the time for loading data.
        stop_timeout_seconds: limit for the stop; then the server is killed.
    """

    def __init__(
        self,
        *,
        directory: Path | None = None,
        append_only: bool = False,
        append_sync: AppendSync = "everysec",
        with_json: bool = True,
        with_search: bool = True,
        password: str | None = None,
        port: int = 0,
        extra_arguments: Sequence[str] = (),
        start_timeout_seconds: float = 30.0,
        stop_timeout_seconds: float = 10.0,
    ) -> None:
        self._directory = directory
        self._append_only = append_only
        self._append_sync: AppendSync = append_sync
        self._with_json = with_json
        self._with_search = with_search
        self._password = password
        self._port = port
        self._extra_arguments = tuple(extra_arguments)
        self._start_timeout_seconds = start_timeout_seconds
        self._stop_timeout_seconds = stop_timeout_seconds
        self._private: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._reaper: Reaper | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def is_running(self) -> bool:
        """Return whether the process is alive."""
        if self._process is None:
            return False
        if self._process.poll() is None:
            return True
        self._dismiss_reaper()
        return False

    @property
    def pid(self) -> int:
        """Return the process id. Raises EmbeddedServerError if the server is not running."""
        if self._process is None or not self.is_running:
            raise EmbeddedServerError("The development server is not running.")
        return self._process.pid

    @property
    def url(self) -> str:
        """Return `redis://127.0.0.1:<port>`, or `unix://<path>` without a port; with the password if there is one.

        `kill` and `restart` do not change it. Raises EmbeddedServerError before `start`.
        """
        user = f":{quote(self._password, safe='')}@" if self._password else ""
        if self._port:
            return f"redis://{user}127.0.0.1:{self._port}"
        return f"unix://{user}{quote(str(self._socket_path))}"

    def start(self) -> None:
        """Start the server and wait until it and its modules reply.

        Raises:
            EmbeddedServerError: there are no binaries for this platform, the server is already running, its
                directory is in use, or it ended or did not reply (then with the end of its log).
        """
        if self.is_running:
            raise EmbeddedServerError("The development server is already running.")
        try:
            self._launch()
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server by SIGTERM, after the limit by SIGKILL, and remove its temporary files."""
        self._end(signal.SIGTERM)
        if self._private is not None:
            shutil.rmtree(self._private, ignore_errors=True)
            self._private = None

    def kill(self) -> None:
        """Stop the server by SIGKILL. Its directory is kept for `restart`; see `append_sync`."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop the server if it runs, and start it on the same directory and URL."""
        self._end(signal.SIGTERM)
        self.start()

    def wait(self) -> int:
        """Wait until the server ends by itself. Return its exit status, negative for a signal."""
        if self._process is None:
            raise EmbeddedServerError("The development server is not running.")
        status = self._process.wait()
        self._dismiss_reaper()
        return status

    def log_tail(self, lines: int = 20) -> str:
        """Return the last lines of the server's log; empty before `start` and after `stop`."""
        if self._private is None:
            return ""
        with (self._private / LOG_NAME).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - LOG_TAIL_BYTES))
            text = log.read().decode("utf-8", "replace")
        return "\n".join(text.splitlines()[-lines:])

    @property
    def _socket_path(self) -> Path:
        return self._private_directory / SOCKET_NAME

    @property
    def _private_directory(self) -> Path:
        if self._private is None:
            raise EmbeddedServerError("The development server was not started.")
        return self._private

    def _launch(self) -> None:
        binaries = find_binaries(with_json=self._with_json, with_search=self._with_search)
        if self._private is None:
            self._private = make_private_directory()
        data = self._private if self._directory is None else self._directory.absolute()
        words = server_arguments(
            binaries,
            socket_path=self._socket_path,
            directory=data,
            port=self._port,
            append_only=self._append_only,
            append_sync=self._append_sync,
            extra_arguments=self._extra_arguments,
        )
        lock = lock_data_directory(data)
        try:
            with (self._private / LOG_NAME).open("ab") as log:
                self._process = subprocess.Popen(
                    ["/bin/sh", "-c", GATE, "redstart-gate", *words],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=(lock,),
                    umask=0o077,
                )
        finally:
            os.close(lock)
        self._open_gate(self._process)

    def _open_gate(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        # A process that ended at once leaves a broken pipe; the wait for readiness then reports the reason.
        with contextlib.suppress(BrokenPipeError), process.stdin as server_input:
            self._reaper = Reaper(process.pid, self._private_directory, self._socket_path)
            server_input.write(b"go\n" + secret_settings(self._password))

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + self._start_timeout_seconds
        while self.is_running:
            reply = unready_reply(
                self._socket_path,
                password=self._password,
                with_json=self._with_json,
                with_search=self._with_search,
            )
            if reply is None:
                return
            if is_loading(reply):
                deadline = time.monotonic() + self._start_timeout_seconds
            if time.monotonic() > deadline:
                bound = f"{self._start_timeout_seconds:g} seconds"
                raise self._failure(
                    f"The development server was not ready within {bound}. Its reply: {reply}"
                )
            time.sleep(PROBE_INTERVAL_SECONDS)
        self._check_port()
        raise self._failure(f"The development server ended while starting (exit status {self.wait()}).")

    def _check_port(self) -> None:
        """Raise EmbeddedServerError if the server ended because it could not listen on its port."""
        refused = re.search(rf"listening socket \S+:{self._port}: (?:bind: )?(.+)", self.log_tail())
        if self._port and refused is not None:
            raise EmbeddedServerError(
                f"The development server cannot listen on port {self._port}: {refused[1]}.",
                "Choose a free port with --port, or --port 0 for a unix socket only.",
            )

    def _failure(self, what: str) -> EmbeddedServerError:
        return EmbeddedServerError(what, f"The end of the server's log:\n{self.log_tail() or '(empty)'}")

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            _end_group(self._process, how, self._stop_timeout_seconds)
        self._dismiss_reaper()
        self._process = None

    def _dismiss_reaper(self) -> None:
        # As soon as the server has ended, because its process id may be reused; and not before, because
        # this process may be killed at any moment.
        if self._reaper is not None:
            self._reaper.dismiss()
            self._reaper = None


def _end_group(process: subprocess.Popen[bytes], how: signal.Signals, timeout_seconds: float) -> None:
    if process.poll() is None:
        os.killpg(process.pid, how)
        try:
            process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
