"""The bytes of a policy file as TOML: bounded, never waiting, every way to fail one clear error."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Any

from safe_lightning.policy.problem import Place, PolicyError, Problem

SIZE_MOST_BYTES = 1 << 20

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_PLACE = re.compile(r" \(at line ([0-9]+), column ([0-9]+)\)$")


def read_policy_file(path: Path) -> tuple[dict[str, Any], str]:
    """Return the file's values and its text. Raises PolicyError.

    The standard library's parser reads, as it is fast at every start; tomlkit writes (see writing.py).
    """
    text = _decode(path, _read_bytes(path))
    try:
        return tomllib.loads(text), text
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(path, str(error)) from error
    except RecursionError as error:
        raise _error(path, 0, "is nested too deeply") from error
    except ValueError as error:  # an integer of thousands of digits, a day that the calendar does not have
        raise _error(path, 0, f"is not TOML: {error}") from error


def _error(path: Path, line: int, message: str) -> PolicyError:
    return PolicyError([Problem(Place(str(path), line), "", message)])


def _syntax_error(path: Path, said: str) -> PolicyError:
    if found := _PLACE.search(said):
        return _error(path, int(found[1]), f"is not TOML: {said[: found.start()]} (column {found[2]})")
    return _error(path, 0, f"is not TOML: {said}")


def _read_bytes(path: Path) -> bytes:
    try:
        # Not waiting: a FIFO without a writer would hold the start for ever.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise _error(path, 0, f"cannot be read: {reason}") from error
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            what = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
            raise _error(path, 0, f"is {what}; allowed: a regular file")
        with os.fdopen(handle, "rb", closefd=False) as file:
            data = file.read(SIZE_MOST_BYTES + 1)
    except OSError as error:
        raise _error(path, 0, f"cannot be read: {error.strerror}") from error
    finally:
        os.close(handle)
    if len(data) > SIZE_MOST_BYTES:
        size = max(status.st_size, len(data))
        raise _error(path, 0, f"has {size} bytes; allowed: {SIZE_MOST_BYTES} at most")
    return data


def _decode(path: Path, data: bytes) -> str:
    if (at := data.find(b"\0")) >= 0:
        raise _error(path, _line(data, at), f"is binary: a NUL at byte {at}; allowed: TOML in UTF-8")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        found = f"byte {error.start} is 0x{data[error.start]:02x}"
        raise _error(path, _line(data, error.start), f"is not UTF-8: {found}; allowed: TOML in UTF-8") from error
    return text.removeprefix("\ufeff").replace("\r\n", "\n")


def _line(data: bytes, at: int) -> int:
    return data.count(b"\n", 0, at) + 1
