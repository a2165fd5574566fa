"""structlog is imported without what it costs most, and whoever needs that later gets the real thing."""

from __future__ import annotations

import subprocess
import sys


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_neither_rich_nor_asyncio_is_loaded() -> None:
    code = "import sys, safe_lightning.logs; print('rich' in sys.modules, 'asyncio.events' in sys.modules)"
    assert python(code) == "False False"


def test_both_can_be_used_afterwards() -> None:
    code = (
        "import safe_lightning.logs, asyncio, asyncio.events, rich.console\n"
        "async def three(): return 3\n"
        "print(asyncio.run(three()), asyncio.events.__name__, rich.console.__name__)"
    )
    assert python(code) == "3 asyncio.events rich.console"
