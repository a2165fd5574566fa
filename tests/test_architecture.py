"""The rules of the house: who may import whom, who may start processes, how long things may get."""

from __future__ import annotations

import ast
import re
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = sorted((ROOT / "safe_lightning").rglob("*.py"))
HOOKS = sorted((ROOT / "hooks" / "safe_lightning_hooks").rglob("*.py"))
FUNCTION_LINES_MOST = 45
FILE_LINES_MOST = 300


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def in_folder(path: Path, *folders: str) -> bool:
    return any((ROOT / "safe_lightning" / folder) in path.parents for folder in folders)


@pytest.mark.parametrize("path", [p for p in PACKAGE if in_folder(p, "core")], ids=lambda p: p.stem)
def test_core_imports_only_the_standard_library_and_itself(path: Path) -> None:
    foreign = [
        name
        for name in imports(path)
        if name.split(".")[0] not in sys.stdlib_module_names and not name.startswith("safe_lightning.core")
    ]
    assert not foreign


@pytest.mark.parametrize("path", HOOKS, ids=lambda p: p.stem)
def test_hooks_import_only_the_api(path: Path) -> None:
    ours = [name for name in imports(path) if name.startswith("safe_lightning") and "_hooks." not in name]
    assert set(ours) <= {"safe_lightning.api"}


STARTERS = {"subprocess", "multiprocessing", "pty"}
STARTING_CALLS = {"fork", "forkpty", "posix_spawn", "posix_spawnp", "system", "popen", "Popen"}
STARTING_CALLS |= {
    f"{kind}{suffix}" for kind in ("exec", "spawn") for suffix in ("l", "le", "lp", "v", "ve", "vp", "vpe")
}


@pytest.mark.parametrize(
    "path",
    [p for p in PACKAGE + HOOKS if not in_folder(p, "supervise")],
    ids=names([p for p in PACKAGE + HOOKS if not in_folder(p, "supervise")]),
)
def test_only_supervise_starts_processes(path: Path) -> None:
    started = {name.split(".")[0] for name in imports(path)} & STARTERS
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and node.attr in STARTING_CALLS and isinstance(node.value, ast.Name):
            started |= {node.attr} if node.value.id in {"os", "psutil"} else set()
    assert not started


def test_toml_is_read_in_two_places_only() -> None:
    readers = [
        path
        for path in PACKAGE
        if {"tomlkit", "tomllib"} & {name.split(".")[0] for name in imports(path)}
        and not in_folder(path, "policy")
        and not (in_folder(path, "lightning") and path.stem.startswith("task"))
    ]
    assert names(readers) == []


def test_dataclasses_are_the_lean_ones() -> None:
    """Each one of the standard library costs every start half a millisecond: see core/lean_dataclass.py."""
    taken = re.compile(r"^from dataclasses import .*\bdataclass\b|@dataclasses\.dataclass", re.MULTILINE)
    lavish = [path for path in PACKAGE if path.name != "lean_dataclass.py" and taken.search(path.read_text())]
    assert names(lavish) == []


def test_nothing_imports_the_front_door() -> None:
    allowed = {"__main__.py", "cli.py", "rehearse.py", "demo.py"}
    guests = [p for p in PACKAGE + HOOKS if "safe_lightning.cli" in set(imports(p)) and p.name not in allowed]
    assert names(guests) == []


@pytest.mark.parametrize("path", PACKAGE + HOOKS, ids=names(PACKAGE + HOOKS))
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= FILE_LINES_MOST


def function_sizes() -> dict[str, int]:
    sizes = {}
    for path in PACKAGE + HOOKS:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                sizes[f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"] = (node.end_lineno or 0) - node.lineno + 1
    return sizes


def test_functions_are_small() -> None:
    sizes = function_sizes()
    assert {name: size for name, size in sizes.items() if size > FUNCTION_LINES_MOST} == {}
    assert statistics.median(sizes.values()) <= 10
