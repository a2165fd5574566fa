"""The fixtures of the record's tests."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from record_helpers import make_run, start, state

__all__ = ["make_run", "start", "state"]
