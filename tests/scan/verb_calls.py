"""Calls of `scan` through the real front door."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator


def call(folder: Path, *words: object, **environ: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "safe_lightning", "scan", *map(str, words)]
    env = {**os.environ, "SAFE_LIGHTNING__STATE_DIR": str(folder / "state"), "COLUMNS": "80", **environ}
    return subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)


def document(ended: subprocess.CompletedProcess[str]) -> Any:
    told = json.loads(ended.stdout)
    schema = json.loads((files("safe_lightning") / "schemas" / "scan.json").read_bytes())
    assert [error.message for error in Draft202012Validator(schema).iter_errors(told)] == []
    return told
