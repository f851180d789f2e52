"""A proxy that loses replies: the request is executed, and its reply is not sent."""

import socket
import threading
from contextlib import suppress

from tests.support.proxy import CHUNK_BYTES, Proxy


class LossyProxy(Proxy):
    """Passes on to a unix socket.

    Args:
        target: path of the server's socket; with None every connection is accepted and closed at once.
    """

    def __init__(self, target: str | None) -> None:
        self._target = target
        self._word: bytes | None = None
        super().__init__()

    @property
    def url(self) -> str:
        """Of the way through this proxy."""
        return f"redis://127.0.0.1:{self.port}"

    def lose_answer_to(self, word: bytes) -> None:
        """Break the connection, once, instead of passing on the answer to a request with this word."""
        self._word = word

    def serve(self, client: socket.socket) -> None:
        """Pass on until either side ends it, or an answer is to be lost."""
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
