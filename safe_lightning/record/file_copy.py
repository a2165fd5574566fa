"""A bounded copy of a file that may be anything: huge, a FIFO, unreadable, gone."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import IO

from safe_lightning.record.durable import write_all

_COPY_BYTES = 1 << 20


def copy_file(source: Path, target: Path, bytes_most: int) -> str:
    """Copy a file and return "" or why there is no copy; raises OSError only where the record cannot be written."""
    try:
        # Never waits: a FIFO or a device in the place of a checkpoint is refused below.
        descriptor = os.open(source, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        return f"{source}: {error.strerror or error}"
    try:
        # Looked at before Python wraps it: its file object refuses a folder by an error.
        kind = os.fstat(descriptor)
        if not stat.S_ISREG(kind.st_mode):
            return f"{source} is not a regular file"
        if kind.st_size > bytes_most:
            return f"{source} is too large to be copied ({kind.st_size} bytes)"
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return _pour(file, target, bytes_most, str(source))
    finally:
        os.close(descriptor)


def _pour(file: IO[bytes], target: Path, bytes_most: int, name: str) -> str:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        for _ in range(0, bytes_most + 1, _COPY_BYTES):
            try:
                data = file.read(_COPY_BYTES)
            except OSError as error:
                return f"{name}: {error.strerror or error}; the copy is cut"
            if not data:
                break
            write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return ""
