"""Entry point: ``safe-lightning``, ``python -m safe_lightning``, and a link called ``tidb-lightning``."""

from __future__ import annotations

import gc
import sys


def main() -> int:
    """Run the front door.

    The garbage collector is off while that is imported, and looks at nothing on the way out: none of it is garbage,
    and searching it took a tenth of a start.
    """
    gc.disable()
    from safe_lightning.lean_import import defer

    # dataclasses imports it, and uses it for classes without a docstring alone.
    defer("inspect")
    from safe_lightning.cli import main as front_door

    try:
        return front_door(sys.argv)
    finally:
        gc.freeze()


if __name__ == "__main__":
    sys.exit(main())
