"""Writing and reading all of what is asked for, to and from a spill file."""

from __future__ import annotations

import errno
import fcntl
import os


def write_all(file: int, content: bytes, offset: int) -> None:
    """Write all bytes; a file past the page cache takes only whole blocks, so that is turned off. Raises OSError."""
    if file < 0:
        raise OSError(errno.ENOSPC, "no spill file")
    if hasattr(os, "O_DIRECT"):
        flags = fcntl.fcntl(file, fcntl.F_GETFL)
        if flags & os.O_DIRECT:
            fcntl.fcntl(file, fcntl.F_SETFL, flags & ~os.O_DIRECT)
    view = memoryview(content)
    while view:
        written = os.pwrite(file, view, offset)
        view, offset = view[written:], offset + written


def read_exactly(file: int, size: int, offset: int) -> bytes:
    """Read so many bytes. Raises OSError, also where the file is shorter."""
    pieces = []
    while size:
        piece = os.pread(file, size, offset)
        if not piece:
            raise OSError(errno.EIO, "the spill file is shorter than it was")
        pieces.append(piece)
        size, offset = size - len(piece), offset + len(piece)
    return b"".join(pieces)
