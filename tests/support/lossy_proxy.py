"""A way to a server on which answers get lost: the request is executed, and nobody hears of it."""

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

CHUNK_BYTES = 65_536


class LossyProxy:
    """Listens on 127.0.0.1 and passes on to a unix socket.

    Args:
        target: path of the server's socket; with None every connection is accepted and closed at once.

    Attributes:
        connections: how many were accepted.
    """

    def __init__(self, target: str | None) -> None:
        self.connections = 0
        self._target = target
        self._word: bytes | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Of the way through this proxy."""
        return f"redis://127.0.0.1:{self._listener.getsockname()[1]}"

    def lose_answer_to(self, word: bytes) -> None:
        """Break the connection, once, instead of passing on the answer to a request with this word."""
        self._word = word

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):  # either side has gone
            if self._target is None:
                return
            with socket.socket(socket.AF_UNIX) as server:
                server.connect(self._target)
                lost = threading.Event()
                threading.Thread(target=self._answer, args=(server, client, lost), daemon=True).start()
                while data := client.recv(CHUNK_BYTES):
                    if self._word is not None and self._word in data:
                        self._word = None
                        lost.set()
                    server.sendall(data)

    def _answer(self, server: socket.socket, client: socket.socket, lost: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(CHUNK_BYTES):
                if lost.is_set():  # the answer is here, so the request was executed
                    break
                client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)
