"""A MariaDB server that plays the target, the metadata that instances of a parallel import leave in it, and tasks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import mariadb
import pytest
from mariadb import MariaDB

sys.path.insert(0, str(Path(__file__).resolve().parent))


@pytest.fixture(scope="session")
def server() -> Iterator[MariaDB]:
    yield from mariadb.serving()


@pytest.fixture
def target(server: MariaDB) -> Iterator[MariaDB]:
    """The server, with every schema that a test made gone afterwards."""
    kept = {row[0] for row in server.run("SHOW SCHEMAS")}
    yield server
    for (schema,) in server.run("SHOW SCHEMAS"):
        if schema not in kept:
            server.run(f"DROP SCHEMA `{schema}`")
