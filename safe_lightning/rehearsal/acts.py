"""The demo's four acts. Each says what will happen, lets it happen, and checks that it did."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from safe_lightning.core.exitcodes import ExitCode
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName
from safe_lightning.policy.model import DROP_PHRASE
from safe_lightning.rehearsal.sandbox import (
    Sandbox,
    age_checkpoint,
    count_rows,
    open_sandbox,
    recreate_tables,
    run_tool,
)
from safe_lightning.rehearsal.scenario import Scenario
from safe_lightning.rehearsal.toml_text import write_toml

ORDERS = TableName("shop", "orders")
_ORDERS_ROWS = 140
_SECOND_EXPORT = "shop.orders.0002.csv"
_WIDTH = 78
_TOLD = "checksum-mismatch"

_QUIET: dict[str, object] = {"schema": 1, "log": {"level": "warn", "progress": "off"}}
_DESTROYING: dict[str, object] = {
    **_QUIET,
    "scan": {"mode": "off"},
    "allow": [DROP_PHRASE],
    "remedy": [{"cause": "key-conflicts", "action": "destroy"}],
}


#: The drop-in path: an import's flags and an environment in, an exit code out.
FrontDoor = Callable[[Sequence[str], Mapping[str, str]], int]


@dataclass(frozen=True)
class Stage:
    """Where an act takes place: its own copy of the source, its own sandbox, its own policy."""

    sandbox: Sandbox
    source: Path
    policy: Path
    front_door: FrontDoor

    def run(self) -> int:
        """Run the guarded import, the very code of a real one, and return its exit code."""
        environ = {**os.environ, "SAFE_LIGHTNING_CONFIG": str(self.policy)}
        print(f"\n$ safe-lightning {' '.join(self.sandbox.argv)}", flush=True)
        code = self.front_door(self.sandbox.argv, self.sandbox.environ(environ))
        print(f"\n-> exit code {code}", flush=True)
        return code


@contextmanager
def _stage(
    front_door: FrontDoor, policy: dict[str, object], backend: str, keep_after_success: str = "remove"
) -> Iterator[Stage]:
    with tempfile.TemporaryDirectory(prefix="safe-lightning-demo-") as name:
        folder = Path(name).resolve()
        source = folder / "export"
        shutil.copytree(_data("shop"), source)
        (folder / "policy.toml").write_text(write_toml(policy), encoding="utf-8")
        task = {
            "lightning": {"check-requirements": False},
            "tidb": {"host": "127.0.0.1", "port": 4000},
            "checkpoint": {"keep-after-success": keep_after_success},
            "tikv-importer": {"backend": backend, "sorted-kv-dir": str(folder / "sorted-kv")},
            "mydumper": {"data-source-dir": str(source)},
        }
        (folder / "task.toml").write_text(write_toml(task), encoding="utf-8")
        with open_sandbox(["--config", str(folder / "task.toml")], folder, Scenario(), folder / "sandbox") as sandbox:
            yield Stage(sandbox, source, folder / "policy.toml", front_door)


def _data(name: str) -> Path:
    return Path(str(resources.files("safe_lightning.rehearsal"))) / "data" / name


def play_all(front_door: FrontDoor, *, is_pausing: bool, pages: Path) -> bool:
    """Play all acts; return whether each ended as announced. The page of every run is kept in ``pages``.

    Raises OSError where that cannot be written.
    """
    pages.mkdir(parents=True, exist_ok=True)
    front_door = _keeping_pages(front_door, pages)
    _tell(
        "Four short imports in a SANDBOX: a stand-in for tidb-lightning, its control tool and TiDB. "
        "No cluster is needed, and nothing of yours is touched."
    )
    results = []
    for number, (title, act) in enumerate(ACTS, start=1):
        if is_pausing and sys.stdin.isatty():
            input("\n-- press Enter for the next act --")
        print(f"\n{'=' * _WIDTH}\nAct {number} of {len(ACTS)}: {title}\n{'=' * _WIDTH}")
        results.append(act(front_door))
        _tell("As announced." if results[-1] else "NOT as announced; please report this.")
    _tell(
        "That was a sandbox; it is gone now. Try it with your own task: safe-lightning rehearse -- --config task.toml. "
        "What is left of it are the pages of its runs; that of the mismatch:"
    )
    print(f"\n    {(page_of_mismatch(pages) or pages).absolute().as_uri()}", flush=True)
    return all(results)


def page_of_mismatch(pages: Path) -> Path | None:
    """Find the page of the run that ended in a mismatch, which has the most to tell."""
    return next((page for page in sorted(pages.glob("*.html")) if f"<h1>{_TOLD}</h1>" in page.read_text("utf-8")), None)


def _keeping_pages(front_door: FrontDoor, pages: Path) -> FrontDoor:
    def run(argv: Sequence[str], environ: Mapping[str, str]) -> int:
        code = front_door(argv, environ)
        for page in sorted(Path(environ["SAFE_LIGHTNING__STATE_DIR"]).glob("runs/*/report.html")):
            shutil.copy(page, pages / f"{page.parent.name}.html")
        return code

    return run


def clean_import(front_door: FrontDoor) -> bool:
    """Import 200 rows and ask for proof."""
    _tell(
        "200 rows in two tables. Lightning says that it is done; safe-lightning asks for proof: chunks restored, a "
        "checksum passed for every table, the procedure completed. Only then it exits with 0."
    )
    with _stage(front_door, _QUIET, "local") as stage:
        code = stage.run()
        rows = count_rows(stage.sandbox, ORDERS)
    _tell(f"{ORDERS} holds {rows or 'no'} rows.")
    return code == 0 and rows == _ORDERS_ROWS


def duplicate_keys(front_door: FrontDoor) -> bool:
    """Import rows that collide, have the table destroyed, mend the source and import again."""
    _tell(
        "Orders only, and somebody exported twice: a second file repeats three order ids with other values. "
        "A physical import does not see that; only the checksum at the end does. The policy says: do not look for it "
        "before, explain, and destroy what this import filled."
    )
    with _stage(front_door, _DESTROYING, "local") as stage:
        second = _export_twice(stage)
        failed = stage.run()
        left = count_rows(stage.sandbox, ORDERS)
        _tell(
            f"{ORDERS} is {'gone' if left is None else 'STILL THERE'}, its checkpoint entry too. Now the source is "
            "mended (the second export removed) and the same command is run again."
        )
        second.unlink()
        code = stage.run()
        rows = count_rows(stage.sandbox, ORDERS)
    _tell(f"{ORDERS} holds {rows or 'no'} rows.")
    return failed != 0 and left is None and code == 0 and rows == _ORDERS_ROWS


def _export_twice(stage: Stage) -> Path:
    """Leave only the orders, some of them twice; return the file to be removed to mend that."""
    for file in stage.source.glob("shop.customers*"):
        file.unlink()
    second = stage.source / _SECOND_EXPORT
    shutil.copy(_data("second-export") / _SECOND_EXPORT, second)
    return second


def duplicate_keys_found_before(front_door: FrontDoor) -> bool:
    """Let the key scan, which is on by default, stop the same import before it starts."""
    _tell(
        "The same second export, with the default policy: every key of the source is looked at before the import. "
        "Nothing is started, nothing has to be destroyed."
    )
    with _stage(front_door, _QUIET, "local") as stage:
        second = _export_twice(stage)
        stopped = stage.run()
        rows = count_rows(stage.sandbox, ORDERS)
        _tell(f"Stopped before the start: {ORDERS} holds {rows or 'no'} rows. Without the second export:")
        second.unlink()
        code = stage.run()
    return stopped == int(ExitCode.CONFLICTS_IN_SOURCE) and not rows and code == 0


def leftover_checkpoint(front_door: FrontDoor) -> bool:
    """Lose everything silently with the bare importer, then be stopped before the start."""
    _tell(
        "A logical import kept its checkpoint. Then somebody created the tables anew, for a fresh start. "
        "First the bare importer, the way a cron line would call it:"
    )
    with _stage(front_door, _QUIET, "tidb", keep_after_success="origin") as stage:
        first = run_tool(stage.sandbox).exit_code
        recreate_tables(stage.sandbox)
        bare = run_tool(stage.sandbox).exit_code
        age_checkpoint(stage.sandbox)
        rows = count_rows(stage.sandbox, ORDERS)
        _tell(
            f"Exit code {bare}, and {ORDERS} holds {rows or 'no'} rows: the checkpoint says that all is imported. "
            "Now the same command, guarded:"
        )
        guarded = stage.run()
    is_stopped = guarded in {int(ExitCode.BLOCKED), int(ExitCode.LEFTOVER_CHECKPOINT)}
    if is_stopped:
        _tell("Stopped before the start, with the reason; nobody has to find out on Monday.")
    return is_stopped and first == 0 and bare == 0 and rows == 0


ACTS: tuple[tuple[str, Callable[[FrontDoor], bool]], ...] = (
    ("a clean import", clean_import),
    ("duplicate keys end in a checksum mismatch", duplicate_keys),
    ("the same duplicate keys, found before the import", duplicate_keys_found_before),
    ("a leftover checkpoint", leftover_checkpoint),
)


def _tell(text: str) -> None:
    print()
    print(textwrap.fill(text, _WIDTH), flush=True)
