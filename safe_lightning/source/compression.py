"""The bytes of a file as Lightning's parsers get them: decompressed piece by piece, with every cut noticed.

Lightning takes a gzip or zstd file that breaks off for a shorter file and does not say a word; here the break is an
InputError at the byte where it is. Source: pkg/lightning/mydump/parser.go (readBlock), br/pkg/storage/compress.go.
"""

from __future__ import annotations

import importlib
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.source.file_rules import Compression
from safe_lightning.source.findings import InputError

BLOCK_BYTES = 1 << 18
_OUTPUT_BYTES_MOST = 1 << 20
# Four bytes of zstd can stand for 128 KiB: so much input at a time bounds the output to 128 MiB.
_ZSTD_PIECE_BYTES = 4096
_ZSTD_WINDOW_BYTES_MOST = 1 << 27
_SNAPPY_IDENTIFIER = b"\xff\x06\x00\x00sNaPpY"
_SNAPPY_CHUNK_BYTES_MOST = 76_490 + 4  # of 65,536 bytes, compressed as badly as can be, and their checksum

_Pieces = Iterator[bytes]


def read_blocks(path: Path, compression: Compression = Compression.NONE, name: str = "") -> Iterator[bytes]:
    """Read a file as blocks of its decompressed content.

    Raises InputError for a file that cannot be opened, breaks off, is damaged or changes while it is read, and
    CouldNotLook where the library for its compression is not installed.
    """
    name = name or str(path)
    if not compression.is_readable:
        raise InputError("unreadable-compression", f"Lightning cannot read {compression} files", name)
    decompress = _DECOMPRESSORS[compression]
    return decompress(_read_raw(path, name), name)


def _read_raw(path: Path, name: str) -> _Pieces:
    """Read the bytes of the file itself. Raises InputError where it changes meanwhile."""
    try:
        with path.open("rb", buffering=0) as file:
            before = os.fstat(file.fileno())
            while block := file.read(BLOCK_BYTES):
                yield block
            after = os.fstat(file.fileno())
            if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
                raise InputError("changed-file", "the file changed while it was read", name)
    except OSError as error:
        raise InputError("unreadable-file", f"the file cannot be read ({error.strerror})", name) from error


def _plain(pieces: _Pieces, _name: str) -> _Pieces:
    return pieces


def _gunzip(pieces: _Pieces, name: str) -> _Pieces:
    decoder, is_within, offset = zlib.decompressobj(31), False, 0
    for piece in pieces:
        data = piece
        while data:
            is_within = True
            try:
                output = decoder.decompress(data, _OUTPUT_BYTES_MOST)
            except zlib.error as error:
                raise _damaged("gzip", str(error), name, offset) from error
            if output:
                yield output
            if decoder.eof:
                data, decoder, is_within = decoder.unused_data, zlib.decompressobj(31), False
            else:
                data = decoder.unconsumed_tail
        offset += len(piece)
    if is_within:
        raise _cut("gzip", name, offset)
    if not offset:
        raise _damaged("gzip", "the file has no byte", name, 0)


def _unzstd(pieces: _Pieces, name: str) -> _Pieces:
    zstandard = _library("zstandard", "zstd")
    factory = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES_MOST)
    decoder, is_within, offset = factory.decompressobj(), False, 0
    for piece in _cut_up(pieces, _ZSTD_PIECE_BYTES):
        data = piece
        while data:
            is_within = True
            try:
                output = decoder.decompress(data)
            except zstandard.ZstdError as error:
                raise _zstd_error(str(error), name, offset) from error
            yield from _cut_up(iter((output,)), _OUTPUT_BYTES_MOST)
            if not decoder.eof:
                break
            data, decoder, is_within = decoder.unused_data, factory.decompressobj(), False
        offset += len(piece)
    if is_within:
        raise _cut("zstd", name, offset)


def _zstd_error(reason: str, name: str, offset: int) -> Exception:
    if "memory" in reason:
        return CouldNotLook(f"{name}: zstd asks for a window of more than {_ZSTD_WINDOW_BYTES_MOST} bytes")
    return _damaged("zstd", reason, name, offset)


def _unsnappy(pieces: _Pieces, name: str) -> _Pieces:
    """Read snappy's framing format, chunk by chunk; a break is an error to Lightning as well."""
    library = _library("cramjam", "snappy")
    source = _ChunkSource(pieces, name)
    if source.take(len(_SNAPPY_IDENTIFIER)) != _SNAPPY_IDENTIFIER:
        raise _damaged("snappy", "it does not begin with the stream identifier", name, 0)
    while header := source.take(4, may_end=True):
        kind, length = header[0], int.from_bytes(header[1:], "little")
        if (kind <= 1 and length > _SNAPPY_CHUNK_BYTES_MOST) or 1 < kind < 0x80:
            raise _damaged("snappy", f"a chunk of kind {kind} and {length} bytes", name, source.offset - 4)
        if kind > 1:
            source.skip(length)
            continue
        chunk_offset, chunk = source.offset - 4, source.take(length)
        try:
            output = bytes(library.snappy.decompress(_SNAPPY_IDENTIFIER + header + chunk))
        except library.DecompressionError as error:
            raise _damaged("snappy", str(error), name, chunk_offset) from error
        if output:
            yield output


class _ChunkSource:
    """Bytes by count out of pieces of any size."""

    def __init__(self, pieces: _Pieces, name: str) -> None:
        self.offset = 0
        self._pieces = pieces
        self._name = name
        self._held = b""

    def take(self, count: int, *, may_end: bool = False) -> bytes:
        """Take so many bytes, or none at the very end where that is allowed. Raises InputError at a break."""
        while len(self._held) < count:
            piece = next(self._pieces, b"")
            if not piece:
                if may_end and not self._held:
                    return b""
                raise _damaged("snappy", "the file breaks off within a chunk", self._name, self.offset)
            self._held += piece
        taken, self._held = self._held[:count], self._held[count:]
        self.offset += count
        return taken

    def skip(self, count: int) -> None:
        """Leave out so many bytes."""
        while count:
            step = min(count, BLOCK_BYTES)
            self.take(step)
            count -= step


def _cut_up(pieces: _Pieces, size: int) -> _Pieces:
    for piece in pieces:
        for start in range(0, len(piece), size):
            yield piece[start : start + size]


def _library(module: str, what: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise CouldNotLook(f"{what} files cannot be read without the Python package {module}") from error


def _damaged(what: str, reason: str, name: str, offset: int) -> InputError:
    return InputError("damaged-compression", f"not valid {what}: {reason}", name, file_offset=offset)


def _cut(what: str, name: str, offset: int) -> InputError:
    reason = f"the {what} file breaks off here; Lightning imports what comes before and says nothing"
    return InputError("truncated-compression", reason, name, file_offset=offset, is_silent=True)


_DECOMPRESSORS: dict[Compression, Callable[[_Pieces, str], _Pieces]] = {
    Compression.NONE: _plain,
    Compression.GZIP: _gunzip,
    Compression.ZSTD: _unzstd,
    Compression.SNAPPY: _unsnappy,
}
