"""Makes the helpers of the scan's tests importable, and starts a server for those that need a target with rows."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import mariadb
import pytest
from mariadb import MariaDB

from safe_lightning.lightning.task import Secret, Server

sys.path.insert(0, str(Path(__file__).resolve().parent))


@pytest.fixture(scope="session")
def server() -> Iterator[MariaDB]:
    yield from mariadb.serving()


@pytest.fixture
def at(server: MariaDB) -> Server:
    server.run("CREATE OR REPLACE DATABASE inc COLLATE utf8mb4_bin")
    return Server(host=server.host, port=server.port, user="root", password=Secret(server.password))
