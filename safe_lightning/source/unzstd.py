"""Zstd files, with a bound on what one call may decompress into memory.

The library has no such bound of its own. A block of the format holds at most 128 KiB, so the blocks of a piece are
counted before it is handed over: pieces of ordinary files are large, which saves calls, only those of a bomb are small.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.source.raw_bytes import (
    OUTPUT_BYTES_MOST,
    Heard,
    Pieces,
    breaks_off,
    cut_up,
    damaged,
    find_library,
    read_raw,
)

PIECE_BYTES = 1 << 15
BLOCKS_MOST = 64
SMALL_PIECE_BYTES = 4096  # a block has at least four bytes: at most 128 MiB come out of so many
WINDOW_BYTES_MOST = 1 << 27
_FRAME_HEADER_BYTES_MOST = 18
_BLOCK_HEADER_BYTES = 3
_CHECKSUM_BYTES = 4
_SKIPPABLE = range(0x184D2A50, 0x184D2A60)


def unzstd(path: Path, name: str, heard: Heard) -> Pieces:
    """Decompress all frames of a zstd file. Raises InputError and CouldNotLook."""
    library = find_library("zstandard", "zstd")
    factory = library.ZstdDecompressor(max_window_size=WINDOW_BYTES_MOST)
    decoder, is_within, offset = factory.decompressobj(), False, 0
    for piece in _bounded(library, read_raw(path, name, heard)):
        data = piece
        while data:
            is_within = True
            try:
                output = decoder.decompress(data)
            except library.ZstdError as error:
                raise _error(str(error), name, offset) from error
            yield from cut_up(iter((output,)), OUTPUT_BYTES_MOST)
            if not decoder.eof:
                break
            data, decoder, is_within = decoder.unused_data, factory.decompressobj(), False
        offset += len(piece)
    if is_within:
        raise breaks_off("zstd", name, offset)


def _error(reason: str, name: str, offset: int) -> Exception:
    if "memory" in reason:
        return CouldNotLook(f"{name}: zstd asks for a window of more than {WINDOW_BYTES_MOST} bytes")
    return damaged("zstd", reason, name, offset)


def _bounded(library: ModuleType, pieces: Pieces) -> Pieces:
    """Cut the bytes of a file so that no piece decompresses to too much."""
    counter = BlockCounter(library)
    for piece in cut_up(pieces, PIECE_BYTES):
        if counter.count(piece) <= BLOCKS_MOST:
            yield piece
        else:
            yield from cut_up(iter((piece,)), SMALL_PIECE_BYTES)


class BlockCounter:
    """Walks from block to block of a file without decompressing any."""

    def __init__(self, library: ModuleType) -> None:
        self._library = library
        self._held = b""
        self._skipped = 0
        self._is_frame_begin = True
        self._checksum_bytes = 0
        self._is_lost = False

    def count(self, piece: bytes) -> int:
        """Count the blocks that begin in a piece; more than there can be where the bytes are no zstd."""
        data, at, found = self._held + piece, self._skipped, 0
        while not self._is_lost and at < len(data):
            step = self._frame_step(data, at) if self._is_frame_begin else self._block_step(data, at)
            if step == 0:
                break
            found += not self._is_frame_begin
            at += step
        self._held, self._skipped = data[at:], max(at - len(data), 0)
        return len(piece) if self._is_lost else found

    def _frame_step(self, data: bytes, at: int) -> int:
        head = data[at : at + _FRAME_HEADER_BYTES_MOST]
        if len(head) >= 8 and int.from_bytes(head[:4], "little") in _SKIPPABLE:
            return 8 + int.from_bytes(head[4:8], "little")
        if len(head) < _FRAME_HEADER_BYTES_MOST:
            return 0
        try:
            size = int(self._library.frame_header_size(head))
            has_checksum = self._library.get_frame_parameters(head).has_checksum
        except self._library.ZstdError:
            self._is_lost = True
            return 0
        self._checksum_bytes = _CHECKSUM_BYTES if has_checksum else 0
        self._is_frame_begin = False
        return size

    def _block_step(self, data: bytes, at: int) -> int:
        if len(data) - at < _BLOCK_HEADER_BYTES:
            return 0
        header = int.from_bytes(data[at : at + _BLOCK_HEADER_BYTES], "little")
        is_last, kind, size = header & 1, header >> 1 & 3, header >> 3
        self._is_frame_begin = bool(is_last)
        return _BLOCK_HEADER_BYTES + (1 if kind == 1 else size) + (self._checksum_bytes if is_last else 0)
