"""How the tests of the verbs call them: in this process, each as its own command, with a state folder of its own."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "record"))

from record_helpers import make_run, start, state
from verb_helpers import call

__all__ = ["call", "make_run", "start", "state"]
