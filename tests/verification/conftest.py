"""A MariaDB server for counting, and a sandbox with a small table for checksums."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import mariadb
import pytest
from mariadb import MariaDB

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "checkpoint"))


@pytest.fixture(scope="session")
def server() -> Iterator[MariaDB]:
    yield from mariadb.serving()
