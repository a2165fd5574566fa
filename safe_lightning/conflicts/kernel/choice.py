"""Which kernel serves: the compiled one, else NumPy, else plain Python."""

from __future__ import annotations

from safe_lightning.conflicts.kernel.binding import KernelMissing
from safe_lightning.conflicts.kernel.compiled import CompiledKernel
from safe_lightning.conflicts.kernel.portable import PortableKernel
from safe_lightning.conflicts.kernel.protocol import Kernel

VECTORISED = "numpy"
PORTABLE = "none"


def choose_kernel(build: str | None = None) -> Kernel:
    """Take the best kernel that is here, or the one asked for: a compiled build, "numpy", or "none" for Python alone.

    Raises KernelMissing where the one asked for is not here.
    """
    if build == PORTABLE:
        return PortableKernel()
    if build == VECTORISED:
        return _vectorised_kernel()
    try:
        return CompiledKernel(build)
    except KernelMissing:
        if build is not None:
            raise
    try:
        return _vectorised_kernel()
    except KernelMissing:
        return PortableKernel()


def describe_kernel() -> str:
    """Say which kernel serves here, and why not a better one."""
    try:
        return CompiledKernel().name
    except KernelMissing as reason:
        return f"{choose_kernel().name}, slower and with the same answers: no compiled kernel ({reason})"


def _vectorised_kernel() -> Kernel:
    """Import NumPy only where it serves: it takes a tenth of a second. Raises KernelMissing."""
    try:
        from safe_lightning.conflicts.kernel.vectorised.kernel import VectorisedKernel
    except ImportError as error:
        raise KernelMissing(f"NumPy cannot be imported: {error}") from error
    return VectorisedKernel()
