"""An output of its own for each test of events."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from event_ends import Ends

from safe_lightning import logs
from safe_lightning.policy.model import LogPolicy


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Give a fresh place for events, and put a silent one in its place afterwards."""
    both = Ends(*os.pipe())
    yield both
    both.close_writer()
    os.close(both.read_fd)
    logs.configure(LogPolicy(format="json"), stderr_fd=os.open(os.devnull, os.O_WRONLY))
