"""Calling a verb as the command line does, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer


@dataclass(frozen=True)
class Called:
    """A verb's end."""

    code: int
    stdout: bytes
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)

    @property
    def text(self) -> str:
        return self.stdout.decode()


Call = Callable[..., Called]


@pytest.fixture
def call(
    state: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> Call:
    """Call a verb's function with words of a command line, under a policy that names the test's state folder."""
    policy = tmp_path / "policy.toml"
    policy.write_text(f'schema = 1\nstate_dir = "{state}"\n')
    monkeypatch.setenv("SAFE_LIGHTNING_CONFIG", str(policy))

    def run(verb: Callable[..., None], *words: object) -> Called:
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command()(verb)
        capfdbinary.readouterr()
        try:
            code = typer.main.get_command(app).main([str(word) for word in words], "verb", standalone_mode=False) or 0
        except typer.Exit as ended:
            code = ended.exit_code
        captured = capfdbinary.readouterr()
        return Called(code, captured.out, captured.err.decode())

    return run
