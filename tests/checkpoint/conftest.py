"""A MariaDB server for the tests that need one, and the recordings' checkpoints."""

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
