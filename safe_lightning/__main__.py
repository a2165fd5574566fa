"""Entry point: ``safe-lightning``, ``python -m safe_lightning``, and a link called ``tidb-lightning``."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the front door."""
    from safe_lightning.cli import main as front_door

    return front_door(sys.argv)


if __name__ == "__main__":
    sys.exit(main())
