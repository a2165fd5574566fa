"""Two wrappers on one import: one imports, the other waits or says who holds it; nothing is done twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from law_world import POLICIES, World

from safe_lightning.rehearsal.scenario import Ending

TRY_LATER = 75


@pytest.fixture
def open_world() -> Iterator[Callable[..., World]]:
    with ExitStack() as stack:

        def opened(backend: str, schema: str) -> World:
            world = World(backend, schema)
            stack.callback(world.close)
            return world

        yield opened


@pytest.mark.parametrize("policy", ["default", "destroy", "remove"])
def test_of_two_started_at_once_one_imports_and_the_other_says_that_it_is_busy(
    open_world: Callable[..., World], policy: str
) -> None:
    world = open_world("tidb", "no key")
    ends = sorted(told.exit_code for told in world.import_twice_at_once(POLICIES[policy], Ending.HANG))
    assert ends == [0, TRY_LATER]
    assert world.rows() == dict.fromkeys(world.source_rows, 1)


def test_the_one_who_waits_finds_the_tables_filled_by_the_first(open_world: Callable[..., World]) -> None:
    world = open_world("local", "key")
    world.import_bare(Ending.KILL)
    told = world.import_twice_at_once({"lock": {"wait": "60s"}}, Ending.HANG)
    assert {one.outcome for one in told} == {"succeeded", "precheck-failed"}
    assert world.rows() == dict.fromkeys(world.source_rows, 1)
