"""A door before a server that can be shut: whoever is inside then waits, and so does whoever comes."""

from __future__ import annotations

import select
import socket
import threading


class Door:
    """Passes bytes between clients and a server for as long as it is open."""

    def __init__(self, port: int) -> None:
        self._behind = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._is_open = threading.Event()
        self._is_open.set()
        self._is_over = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def shut(self) -> None:
        """Let connections be made, and nothing through."""
        self._is_open.clear()

    def open(self) -> None:
        self._is_open.set()

    def close(self) -> None:
        self._is_over.set()
        self._is_open.set()
        self._listener.close()

    def _serve(self) -> None:
        while not self._is_over.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass, args=(client,), daemon=True).start()

    def _pass(self, client: socket.socket) -> None:
        self._is_open.wait()
        if self._is_over.is_set():
            return
        with client, socket.create_connection(("127.0.0.1", self._behind)) as server:
            while True:
                ready, _, _ = select.select([client, server], [], [])
                self._is_open.wait()
                for end in ready:
                    data = end.recv(1 << 16)
                    if not data or self._is_over.is_set():
                        return
                    (server if end is client else client).sendall(data)
