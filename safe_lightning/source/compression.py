"""The bytes of a file as Lightning's parsers get them: decompressed piece by piece, with every cut noticed.

Lightning takes a gzip or zstd file that breaks off for a shorter file and does not say a word; here the break is an
InputError at the byte where it is. Source: pkg/lightning/mydump/parser.go (readBlock), br/pkg/storage/compress.go.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from safe_lightning.source.file_rules import Compression
from safe_lightning.source.findings import InputError
from safe_lightning.source.gunzip import gunzip
from safe_lightning.source.raw_bytes import BLOCK_BYTES, Heard, Pieces, damaged, find_library, ignore_bytes, read_raw
from safe_lightning.source.unzstd import unzstd

_SNAPPY_IDENTIFIER = b"\xff\x06\x00\x00sNaPpY"
_SNAPPY_CHUNK_BYTES_MOST = 76_490 + 4  # of 65,536 bytes, compressed as badly as can be, and their checksum


def read_blocks(
    path: Path, compression: Compression = Compression.NONE, name: str = "", heard: Heard = ignore_bytes
) -> Pieces:
    """Read a file as blocks of its decompressed content; ``heard`` hears of the bytes that are read of the file.

    Raises InputError for a file that cannot be opened, breaks off, is damaged or changes while it is read, and
    CouldNotLook where the library for its compression is not installed.
    """
    name = name or str(path)
    if not compression.is_readable:
        raise InputError("unreadable-compression", f"Lightning cannot read {compression} files", name)
    return _DECOMPRESSORS[compression](path, name, heard)


def _unsnappy(path: Path, name: str, heard: Heard) -> Pieces:
    """Read snappy's framing format, chunk by chunk; a break is an error to Lightning as well."""
    library = find_library("cramjam", "snappy")
    source = _ChunkSource(read_raw(path, name, heard), name)
    if source.take(len(_SNAPPY_IDENTIFIER)) != _SNAPPY_IDENTIFIER:
        raise damaged("snappy", "it does not begin with the stream identifier", name, 0)
    while header := source.take(4, may_end=True):
        kind, length = header[0], int.from_bytes(header[1:], "little")
        if (kind <= 1 and length > _SNAPPY_CHUNK_BYTES_MOST) or 1 < kind < 0x80:
            raise damaged("snappy", f"a chunk of kind {kind} and {length} bytes", name, source.offset - 4)
        if kind > 1:
            source.skip(length)
            continue
        chunk_offset, chunk = source.offset - 4, source.take(length)
        try:
            output = bytes(library.snappy.decompress(_SNAPPY_IDENTIFIER + header + chunk))
        except library.DecompressionError as error:
            raise damaged("snappy", str(error), name, chunk_offset) from error
        if output:
            yield output


class _ChunkSource:
    """Bytes by count out of pieces of any size."""

    def __init__(self, pieces: Pieces, name: str) -> None:
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
                raise damaged("snappy", "the file breaks off within a chunk", self._name, self.offset)
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


_DECOMPRESSORS: dict[Compression, Callable[[Path, str, Heard], Pieces]] = {
    Compression.NONE: read_raw,
    Compression.GZIP: gunzip,
    Compression.ZSTD: unzstd,
    Compression.SNAPPY: _unsnappy,
}
