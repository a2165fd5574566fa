"""Which hooks are loaded, from where, and what a wrong name says."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from safe_lightning.api import Stage
from safe_lightning.hooking import BUILT_IN, ENTRY_POINT_GROUP, HookLoadError, load_hooks
from safe_lightning.policy.model import HookRule

PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Install a package of somebody else: a module and the metadata that pip would write."""
    site = tmp_path / "site"
    info = site / "acme_hooks-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-hooks\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        f"[{ENTRY_POINT_GROUP}]\nacme = acme_hooks:look\nbroken = acme_broken:look\nmissing = acme_hooks:nothing\n"
        "number = acme_hooks:NUMBER\nexiting = acme_exiting:look\n"
    )
    (site / "acme_hooks.py").write_text(
        "from safe_lightning.api import Status, Verdict\nNUMBER = 1\n"
        "def look(context):\n    return Verdict(Status.PASS, 'acme', 'all is well')\n"
    )
    (site / "acme_broken.py").write_text("import a_module_that_nobody_has\n")
    (site / "acme_exiting.py").write_text("raise SystemExit(3)\n")
    monkeypatch.syspath_prepend(str(site))
    yield site
    for name in [name for name in sys.modules if name.startswith("acme_")]:
        del sys.modules[name]


def test_our_own_hooks_are_the_entry_points_that_the_project_declares() -> None:
    declared = tomllib.loads(PROJECT.read_text())["project"]["entry-points"][ENTRY_POINT_GROUP]
    assert declared == BUILT_IN


def test_hooks_come_in_the_order_of_the_policy(package: Path) -> None:
    rules = [
        HookRule(use="acme", name="second look"),
        HookRule(run=("/bin/true", "-x"), stage="post-import"),
        HookRule(use="acme"),
    ]
    assert [(h.name, h.origin, h.stage) for h in load_hooks(rules)] == [
        ("second look", "acme_hooks:look", Stage.PRE_IMPORT),
        ("true", "/bin/true -x", Stage.POST_IMPORT),
        ("acme", "acme_hooks:look", Stage.PRE_IMPORT),
    ]


def test_only_hooks_that_the_policy_names_are_imported(package: Path) -> None:
    load_hooks([HookRule(use="acme")])
    assert "acme_hooks" in sys.modules
    assert "acme_broken" not in sys.modules


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("akme", "hook 'akme': no installed package offers it; known are acme, broken, checkpoint, checksum,"),
        (
            "broken",
            "hook 'broken': acme_broken:look cannot be loaded: ModuleNotFoundError: No module named 'a_module_that",
        ),
        ("exiting", "hook 'exiting': acme_exiting:look cannot be loaded: SystemExit: 3"),
        ("missing", "hook 'missing': acme_hooks:nothing cannot be loaded: AttributeError:"),
        ("number", "hook 'number': acme_hooks:NUMBER is not callable"),
    ],
)
def test_a_hook_that_cannot_be_loaded_says_which_and_why(name: str, message: str, package: Path) -> None:
    with pytest.raises(HookLoadError) as raised:
        load_hooks([HookRule(use=name)])
    assert str(raised.value).startswith(message)


def test_two_packages_that_offer_one_name_are_refused(package: Path) -> None:
    info = package / "other_hooks-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-hooks\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\nacme = other_hooks:look\n")
    with pytest.raises(HookLoadError, match="several installed packages offer it: acme_hooks:look, other_hooks:look"):
        load_hooks([HookRule(use="acme")])
