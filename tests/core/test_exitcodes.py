"""Which exit code a run ends with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_lightning.core.exitcodes import OUTCOME_CODES, ExitCode, exit_code
from safe_lightning.core.outcome import Outcome

FINE = {Outcome.SUCCEEDED, Outcome.SUCCEEDED_WITH_CONFLICTS, Outcome.VERSION_INFO}


@pytest.mark.parametrize(
    ("outcome", "child", "signal", "code"),
    [
        ("succeeded", 0, None, 0),
        ("succeeded", None, 13, 0),  # a reader left at the last line of a complete import
        ("succeeded-with-conflicts", 0, None, 0),
        ("version-info", 0, None, 0),
        ("version-info", 2, None, 2),
        ("nothing-imported", 0, None, 82),
        ("canceled", 0, None, 81),
        ("canceled", 1, None, 1),
        ("canceled", None, None, 81),  # stopped before there was a child
        ("checksum-mismatch", 0, None, 85),
        ("checksum-mismatch", 1, None, 1),
        ("checksum-incomplete", 0, None, 87),
        ("damaged", 0, None, 86),
        ("leftover-checkpoint", 1, None, 1),
        ("precheck-failed", 1, None, 1),
        ("data-error", 1, None, 1),
        ("config-error", 2, None, 2),
        ("environment-error", 0, None, 91),  # the status port was taken
        ("environment-error", 1, None, 1),
        ("hung", None, 9, 83),
        ("hung", 0, None, 83),
        ("killed", None, 9, 137),
        ("killed", None, 15, 143),
        ("crashed", 2, None, 2),
        ("crashed", None, 11, 139),
        ("unknown", 0, None, 84),
        ("unknown", 7, None, 7),
    ],
)
def test_the_code_by_default(outcome: str, child: int | None, signal: int | None, code: int) -> None:
    assert exit_code(Outcome(outcome), child, signal) == code


@pytest.mark.parametrize("outcome", list(Outcome))
def test_each_outcome_has_a_code_of_its_own_on_request(outcome: Outcome) -> None:
    assert exit_code(outcome, 1, None, by_outcome=True) == OUTCOME_CODES[outcome]
    shared = [other for other in Outcome if OUTCOME_CODES[other] == OUTCOME_CODES[outcome]]
    assert shared == [outcome] or set(shared) == {Outcome.SUCCEEDED, Outcome.VERSION_INFO}


@pytest.mark.parametrize(
    ("outcome", "child", "signal", "code"),
    [
        ("nothing-imported", 0, None, 0),
        ("nothing-imported", 3, None, 3),
        ("nothing-imported", None, 9, 137),
        ("unknown", 0, None, 84),
        ("canceled", 0, None, 81),
        ("damaged", 0, None, 86),
    ],
)
def test_allowing_nothing_allows_nothing_else(outcome: str, child: int | None, signal: int | None, code: int) -> None:
    assert exit_code(Outcome(outcome), child, signal, allow_nothing=True) == code


@given(
    outcome=st.sampled_from(Outcome),
    child=st.none() | st.integers(0, 255),
    signal=st.none() | st.integers(1, 64),
    by_outcome=st.booleans(),
    allow_nothing=st.booleans(),
)
def test_zero_is_for_proven_success_alone(
    outcome: Outcome, child: int | None, signal: int | None, by_outcome: bool, allow_nothing: bool
) -> None:
    code = exit_code(outcome, child, signal, by_outcome=by_outcome, allow_nothing=allow_nothing)
    assert 0 <= code <= 255
    if code == 0:
        assert outcome in FINE or (allow_nothing and outcome is Outcome.NOTHING_IMPORTED)
        assert by_outcome or not child


def test_every_code_is_a_byte_with_a_meaning() -> None:
    assert all(0 <= code <= 255 and code.meaning for code in ExitCode)
    assert set(OUTCOME_CODES) == set(Outcome)
