"""A policy file in a folder of its own, and the loading of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from safe_lightning.policy.load import LoadedPolicy, PolicyError, load_policy

Load = Callable[..., LoadedPolicy]


@pytest.fixture
def policy_file(tmp_path: Path) -> Path:
    return tmp_path / "policy.toml"


@pytest.fixture
def load(policy_file: Path) -> Load:
    """Write a policy file (the schema line is added) and load it."""

    def write_and_load(text: str, environ: Mapping[str, str] | None = None) -> LoadedPolicy:
        policy_file.write_text(f"schema = 1\n{text}", encoding="utf-8")
        return load_policy(policy_file, environ or {})

    return write_and_load


@pytest.fixture
def errors(load: Load) -> Callable[..., list[str]]:
    """Load a wrong policy and return its errors, a line each."""

    def load_and_fail(text: str, environ: Mapping[str, str] | None = None) -> list[str]:
        with pytest.raises(PolicyError) as raised:
            load(text, environ)
        return str(raised.value).splitlines()

    return load_and_fail
