"""A way to a server on which the bytes of answers are counted."""

import socket
import threading
from contextlib import suppress

from tests.support.proxy import CHUNK_BYTES, Proxy


class CountingProxy(Proxy):
    """Passes on to a unix socket.

    Args:
        target: path of the server's socket.

    Attributes:
        most_at_once: the most bytes that were answered before the client sent something else: what the server may have
            had to hold for it.
    """

    def __init__(self, target: str) -> None:
        self.most_at_once = 0
        self._target = target
        self._answered = 0
        super().__init__()

    @property
    def url(self) -> str:
        """Of the way through this proxy."""
        return f"redis://127.0.0.1:{self.port}"

    def serve(self, client: socket.socket) -> None:
        """Pass on until either side ends it."""
        with client, suppress(OSError), socket.socket(socket.AF_UNIX) as server:
            server.connect(self._target)
            threading.Thread(target=self._answer, args=(server, client), daemon=True).start()
            while data := client.recv(CHUNK_BYTES):
                self._answered = 0
                server.sendall(data)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(CHUNK_BYTES):
                self._answered += len(data)
                self.most_at_once = max(self.most_at_once, self._answered)
                client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)
