"""A checkpoint file's bytes, one top-level field at a time, out of a file that is none of the things that hang."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safe_lightning.core.checkpoint import UnreadableCheckpoint
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.lightning.checkpoint_model import FILE
from safe_lightning.lightning.wire import WireError, read_fields, read_varint

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_LENGTH = 2
#: A tag and a length take at most ten bytes each.
_HEAD_BYTES = 20

#: Number of a top-level field, where its bytes begin in the file, and the bytes.
TopField = tuple[int, int, bytes]


@dataclass
class OpenFile:
    """An open checkpoint file, of the size and age that it had when it was opened."""

    path: Path
    descriptor: int
    size_bytes: int
    modified_at: float

    def read(self, at: int, size: int) -> bytes:
        """Read some of its bytes. Raises UnreadableCheckpoint where they are not there any more."""
        parts, end = list[bytes](), at + size
        try:
            while at < end and (part := os.pread(self.descriptor, end - at, at)):
                parts.append(part)
                at += len(part)
        except OSError as error:
            raise UnreadableCheckpoint(f"{self.path} cannot be read: {error.strerror}") from error
        if at < end:
            raise UnreadableCheckpoint(f"{self.path} became shorter while it was read")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def fields(self) -> Iterator[TopField]:
        """Yield the known top-level fields in the order of the file. Raises WireError, UnreadableCheckpoint."""
        at = 0
        while at < self.size_bytes:
            head = self.read(at, min(_HEAD_BYTES, self.size_bytes - at))
            with moved_by(at):
                tag, behind = read_varint(head, 0, len(head))
                if tag & 7 == _LENGTH and 0 < tag >> 3 < 1 << 29:
                    length, behind = read_varint(head, behind, len(head))
                else:
                    length = 0
                    _, number, _, (_, behind) = next(read_fields(head, 0, len(head)))
                    if number in FILE:
                        raise WireError(0, f"{FILE[number].name} is not of type message")
                if at + behind + length > self.size_bytes:
                    raise WireError(0, f"a value of {length} bytes is cut off after {self.size_bytes - at - behind}")
            first = at + behind
            if tag & 7 == _LENGTH and tag >> 3 in FILE:
                yield tag >> 3, first, self.read(first, length)
            at = first + length

    def check_unchanged(self) -> None:
        """Raise UnreadableCheckpoint if the file was written to since: what was read may be of two minds."""
        state = os.fstat(self.descriptor)
        if (state.st_size, state.st_mtime) != (self.size_bytes, self.modified_at):
            raise UnreadableCheckpoint(f"{self.path} was written to while it was read: somebody is at work on it")


@contextmanager
def moved_by(at: int) -> Iterator[None]:
    """Make the offsets of errors count from the beginning of the file."""
    try:
        yield
    except WireError as error:
        raise WireError(at + error.offset, error.what) from error


@contextmanager
def opened(path: Path, size_most: int) -> Iterator[OpenFile | None]:
    """Open a checkpoint file; None where there is none. Raises UnreadableCheckpoint for what is no such file."""
    try:
        # Without O_NONBLOCK the open of a pipe waits for a writer for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None
        return
    except (OSError, ValueError) as error:
        raise UnreadableCheckpoint(f"{path} cannot be opened: {_words(error)}") from error
    try:
        state = os.fstat(descriptor)
        _check(path, state, size_most)
        yield OpenFile(path, descriptor, state.st_size, state.st_mtime)
    finally:
        os.close(descriptor)


def _words(error: OSError | ValueError) -> str:
    if isinstance(error, OSError) and error.errno == errno.ENXIO:
        return "it is a socket"
    return getattr(error, "strerror", None) or str(error)


def _check(path: Path, state: os.stat_result, size_most: int) -> None:
    if not stat.S_ISREG(state.st_mode):
        kind = _KINDS.get(stat.S_IFMT(state.st_mode), "not a regular file")
        raise UnreadableCheckpoint(f"{path} is {kind}, not a checkpoint file")
    if state.st_size > size_most:
        raise UnreadableCheckpoint(
            f"{path} has {state.st_size} bytes, more than checkpoint.size_most ({size_most}) allows to read"
        )
