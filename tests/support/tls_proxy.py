"""A port that speaks TLS in front of a server that does not: the development server is built without."""

import select
import shutil
import socket
import ssl
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.proxy import CHUNK_BYTES, Proxy


class TlsProxy(Proxy):
    """Has a certificate of its own, and passes on to a unix socket.

    Args:
        target: path of the server's socket.
        folder: where key and certificate are written.

    Attributes:
        certificate: the file of the certificate, which signs itself.
    """

    def __init__(self, target: str, folder: Path) -> None:
        self.certificate = folder / "certificate.pem"
        key = folder / "key.pem"
        _make_certificate(key, self.certificate)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.certificate, key)
        self._target = target
        super().__init__()

    def serve(self, plain: socket.socket) -> None:
        """Serve one connection until either side ends it, or there is no handshake."""
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
