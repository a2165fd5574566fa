"""Where the record goes: the order of the places, and what is said where there is none."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from safe_lightning.record.state_dir import StateUnavailable, find_state_dir, state_dir

IS_ROOT = os.geteuid() == 0
HOME = {"HOME": "/home/ann"}
XDG = {"XDG_STATE_HOME": "/xdg"}


@pytest.mark.parametrize(
    ("setting", "environ", "found"),
    [
        ("/srv/state", HOME | XDG, "/srv/state"),
        ("~/state", HOME | XDG, "/home/ann/state"),
        ("~", HOME, "/home/ann"),
        ("relative/./x", {}, f"{Path.cwd()}/relative/x"),
        ("", HOME | XDG, "/xdg/safe-lightning"),
    ],
)
def test_the_policy_comes_before_the_environment(setting: str, environ: dict[str, str], found: str) -> None:
    assert find_state_dir(setting, environ, Path("/no/system/place")) == Path(found)


@pytest.mark.parametrize("relative", ["state", "", "./x"])
def test_a_relative_xdg_place_is_ignored(relative: str, tmp_path: Path) -> None:
    found = find_state_dir("", HOME | {"XDG_STATE_HOME": relative}, tmp_path)
    assert found == tmp_path


def test_the_systems_place_is_taken_where_it_is_writable(tmp_path: Path) -> None:
    assert find_state_dir("", HOME, tmp_path) == tmp_path


@pytest.mark.skipif(IS_ROOT, reason="root always uses the system's place")
def test_the_home_is_taken_where_the_systems_place_is_not_there(tmp_path: Path) -> None:
    assert find_state_dir("", HOME, tmp_path / "none") == Path("/home/ann/.local/state/safe-lightning")


@pytest.mark.skipif(not IS_ROOT, reason="not root")
def test_root_uses_the_systems_place_even_before_it_stands(tmp_path: Path) -> None:
    assert find_state_dir("", HOME, tmp_path / "none") == tmp_path / "none"


def test_a_home_that_is_not_known_is_said() -> None:
    with pytest.raises(StateUnavailable, match=r"state_dir is ~/x and \$HOME is not set"):
        find_state_dir("~/x", {})


def test_its_rooms_are_made_for_nobody_but_us(tmp_path: Path) -> None:
    state = state_dir(str(tmp_path / "deep" / "state"), {})
    rooms = sorted(path.name for path in state.iterdir())
    assert rooms == ["baselines", "fingerprints", "locks", "runs"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in (state, *state.iterdir())} == {0o700}


def file_in_the_way(path: Path) -> None:
    path.write_text("")


def cycle(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize("make", [file_in_the_way, cycle])
def test_a_place_that_cannot_be_made_is_said_with_its_name(tmp_path: Path, make: object) -> None:
    make(tmp_path / "state")  # type: ignore[operator]
    with pytest.raises(StateUnavailable, match=r"state cannot be made: "):
        state_dir(str(tmp_path / "state"), {})
