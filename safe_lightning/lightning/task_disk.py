"""What the disk says now about the files and folders that a task names."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

_LINES_MOST_BYTES = 1 << 20


def fault_of_folder(path: Path) -> str:
    """Say what keeps a path from being a folder; "" if it is one."""
    try:
        return "" if stat.S_ISDIR(path.stat().st_mode) else "is not a directory"
    except (FileNotFoundError, NotADirectoryError):
        return "does not exist"
    except (OSError, ValueError) as error:
        return _words(error)


def fault_of_file(path: Path) -> str:
    """Say what keeps a path from being a file that can be read; "" if it is one."""
    try:
        if stat.S_ISDIR(path.stat().st_mode):
            return "is a directory"
        return "" if os.access(path, os.R_OK) else "permission denied"
    except FileNotFoundError:
        return "no such file or directory"
    except (OSError, ValueError) as error:
        return _words(error)


def read_lines(path: Path) -> Iterable[str]:
    """Return the lines of a small text file. Raises OSError and ValueError, for one that is no such file as well."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LINES_MOST_BYTES:
            raise ValueError(f"{path} is not a file of at most {_LINES_MOST_BYTES} bytes")
        return os.read(handle, _LINES_MOST_BYTES).decode("utf-8").split("\n")
    finally:
        os.close(handle)


def _words(error: OSError | ValueError) -> str:
    return str(getattr(error, "strerror", None) or error).lower()
