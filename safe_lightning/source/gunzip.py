"""Gzip files: fast where nothing is odd, and again from the odd member on with zlib, whose verdict counts.

ISA-L (the package isal) decompresses more than twice as fast as zlib, but is laxer with headers, words its errors
differently and notices a cut elsewhere. So it only gets members with a plain header, their checksum and length are
compared here, and whatever does not end well is read again with zlib: findings are the same with and without it.
"""

from __future__ import annotations

import importlib
import zlib
from pathlib import Path
from typing import Protocol

from safe_lightning.source.raw_bytes import BLOCK_BYTES, OUTPUT_BYTES_MOST, Heard, Pieces, breaks_off, damaged, read_raw

_HEADER_BYTES, _TRAILER_BYTES = 10, 8
_PLAIN_HEADER = b"\x1f\x8b\x08"
_NAME_FLAG = 8
_NAME_BYTES_MOST = 4096


class _Inflater(Protocol):
    eof: bool
    unconsumed_tail: bytes
    unused_data: bytes

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Inflation(Protocol):
    """What is used of isal.isal_zlib, which has zlib's own interface."""

    error: type[Exception]

    def decompressobj(self, wbits: int) -> _Inflater: ...

    def crc32(self, data: bytes, value: int) -> int: ...


def gunzip(path: Path, name: str, heard: Heard) -> Pieces:
    """Decompress all members of a gzip file. Raises InputError where it is damaged or breaks off."""
    library = _fast_library()
    if library is None:
        yield from _exact(read_raw(path, name, heard), name)
        return
    fast = _FastReader(library, read_raw(path, name, heard))
    try:
        yield from fast.content()
    except _Doubt:
        start = fast.member - fast.member % BLOCK_BYTES  # so that an error names the same byte either way
        pieces = read_raw(path, name, start=start)
        yield from _without(fast.given, _exact(pieces, name, start, fast.member - start))


def _fast_library() -> _Inflation | None:
    try:
        library: _Inflation = importlib.import_module("isal.isal_zlib")
    except ImportError:
        return None
    return library


def _without(count: int, pieces: Pieces) -> Pieces:
    """Leave out what was already delivered."""
    for piece in pieces:
        if count < len(piece):
            yield piece[count:]
        count = max(count - len(piece), 0)


def _exact(pieces: Pieces, name: str, offset: int = 0, skipped: int = 0) -> Pieces:
    decoder, is_within = zlib.decompressobj(31), False
    for piece in pieces:
        data, skipped = piece[skipped:], 0
        while data:
            is_within = True
            try:
                output = decoder.decompress(data, OUTPUT_BYTES_MOST)
            except zlib.error as error:
                raise damaged("gzip", str(error), name, offset) from error
            if output:
                yield output
            if decoder.eof:
                data, decoder, is_within = decoder.unused_data, zlib.decompressobj(31), False
            else:
                data = decoder.unconsumed_tail
        offset += len(piece)
    if is_within:
        raise breaks_off("gzip", name, offset)
    if not offset:
        raise damaged("gzip", "the file has no byte", name, 0)


class _Doubt(Exception):
    """The member is not one of the plain ones that end well."""


class _FastReader:
    """Reads plain members; ``member`` is where the current one begins, ``given`` what was delivered of it."""

    def __init__(self, library: _Inflation, pieces: Pieces) -> None:
        self.member = 0
        self.given = 0
        self._library = library
        self._pieces = pieces
        self._held = b""
        self._read_bytes = 0

    def content(self) -> Pieces:
        """Yield the content of all members. Raises _Doubt."""
        while True:
            self._skip_header()
            yield from self._inflate()
            self.member, self.given = self._read_bytes - len(self._held), 0
            if not self._held and not self._has_more():
                return

    def _has_more(self) -> bool:
        piece = next(self._pieces, b"")
        self._held += piece
        self._read_bytes += len(piece)
        return bool(piece)

    def _take(self, count: int) -> bytes:
        while len(self._held) < count:
            if not self._has_more():
                raise _Doubt
        taken, self._held = self._held[:count], self._held[count:]
        return taken

    def _skip_header(self) -> None:
        header = self._take(_HEADER_BYTES)
        if not header.startswith(_PLAIN_HEADER) or header[3] & ~_NAME_FLAG:
            raise _Doubt
        if header[3]:
            while (end := self._held.find(b"\0")) < 0:
                if len(self._held) > _NAME_BYTES_MOST or not self._has_more():
                    raise _Doubt
            self._take(end + 1)

    def _inflate(self) -> Pieces:
        library, decoder = self._library, self._library.decompressobj(-15)
        checksum, data = 0, self._held
        while not decoder.eof:
            if not data:
                self._held = b""
                if not self._has_more():
                    raise _Doubt
                data = self._held
            try:
                output = decoder.decompress(data, OUTPUT_BYTES_MOST)
            except library.error as error:
                raise _Doubt from error
            if not output and len(decoder.unconsumed_tail) == len(data):
                raise _Doubt
            data = decoder.unconsumed_tail
            checksum = library.crc32(output, checksum)
            self.given += len(output)
            if output:
                yield output
        self._held = decoder.unused_data
        end = self._take(_TRAILER_BYTES)
        if end != checksum.to_bytes(4, "little") + (self.given & 0xFFFFFFFF).to_bytes(4, "little"):
            raise _Doubt
