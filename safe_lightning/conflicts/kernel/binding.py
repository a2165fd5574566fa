"""The compiled kernel as Python sees it: the structs of kernel.h, its calls, the build that fits this processor."""

from __future__ import annotations

import ctypes
import platform
from ctypes import POINTER, Structure, c_int, c_int32, c_uint8, c_uint32, c_uint64, c_void_p
from enum import IntEnum, IntFlag
from functools import cache
from pathlib import Path

COLUMNS_MOST = 64
KEYS_MOST = 64
PARTS_MOST = 16
NULLS_MOST = 8
NULL_BYTES_MOST = 32
GRANULE = 64
GROUP_SAMPLE = 128
"""So many rows are returned of a group for all of which there is no room."""
UNLIMITED = (1 << 64) - 1

_BUILDS = (
    ("_kernel_v3", frozenset({"avx2", "aes", "pclmulqdq", "bmi2"})),
    ("_kernel_v2", frozenset({"sse4_2", "popcnt"})),
)
_PORTABLE = "_kernel"


class KernelMissing(Exception):
    """No build of the kernel is here: no compiler was at hand when the package was installed."""


class Form(IntEnum):
    """How a column's plain texts become canonical bytes; OPAQUE ones always take the slow path."""

    OPAQUE = 0
    TEXT = 1
    BYTES = 2
    INTEGER = 3
    DECIMAL = 4
    DATE = 5
    FLOAT = 6
    TIME = 7


class Beyond(IntEnum):
    """What the bytes of 0x80 and above of a text have to be."""

    ANY = 0
    UTF8MB4 = 1
    UTF8MB3 = 2
    HARD = 3


class ColumnFlag(IntFlag):
    """What else is to be known of a column."""

    TRIM_FIRST = 1
    TRIM_LAST = 2
    FOLDS = 4
    UNSIGNED = 8
    ZERO_FILLED = 16
    HAS_TIME = 32
    IS_TIMESTAMP = 64
    COUNTS_BYTES = 128
    NULL_IS_VALUE = 256
    IS_SINGLE = 512


class Known(IntEnum):
    """As what the meaning of a text is learnt: integers of SQL are cast in another way than texts."""

    TEXT = 1
    INTEGER = 2


class Status(IntEnum):
    """Why a call returned."""

    DONE = 0
    MORE = 1
    STOPPED = 2
    READ = 3
    SPILL = 4
    MEMORY = 5
    ROWS = 6


class Kind(IntEnum):
    """Why a row is handed out: values that are not plain, a row that is not regular, a row asked for."""

    VALUE = 0
    ROW = 1
    WANTED = 2


class Column(Structure):
    """A key column."""

    _fields_ = (
        ("form", c_uint32),
        ("flags", c_uint32),
        ("beyond", c_uint32),
        ("scale", c_uint32),
        ("size_most", c_uint64),
        ("prefix", c_uint64),
        ("ascii", c_void_p),
        ("weights", c_void_p),
        ("calm_days", c_void_p),
        ("highest", c_uint8 * 24),
        ("lowest", c_uint8 * 24),
        ("highest_size", c_uint32),
        ("lowest_size", c_uint32),
    )


class Plan(Structure):
    """What is the same for all files of a table."""

    _fields_ = (
        ("columns", c_uint32),
        ("keys", c_uint32),
        ("partition_bits", c_uint32),
        ("block_bits", c_uint32),
        ("huge_pages", c_uint32),
        ("sample_of_4096", c_uint32),
        ("seed", c_uint64),
        ("pool_bytes", c_uint64),
        ("chunk_bytes", c_uint64),
        ("row_bytes_most", c_uint64),
        ("key_columns", c_uint64 * KEYS_MOST),
        ("key_order", (c_uint32 * PARTS_MOST) * KEYS_MOST),
        ("key_parts", c_uint32 * KEYS_MOST),
        ("column", POINTER(Column)),
    )


class Dialect(Structure):
    """How one file is read."""

    _fields_ = (
        ("separator", c_uint8),
        ("quote", c_uint8),
        ("escape", c_uint8),
        ("end", c_uint8 * 2),
        ("has_quote", c_uint8),
        ("has_escape", c_uint8),
        ("ends", c_uint8),
        ("is_sql", c_uint8),
        ("trims_last", c_uint8),
        ("is_foreign", c_uint8),
        ("escaped_null", c_uint8),
        ("fields", c_uint32),
        ("nulls", c_uint32),
        ("null_text", (c_uint8 * NULL_BYTES_MOST) * NULLS_MOST),
        ("null_size", c_uint32 * NULLS_MOST),
        ("field", c_int32 * COLUMNS_MOST),
        ("constant", c_uint64 * COLUMNS_MOST),
        ("constant_nulls", c_uint64),
    )


class HardRow(Structure):
    """The head of a row that is handed out."""

    _fields_ = (
        ("offset", c_uint64),
        ("line", c_uint64),
        ("hard_columns", c_uint64),
        ("row", c_uint32),
        ("size", c_uint32),
        ("kind", c_uint32),
        ("stride", c_uint32),
    )


class Place(Structure):
    """Where every 64th row begins."""

    _fields_ = (("offset", c_uint64), ("line", c_uint64))


class Candidate(Structure):
    """A row whose hash occurs more than once."""

    _fields_ = (("slot", c_uint32), ("hash", c_uint32), ("scan", c_uint32), ("row", c_uint32))


class Dropped(Structure):
    """Rows that were given up."""

    _fields_ = (("scan", c_uint32), ("first", c_uint32), ("stop", c_uint32))


class Found(Structure):
    """What a search over some partitions counted."""

    _fields_ = (
        ("words", c_uint64),
        ("groups", c_uint64),
        ("rows", c_uint64),
        ("returned", c_uint64),
        ("next_slot", c_uint64),
    )


class Where(Structure):
    """Where a scan stands."""

    _fields_ = (
        ("offset", c_uint64),
        ("next_row", c_uint64),
        ("lines", c_uint64),
        ("hard_bytes", c_uint64),
        ("places", c_uint64),
        ("spilled_bytes", c_uint64),
        ("spill_errno", c_uint64),
        ("carried_bytes", c_uint64),
    )


_CALLS = {
    "kernel_new": (c_void_p, [POINTER(Plan), c_int]),
    "kernel_free": (None, [c_void_p]),
    "kernel_dialect": (c_int, [c_void_p, POINTER(Dialect)]),
    "kernel_begin": (c_uint64, [c_void_p, c_int, c_uint64, c_uint64, c_uint64]),
    "kernel_step": (c_int, [c_void_p, c_uint64]),
    "kernel_push": (c_int, [c_void_p, c_void_p, c_uint64, c_int, POINTER(c_uint64)]),
    "kernel_foreign_row": (c_uint64, [c_void_p, c_uint64, c_uint64]),
    "kernel_where": (None, [c_void_p, POINTER(Where)]),
    "kernel_hard": (c_void_p, [c_void_p]),
    "kernel_places": (c_void_p, [c_void_p]),
    "kernel_want": (None, [c_void_p, c_void_p, c_uint64]),
    "kernel_fetch": (c_uint64, [c_void_p, c_int, c_void_p, c_uint64]),
    "kernel_hash": (c_uint64, [c_void_p, c_void_p, c_uint64]),
    "kernel_add": (c_int, [c_void_p, c_uint32, POINTER(c_uint64), c_uint32, c_uint64]),
    "kernel_learn": (c_int, [c_void_p, c_uint32, c_uint32, c_void_p, c_uint64, c_uint64]),
    "kernel_finish": (None, [c_void_p]),
    "kernel_finder": (c_void_p, []),
    "kernel_free_finder": (None, [c_void_p]),
    "kernel_find": (
        c_int,
        [c_void_p, c_void_p, c_uint32, c_uint32, c_uint32, c_void_p, c_uint32, c_void_p, c_uint64, POINTER(Found)],
    ),
    "kernel_guess": (c_uint64, [c_void_p, c_int, c_uint64, c_uint64]),
    "kernel_words": (c_uint64, [c_void_p, c_uint32, c_void_p]),
    "kernel_struct_sizes": (c_uint64, []),
}


@cache
def load_kernel(build: str | None = None) -> ctypes.CDLL:
    """Load the best build for this processor, or the one named. Raises KernelMissing where there is none."""
    wanted = [build] if build else [*_fitting_builds(), _PORTABLE]
    for name in wanted:
        for path in sorted(Path(__file__).parent.glob(f"{name}.*")):
            if path.suffix in (".so", ".pyd"):
                return open_kernel(path)
    raise KernelMissing(f"none of {', '.join(wanted)} was built")


def open_kernel(path: Path) -> ctypes.CDLL:
    """Open one build and declare its calls. Raises KernelMissing for a library that does not load or fit."""
    try:
        library = ctypes.CDLL(str(path), use_errno=True)
        for name, (result, arguments) in _CALLS.items():
            call = getattr(library, name)
            call.restype, call.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise KernelMissing(f"{path.name} cannot be loaded: {error}") from error
    sizes = sum(ctypes.sizeof(struct) << 16 * place for place, struct in enumerate((Column, Plan, Dialect, HardRow)))
    if library.kernel_struct_sizes() != sizes:
        raise KernelMissing(f"{path.name} was built from other sources")
    return library


def _fitting_builds() -> list[str]:
    flags = _processor_flags()
    return [name for name, needed in _BUILDS if needed <= flags]


def _processor_flags() -> frozenset[str]:
    """Read what the processor can do; nothing is known where /proc does not say it."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return frozenset()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line for line in lines if line.startswith("flags")), "").split())
