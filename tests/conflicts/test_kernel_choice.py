"""Which kernel serves where, and what `version` says of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import safe_lightning
from safe_lightning.conflicts.kernel.binding import KernelMissing
from safe_lightning.conflicts.kernel.choice import PORTABLE, VECTORISED, choose_kernel

PACKAGE = Path(safe_lightning.__file__).parent
NO_NUMPY = "raise ImportError('no NumPy here')\n"


@pytest.fixture(scope="module")
def unbuilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the package as a machine without a compiler installs it."""
    folder = tmp_path_factory.mktemp("unbuilt")
    shutil.copytree(PACKAGE, folder / "safe_lightning", ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__"))
    return folder


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a verb of the package in a folder, with what that folder has in front of all others."""
    command = [sys.executable, "-P", "-m", "safe_lightning", *words]
    environ = os.environ | {"PYTHONPATH": str(folder)}
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=False)


def test_version_says_which_kernel_serves(tmp_path: Path) -> None:
    told = run(PACKAGE.parent, "version").stdout
    assert f"key scan by {choose_kernel().name}" in told


def test_without_a_compiler_numpy_serves(unbuilt: Path) -> None:
    told = run(unbuilt, "version").stdout
    assert "key scan by NumPy" in told
    assert "no compiled kernel" in told


def test_without_numpy_either_python_serves(unbuilt: Path, tmp_path: Path) -> None:
    shutil.copytree(unbuilt / "safe_lightning", tmp_path / "safe_lightning")
    (tmp_path / "numpy.py").write_text(NO_NUMPY)
    assert "key scan by plain Python" in run(tmp_path, "version").stdout


@pytest.mark.parametrize("has_numpy", [True, False], ids=["numpy", "python"])
def test_the_scan_finds_the_same_without_a_compiler(unbuilt: Path, tmp_path: Path, has_numpy: bool) -> None:
    shutil.copytree(unbuilt / "safe_lightning", tmp_path / "safe_lightning")
    if not has_numpy:
        (tmp_path / "numpy.py").write_text(NO_NUMPY)
    dump = tmp_path / "dump"
    dump.mkdir()
    (dump / "shop-schema-create.sql").write_text("CREATE DATABASE shop;")
    (dump / "shop.t-schema.sql").write_text("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(9));")
    # So many rows that the fast engine is asked at all.
    (dump / "shop.t.csv").write_text("id,v\n" + "".join(f"{number},x\n" for number in range(40_000)) + "007,y\n")
    told = run(tmp_path, "scan", "--", "-d", str(dump))
    assert told.returncode == 65, told.stderr
    assert "equal only after the cast" in told.stdout


@pytest.mark.parametrize(("build", "name"), [(VECTORISED, "NumPy"), (PORTABLE, "plain Python")])
def test_a_kernel_can_be_asked_for(build: str, name: str) -> None:
    assert choose_kernel(build).name.startswith(name)


def test_a_build_that_is_not_here_is_never_replaced_in_silence() -> None:
    with pytest.raises(KernelMissing, match="_kernel_v9"):
        choose_kernel("_kernel_v9")


def test_numpy_is_imported_only_where_it_serves() -> None:
    code = "import sys; from safe_lightning.conflicts.kernel.choice import choose_kernel as c"
    code += "; print(c().name.startswith('NumPy') == ('numpy' in sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (told.stdout, told.stderr) == ("True\n", "")
