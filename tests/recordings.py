"""The recorded runs: a compact selection beside the tests, all of them where the shared folder is present."""

from __future__ import annotations

import base64
import json
import os
import shutil
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
OWN = HERE / "recordings"


def roots() -> list[Path]:
    """Name the folders that hold recordings; the shared one is everywhere but in a user's clone."""
    shared = Path(os.environ.get("SAFE_LIGHTNING_SHARED", HERE.parents[1] / "shared")) / "recordings"
    return [shared] if shared.is_dir() else [OWN]


@dataclass(frozen=True)
class Recording:
    """One recorded run of Lightning or of its control tool."""

    folder: Path

    @cached_property
    def case(self) -> dict[str, Any]:
        return tomllib.loads((self.folder / "case.toml").read_text())

    @property
    def name(self) -> str:
        return f"{self.folder.parent.name}/{self.folder.name}"

    @property
    def is_control_tool(self) -> bool:
        return bool(self.case["program"] == "tidb-lightning-ctl")

    @property
    def outcome(self) -> str | None:
        return self.case.get("outcome")

    def bytes_of(self, name: str) -> bytes:
        path = self.folder / name
        return path.read_bytes() if path.is_file() else b""


def recordings() -> list[Recording]:
    """List every recording that can be found."""
    return [Recording(p.parent) for root in roots() for p in sorted(root.glob("*/*/case.toml"))]


@dataclass(frozen=True)
class Stage:
    """A recording laid out in a folder of its own, ready to be replayed through the wrapper."""

    folder: Path
    argv: list[str]
    environ: dict[str, str]
    stdout: bytes
    stderr: bytes


def lay_out(recording: Recording, folder: Path) -> Stage:
    """Copy a recording's surroundings into ``folder``, its recorded paths rewritten to point there."""
    case = recording.case
    old, new = case["cwd"].encode(), str(folder).encode()
    roots = {old, *(path_root(argument) for argument in case["argv"])} - {b""}

    def moved(data: bytes) -> bytes:
        for root in sorted(roots, key=len, reverse=True):
            data = data.replace(root, new)
        return data

    for source in (recording.folder / "config.toml",):
        if source.is_file():
            (folder / source.name).write_bytes(moved(source.read_bytes()))
    if (recording.folder / "data").is_dir():
        shutil.copytree(recording.folder / "data", folder / "data", dirs_exist_ok=True)
    old_log = recording.folder / "before" / "lightning.log"
    log_name = case["log_file"].replace("*", "x")
    if old_log.is_file() and log_name:
        (folder / log_name).write_bytes(moved(old_log.read_bytes()))
    argv = [moved(argument.encode()).decode() for argument in case["argv"]]
    plan = {
        "argv": argv,
        "log_file": log_path(recording, folder, moved),
        "pieces": [[s, base64.b64encode(moved(d)).decode()] for s, d in pieces(recording)],
        "exit_code": case["exit_code"],
    }
    plan_file = folder / "replay.json"
    plan_file.write_text(json.dumps(plan))
    environ = {"REPLAY_PLAN": str(plan_file), "SAFE_LIGHTNING_BINARY": str(HERE / "fakes" / "replay.py")}
    environ |= {name: moved(str(value).encode()).decode() for name, value in case["env"].items()}
    return Stage(folder, argv, environ, moved(recording.bytes_of("stdout")), moved(recording.bytes_of("stderr")))


def path_root(argument: str) -> bytes:
    """Find the recorded root folder in an argument such as /srv/import/NAME/config.toml."""
    parts = argument.split("/")
    return "/".join(parts[:4]).encode() if argument.startswith("/srv/import/") else b""


def log_path(recording: Recording, folder: Path, moved: Any) -> str:
    """Tell where the replayed child writes its log: where the banner says, else where the case says."""
    for line in recording.bytes_of("stdout").splitlines():
        if line.startswith(b"Verbose debug logs will be written to "):
            return str(folder / moved(line[38:]).decode())
    return str(folder / recording.case["log_file"])


def pieces(recording: Recording) -> list[tuple[str, bytes]]:
    """Cut the recorded streams into the pieces of the timeline; without one, log first and then the streams."""
    left = {s: recording.bytes_of("lightning.log" if s == "log" else s) for s in ("stdout", "stderr", "log")}
    result = []
    timeline = recording.folder / "timeline.jsonl"
    for line in timeline.read_text().splitlines() if timeline.is_file() else ():
        entry = json.loads(line)
        data, left[entry["stream"]] = (
            left[entry["stream"]][: entry["bytes"]],
            left[entry["stream"]][entry["bytes"] :],
        )
        result.append((entry["stream"], data))
    return result + [(s, data) for s, data in left.items() if data]
