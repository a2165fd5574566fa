"""Helpers shared by all tests: the recordings, and where the shared folder is."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from recordings import roots


def pytest_report_header() -> str:
    return "recordings: " + ", ".join(str(root) for root in roots())
