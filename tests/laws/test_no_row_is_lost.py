"""Imports, crashes, re-creations and clean-ups in any order: no row of others is lost, none is missing unsaid.

A machine draws what happens between two imports, how the import ends and what the policy allows. A model keeps the
rows that somebody else put into the table and those that the source holds. `SAFE_LIGHTNING_LAW_STORIES` sets how many
stories are told of each kind of table.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from law_world import POLICIES, Told, World

from safe_lightning.rehearsal.scenario import Ending

STORIES = int(os.environ.get("SAFE_LIGHTNING_LAW_STORIES", "5"))
STEPS = 4
ENDINGS = {
    "local": (Ending.CLEAN, Ending.KILL, Ending.CANCEL, Ending.CHECKSUM_MISMATCH),
    "tidb": (Ending.CLEAN, Ending.KILL, Ending.CANCEL),
}
#: What others do between two imports of ours.
EVENTS: Mapping[str, Callable[[World], None]] = {
    "nothing": lambda world: None,
    "the table is created anew": World.recreate_table,
    "the table is dropped": World.drop_table,
    "the table is emptied": World.empty_table,
    "somebody inserts a row": World.insert_hers,
    "somebody deletes the checkpoint": World.delete_checkpoint,
    "the source grows": World.grow_source,
    "a source file is replaced": lambda world: world.replace_file(min(world.files)),
    "somebody imports by hand": lambda world: world.import_bare(Ending.CLEAN),
    "somebody's import by hand is killed": lambda world: world.import_bare(Ending.KILL),
}


class Story(RuleBasedStateMachine):
    """One table and what happens to it; the subclasses say of which kind it is."""

    backend, schema = "local", "key"
    world: World

    @initialize()
    def begin(self) -> None:
        self.world = World(self.backend, self.schema)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.close()

    @rule(event=st.sampled_from(sorted(EVENTS)), policy=st.sampled_from(sorted(POLICIES)), data=st.data())
    def something_happens_and_the_wrapper_imports(self, event: str, policy: str, data: st.DataObject) -> None:
        tell(self.world, event, policy, data.draw(st.sampled_from(ENDINGS[self.backend])))


def tell(world: World, event: str, policy: str, ending: Ending) -> Told:
    """Let something happen, import, and hold the table against the model."""
    EVENTS[event](world)
    told = world.import_guarded(policy, ending)
    rows = world.rows()
    lost = [row for row in world.hers if rows[row] != 1]
    assert not lost, f"rows of others are gone: {lost}\n{told}"
    if told.is_fine:
        assert_source_arrived(world, told)
    return told


def assert_source_arrived(world: World, told: Told) -> None:
    arrived = world.arrived()
    if world.schema == "key":  # what was there before under the same key is the row
        arrived = Counter({row: world.rows()[row] for row in world.source_rows})
    missing = sorted(row for row in world.source_rows if arrived[row] < 1)
    doubled = sorted(row for row, count in arrived.items() if count > 1)
    assert not missing, f"the run ended with 0, and rows of the source are missing: {missing}\n{told}"
    assert not doubled, f"the run ended with 0, and rows are there twice: {doubled}\n{told}"


@pytest.mark.parametrize(("backend", "schema"), [("local", "key"), ("tidb", "key"), ("tidb", "no key")])
def test_every_story_ends_well(backend: str, schema: str) -> None:
    kind = type("Story", (Story,), {"backend": backend, "schema": schema})
    run_state_machine_as_test(
        kind,
        settings=settings(
            max_examples=STORIES, stateful_step_count=STEPS, deadline=None, database=None, print_blob=False,
            suppress_health_check=list(HealthCheck), phases=(Phase.generate,),
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("backend", "schema", "story", "outcome"),
    [
        (
            "tidb",
            "no key",
            [("nothing", "default", Ending.KILL), ("somebody inserts a row", "remove", Ending.CLEAN)],
            "blocked",
        ),
        (
            "local",
            "key",
            [("nothing", "default", Ending.KILL), ("somebody inserts a row", "destroy", Ending.CLEAN)],
            "blocked",
        ),
        (
            "local",
            "key",
            [("nothing", "default", Ending.CHECKSUM_MISMATCH), ("somebody inserts a row", "destroy", Ending.CLEAN)],
            "blocked",
        ),
    ],
    ids=["rows sent twice", "a row of others before the resume", "a row of others after the failure"],
)
def test_stories_that_a_policy_must_not_bring_to_an_end(
    backend: str, schema: str, story: list[tuple[str, str, Ending]], outcome: str
) -> None:
    world = World(backend, schema)
    try:
        told = [tell(world, *step) for step in story]
    finally:
        world.close()
    assert told[-1].outcome == outcome, told[-1]
