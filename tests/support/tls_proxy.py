"""A port that speaks TLS in front of a server that does not: the scratch server is built without."""

import select
import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

CHUNK_BYTES = 65_536


class TlsProxy:
    """Listens on 127.0.0.1 with a certificate of its own, and passes on to a unix socket.

    Args:
        target: path of the server's socket.
        folder: where key and certificate are written.

    Attributes:
        port: where it listens.
        certificate: the file of the certificate, which signs itself.
    """

    def __init__(self, target: str, folder: Path) -> None:
        self.certificate = folder / "certificate.pem"
        key = folder / "key.pem"
        _make_certificate(key, self.certificate)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.certificate, key)
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

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
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with (
            plain,
            suppress(OSError),  # no handshake, or either side has gone
            self._context.wrap_socket(plain, server_side=True) as client,
            socket.socket(socket.AF_UNIX) as server,
        ):
            server.connect(self._target)
            while True:
                ready = select.select([client, server], [], [])[0]
                if client in ready:
                    data = client.recv(CHUNK_BYTES)
                    while client.pending():
                        data += client.recv(CHUNK_BYTES)
                    server.sendall(data)
                else:
                    data = server.recv(CHUNK_BYTES)
                    client.sendall(data)
                if not data:
                    return


def _make_certificate(key: Path, certificate: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl command to make a certificate with")
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    new = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names)
    subprocess.run([openssl, *new, "-keyout", key, "-out", certificate], check=True, capture_output=True)
