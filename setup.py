"""The compiled part of the key scan. Everything else about the package stands in pyproject.toml.

The kernel is C without Python in it, loaded by ctypes, so one file serves every Python. It is built for what
processors can do; which build is loaded is decided when the scan runs. Without a compiler nothing is built, and the
scan runs on NumPy, slower and with the same answers.
"""

import platform
import sys
from pathlib import Path

from setuptools import Extension, setup

FOLDER = Path("safe_lightning/conflicts/kernel")
HEADERS = sorted(str(path) for path in FOLDER.glob("*.h"))
FLAGS = ["-O3", "-g0", "-fvisibility=hidden", "-std=gnu11"]
BUILDS: dict[str, list[str]] = {"_kernel": []}
if platform.machine() in ("x86_64", "AMD64"):
    BUILDS |= {"_kernel_v3": ["-march=x86-64-v3", "-maes", "-mpclmul"], "_kernel_v2": ["-march=x86-64-v2"]}

EXTENSIONS = [
    Extension(
        f"safe_lightning.conflicts.kernel.{name}",
        [str(FOLDER / "kernel.c")],
        depends=HEADERS,
        extra_compile_args=[*FLAGS, *flags],
        py_limited_api=True,
        optional=True,
    )
    for name, flags in BUILDS.items()
]

setup(
    ext_modules=EXTENSIONS if sys.platform != "win32" else [],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
