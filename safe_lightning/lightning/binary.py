"""Finding the real tidb-lightning and its control tool, and never ourselves.

We may stand on PATH under the name ``tidb-lightning``: as a link, a hard link or a copy of our console script, or
behind somebody's shell script. Whatever is found and turns out to be us is passed over, or refused where it was
named. What cannot be told from a file is told from the processes: the child carries our process id.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

NAME = "tidb-lightning"
CONTROL_TOOL_NAME = "tidb-lightning-ctl"
VARIABLE = "SAFE_LIGHTNING_BINARY"
#: The environment of a child holds "RUN:PID" under this name, PID being the wrapper that started it.
RUN_VARIABLE = "SAFE_LIGHTNING_RUN_ID"

NOT_EXECUTABLE, NOT_FOUND = 126, 127

_HEAD_BYTES = 4096
#: What a script that starts us holds; the stand-ins of a rehearsal (safe_lightning.rehearsal.…) are not us.
_OURS = re.compile(
    rb"^\s*(?:from|import)\s+safe_lightning(?:\.__main__|\.cli)?\s"
    rb"|-m[\s\"',]+safe_lightning(?:\.__main__|\.cli)?(?=[\s\"']|$)"
    rb"|load_entry_point\(\s*['\"]safe-lightning"
    rb"|^\s*(?:exec\s+)?[\"']?(?:[^\s=\"']*/)?safe-lightning[\"']?(?:\s|$)",
    re.MULTILINE,
)


class BinaryError(Exception):
    """There is no binary that could be started; ``exit_code`` is the shell's: 127 not found, 126 not usable."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def find_binary(setting: str, environ: Mapping[str, str], our_path: Path, cwd: Path) -> Path:
    """Find the real tidb-lightning: $SAFE_LIGHTNING_BINARY, the policy's ``binary``, else the first on PATH.

    A setting without a slash is looked up on PATH, one with a slash is relative to ``cwd``. ``our_path`` is the
    file that we were started from. Raises BinaryError, also where we are the child of ourselves.
    """
    _refuse_own_child(environ)
    for source, text in ((f"${VARIABLE}", environ.get(VARIABLE, "")), ("the policy's `binary`", setting)):
        if text:
            return _check_named(source, text, environ, our_path, cwd)
    return _search(NAME, environ, our_path, cwd)


def find_control_tool(setting: str, binary: Path, environ: Mapping[str, str], cwd: Path) -> Path | None:
    """Find tidb-lightning-ctl: the policy's ``control_tool.path``, else beside the binary, else on PATH.

    A path that the policy names is returned as it is, so that the attempt to start it tells what is wrong with it.
    None where there is no such tool.
    """
    if setting:
        return _expand(setting, environ, cwd)
    beside = [binary.parent / CONTROL_TOOL_NAME, _resolved(binary).parent / CONTROL_TOOL_NAME]
    candidates = [*beside, *_on_path(CONTROL_TOOL_NAME, environ, cwd)]
    return next((path for path in candidates if _fault(path) == ""), None)


def is_ours(path: Path, our_path: Path) -> bool:
    """Whether a file is us: the same file as ours under any name, or a script that starts us.

    At most 4 KiB are read; a file that cannot be read is told by its identity alone.
    """
    own = [our_path, Path(sys.executable).parent / "safe-lightning"]
    return any(_is_same(path, other) for other in own) or _OURS.search(_script_head(path)) is not None


def _check_named(source: str, text: str, environ: Mapping[str, str], our_path: Path, cwd: Path) -> Path:
    path = _expand(text, environ, cwd)
    if fault := _fault(path):
        code = NOT_FOUND if fault == "does not exist" else NOT_EXECUTABLE
        raise BinaryError(f"{source} names {path}, which {fault}", code)
    if is_ours(path, our_path):
        raise BinaryError(
            f"{source} names {path}, which is safe-lightning itself: name the real {NAME} there", NOT_EXECUTABLE
        )
    return path


def _search(name: str, environ: Mapping[str, str], our_path: Path, cwd: Path) -> Path:
    passed_over, unusable = [], []
    for path in _on_path(name, environ, cwd):
        fault = _fault(path)
        if fault == "does not exist":
            continue
        if fault:
            unusable.append(f"{path} {fault}")
        elif is_ours(path, our_path):
            passed_over.append(f"{path} is safe-lightning itself")
        else:
            return path
    seen = f" ({'; '.join(unusable + passed_over)})" if unusable or passed_over else ""
    hint = f"set `binary` in the policy or ${VARIABLE} to the real one"
    raise BinaryError(f"no {name} was found on PATH{seen}: {hint}", NOT_EXECUTABLE if unusable else NOT_FOUND)


def _expand(text: str, environ: Mapping[str, str], cwd: Path) -> Path:
    if "/" in text:
        return cwd / text
    found = [path for path in _on_path(text, environ, cwd) if _fault(path) == ""]
    return found[0] if found else cwd / text


def _on_path(name: str, environ: Mapping[str, str], cwd: Path) -> Iterator[Path]:
    # An empty element is the working folder, as it is for a shell.
    yield from (cwd / folder / name for folder in environ.get("PATH", os.defpath).split(os.pathsep))


def _fault(path: Path) -> str:
    """Say what keeps a file from being started; "" if nothing does."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "does not exist"
    except (OSError, ValueError) as error:
        return f"cannot be looked at: {getattr(error, 'strerror', None) or error}"
    if not stat.S_ISREG(mode):
        return "is a directory" if stat.S_ISDIR(mode) else "is not a file"
    return "" if os.access(path, os.X_OK) else "is not executable"


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except (OSError, ValueError):
        return False


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):
        return path


def _script_head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except (OSError, ValueError):
        return b""
    return head if head.startswith(b"#!") else b""


def _refuse_own_child(environ: Mapping[str, str]) -> None:
    run, _, pid = environ.get(RUN_VARIABLE, "").rpartition(":")
    if not run or not (pid.isascii() and pid.isdigit()) or int(pid[:10]) not in _ancestors():
        return
    raise BinaryError(
        f"what safe-lightning (process {pid}) started as {NAME} leads back to safe-lightning: "
        f"set `binary` in the policy or ${VARIABLE} to the real one",
        NOT_EXECUTABLE,
    )


def _ancestors() -> set[int]:
    # Late: only a process that carries the mark pays for the import.
    import psutil

    try:
        return {parent.pid for parent in psutil.Process().parents()}
    except (psutil.Error, OSError):
        return {os.getppid()}
