"""A real MariaDB server for tests: own data folder, own port, ended with the session."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pymysql
import pytest
from pymysql.connections import Connection
from pymysql.cursors import Cursor

PASSWORD = "k3y to the store"


@dataclass(frozen=True)
class MariaDB:
    """A running server; root has the password, over TCP and the socket alike."""

    host: str
    port: int
    unix_socket: str
    password: str = PASSWORD

    def connect(self) -> Connection[Cursor]:
        return pymysql.connect(
            host=self.host, port=self.port, user="root", password=self.password, charset="utf8mb4", autocommit=True
        )

    def run(self, *statements: str) -> list[tuple[object, ...]]:
        with self.connect() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())


def find_server() -> str | None:
    """Find the server's executable; Debian keeps it where a user's PATH does not look."""
    return shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin:/usr/local/sbin")


def serving() -> Iterator[MariaDB]:
    """Be a fixture's body: a server for as long as its tests run, or the word that nothing was tested."""
    if find_server() is None:
        pytest.skip("mariadbd is not installed: nothing was tested against a real server")
    with start() as running:
        yield running


@contextmanager
def start() -> Iterator[MariaDB]:
    """Start a server on a free port and end it afterwards. Raises RuntimeError with its log if it does not come up."""
    executable = find_server()
    if executable is None:
        raise RuntimeError("mariadbd is not installed")
    with tempfile.TemporaryDirectory(prefix="mariadb-") as folder:
        home = Path(folder)
        data = home / "data"
        # A server that starts deletes what looks like a temporary table of its own: not in a folder that many share.
        scratch = home / "tmp"
        scratch.mkdir()
        options = ["--no-defaults", f"--datadir={data}", f"--tmpdir={scratch}", "--user=root"]
        install = shutil.which("mariadb-install-db") or "/usr/bin/mariadb-install-db"
        subprocess.run(
            [install, *options, "--auth-root-authentication-method=normal", "--skip-test-db"],
            check=True,
            capture_output=True,
            timeout=120,
        )
        init = home / "init.sql"
        init.write_text(
            f"ALTER USER root@localhost IDENTIFIED BY '{PASSWORD}';\n"
            f"CREATE OR REPLACE USER root@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
            "GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;\n"
        )
        port, log = free_port(), home / "server.log"
        process = subprocess.Popen(
            [
                executable,
                *options,
                f"--port={port}",
                "--bind-address=127.0.0.1",
                f"--socket={home / 'sock'}",
                f"--init-file={init}",
                "--skip-name-resolve",
                "--innodb-flush-log-at-trx-commit=0",
                f"--log-error={log}",
                f"--pid-file={home / 'pid'}",
                "--innodb-buffer-pool-size=32M",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        server = MariaDB("127.0.0.1", port, str(home / "sock"))
        try:
            await_answer(server, process, log)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def await_answer(server: MariaDB, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            server.connect().close()
            return
        except pymysql.MySQLError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                text = log.read_text(errors="replace") if log.is_file() else ""
                raise RuntimeError(f"MariaDB did not come up: {error}\n{text}") from error
            time.sleep(0.05)  # a server that starts announces nothing that could be waited for


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
