"""Every import leaves its page, the summary says where, and the page can cost a run nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Place

FAILING = "import_all()\nsys.exit(1)\n"


def run_folder(place: Place) -> Path:
    return max((place.state / "runs").iterdir())


@pytest.mark.parametrize(("body", "code"), [("import_all()\n", 0), (FAILING, 1), ("os.kill(os.getpid(), 9)\n", 137)])
def test_an_import_leaves_its_page_whatever_its_end(place: Place, body: str, code: int) -> None:
    place.child(body)
    place.policy("hooks = []\n")
    ended = place.run("--config", "task.toml")
    assert ended.returncode == code, ended.stderr.decode()
    page = (run_folder(place) / "report.html").read_text()
    [entry] = place.history()
    assert f"<h1>{entry['outcome']}</h1>" in page
    [told] = [event for event in place.events() if event["event"] == "run-ended"]
    assert told["report"] == str(run_folder(place) / "report.html")


def test_the_summary_on_a_terminal_says_where_the_page_lies(place: Place) -> None:
    place.policy("hooks = []\n[log]\nformat = 'console'\n")
    said = place.run("--config", "task.toml").stderr.decode()
    assert f"report:\n    {run_folder(place) / 'report.html'}" in said or f"report: {run_folder(place)}" in said


def test_a_page_that_cannot_be_written_changes_nothing_else(place: Place) -> None:
    place.child("for run in os.scandir('state/runs'):\n    os.mkdir(run.path + '/report.html')\nimport_all()\n")
    place.policy("hooks = []\n")
    ended = place.run("--config", "task.toml")
    assert ended.returncode == 0
    assert b"report.html could not be recorded" in ended.stderr
    assert place.history()[0]["outcome"] == "succeeded"


@pytest.mark.parametrize("arguments", [("-V",), ("--help",)])
def test_what_is_no_import_leaves_no_page(place: Place, arguments: tuple[str, ...]) -> None:
    place.child("print('v8.5.4')\n")
    place.run(*arguments)
    assert not list(place.state.glob("runs/*/report.html"))


def test_nothing_of_the_page_is_loaded_before_the_child_has_ended(place: Place) -> None:
    code = (
        "import sys; from safe_lightning import run, ending\n"
        "print([name for name in sys.modules if 'report.page' in name or 'run_page' in name or 'timeline' in name])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert ended.stdout == b"[]\n"
