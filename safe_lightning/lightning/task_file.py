"""Lightning's config file as plain data, with keys matched as its TOML decoder matches them."""

from __future__ import annotations

import errno
import os
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SIZE_MOST_BYTES = 4 << 20
_DEPTH_MOST = 32

#: What would stop Lightning's own look at the file as well.
_LASTING = {
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EACCES,
    errno.EPERM,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENXIO,
}
#: Mistakes that every TOML parser refuses. In finer points (a table defined twice, a control character in a
#: comment, a comma too many) the parsers of Lightning's releases differ from one another and from ours.
_PLAIN_MISTAKES = ("Invalid statement", "Invalid value", "Expected ", "Unterminated string", "Unclosed array")


class TaskFileError(Exception):
    """The config file cannot be read or parsed; the sentence names file and place.

    ``is_certain`` is False where Lightning itself may be able to, as with a pipe that only it must empty.
    """

    def __init__(self, message: str, is_certain: bool = True) -> None:
        super().__init__(message)
        self.is_certain = is_certain


def read_task_file(path: Path, shown: str = "") -> dict[str, Any]:
    """Read the file into nested dictionaries with lower-case keys. Raises TaskFileError.

    ``shown`` is the name to be used in messages, as it was given. The standard library's parser is used rather
    than tomlkit: nothing is written back, and it is several times faster, which counts at every start. Both
    read TOML 1.0, as BurntSushi/toml in Lightning does.
    """
    name = f"config file '{shown or path}'"
    data = _read_bytes(path, name)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        # Releases with an old TOML parser let other bytes pass in a comment.
        raise TaskFileError(f"cannot parse {name}: not UTF-8 at byte {error.start}", is_certain=False) from error
    try:
        lowered = _lower(tomllib.loads(text.removeprefix("\ufeff")), _DEPTH_MOST)
    except (ValueError, OverflowError, RecursionError) as error:
        is_plain = str(error).startswith(_PLAIN_MISTAKES) and text.isascii()
        raise TaskFileError(f"cannot parse {name}: {error}", is_plain) from error
    assert isinstance(lowered, dict)
    return lowered


def _read_bytes(path: Path, name: str) -> bytes:
    try:
        # Without O_NONBLOCK the open of a pipe waits for a writer for ever.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return _read_bounded(handle, name)
        finally:
            os.close(handle)
    except OSError as error:
        is_lasting = error.errno in _LASTING
        raise TaskFileError(f"cannot read {name}: {(error.strerror or str(error)).lower()}", is_lasting) from error
    except ValueError as error:  # a null byte in the name, which no file has
        raise TaskFileError(f"cannot read {name}: {error}") from error


def _read_bounded(handle: int, name: str) -> bytes:
    status = os.fstat(handle)
    if stat.S_ISDIR(status.st_mode):
        raise TaskFileError(f"cannot read {name}: is a directory")
    if not stat.S_ISREG(status.st_mode):
        # A pipe gives its bytes once: what we took the child would miss.
        message = f"cannot read {name}: it is not a regular file, so it is left to the child"
        raise TaskFileError(message, is_certain=False)
    if status.st_size > SIZE_MOST_BYTES:
        message = f"cannot read {name}: {status.st_size} bytes are more than is read here ({SIZE_MOST_BYTES})"
        raise TaskFileError(message, is_certain=False)
    data = b""
    while len(data) <= SIZE_MOST_BYTES and (part := os.read(handle, SIZE_MOST_BYTES)):
        data += part
    return data


def _lower(value: object, depth_left: int) -> object:
    # BurntSushi/toml matches keys without regard to case.
    if not depth_left:
        raise ValueError(f"nested deeper than {_DEPTH_MOST} levels")
    if isinstance(value, dict):
        return {str(key).lower(): _lower(item, depth_left - 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_lower(item, depth_left - 1) for item in value]
    return value


def section(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a table of the file; an empty one where it is missing or something else."""
    found = data.get(name)
    return found if isinstance(found, dict) else {}


def text_of(table: Mapping[str, Any], name: str, default: str = "") -> str:
    """Return a string value, or the default."""
    value = table.get(name, default)
    return value if isinstance(value, str) else default


def number_of(table: Mapping[str, Any], name: str, default: int = 0) -> int:
    """Return an integer value, or the default."""
    value = table.get(name, default)
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def flag_of(table: Mapping[str, Any], name: str, default: bool) -> bool:
    """Return a boolean value, or the default."""
    value = table.get(name, default)
    return value if isinstance(value, bool) else default
