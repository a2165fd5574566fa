"""A hook as a Python callable: is there room for the sorted key-value pairs of a physical import?"""

import os
import shutil
from pathlib import Path

from safe_lightning.api import Context, CouldNotLook, Finding, Status, Verdict

GIBIBYTE = 1 << 30


def free_space(context: Context) -> Verdict:
    """Block where the disk of sorted-kv-dir has less room than ACME_FREE_GIB_LEAST (default 100) asks for."""
    if not context.task.sorted_kv_dir:
        return Verdict(Status.PASS, "no-sorting", "the import sorts nothing on disk")
    folder = context.task.cwd / context.task.sorted_kv_dir
    try:
        free = shutil.disk_usage(_nearest(folder)).free
    except OSError as error:
        raise CouldNotLook(f"the disk of {folder} cannot be looked at: {error.strerror}") from error
    least = float(os.environ.get("ACME_FREE_GIB_LEAST", "100")) * GIBIBYTE
    said = f"{free / GIBIBYTE:.1f} GiB are free at {folder}"
    if free >= least:
        return Verdict(Status.PASS, "enough-space", said)
    finding = Finding("disk-small", said, data={"free_bytes": free, "least_bytes": int(least)})
    return Verdict(Status.BLOCK, "disk-small", f"{said}, {least / GIBIBYTE:g} GiB are asked for", (finding,))


def _nearest(folder: Path) -> Path:
    """Lightning makes sorted-kv-dir itself: look at the nearest folder that is there."""
    return next(path for path in (folder, *folder.parents) if path.exists())
