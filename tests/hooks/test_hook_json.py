"""What a command hook may write, and what is refused."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_lightning.api import Action, Finding, Plan, Status, Step, TableName, Verdict
from safe_lightning.core.hook_json import (
    FINDINGS_MOST,
    VERDICT_BYTES_MOST,
    VerdictError,
    masked,
    read_verdict,
    verdict_to_json,
)

GOOD: dict[str, Any] = {"schema": 1, "status": "warn", "code": "disk-small", "message": "only 3 GiB left"}


def written(**changes: Any) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


def test_the_whole_contract_is_read() -> None:
    finding = {"code": "small", "message": "m", "table": "`a`.`b``c`", "data": {"left": 2**70}}
    verdict = read_verdict(written(findings=[finding], data={"n": [1, None]}))
    assert verdict == Verdict(
        Status.WARN,
        "disk-small",
        "only 3 GiB left",
        (Finding("small", "m", TableName("a", "b`c"), {"left": 2**70}),),
        None,
        {"n": [1, None]},
    )


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "is not JSON"),
        (b"hello", "is not JSON"),
        (b"\xff{}", "is not UTF-8 at byte 0"),
        (b"[1]", "the verdict: found list, an object is needed"),
        (b"null", "found NoneType"),
        (b'{"schema": 1, "schema": 1}', "a key of the verdict is given twice"),
        (b'{"schema": NaN}', "NaN is not JSON"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"schema": ' + b"9" * 5000 + b"}", "is not JSON that can be read"),
        (b" " * (VERDICT_BYTES_MOST + 1), "is larger than"),
        (written(schema=2), "schema: found 2, known is 1"),
        (written(schema=True), "schema: found True"),
        (written(status="fine"), "status: found 'fine', allowed are pass, warn, block, error"),
        (written(status=1), "status: a text is needed"),
        (written(code="Disk Small"), "code: found 'Disk Small'"),
        (written(code=""), "code: a text is needed"),
        (written(message=" "), "message: a text is needed"),
        (written(message="x" * 5000), "message: longer than 4000 characters"),
        (written(plan={"steps": []}), "the verdict: 'plan' is not known"),
        (written(findings={}), "findings: found dict, a list is needed"),
        (written(findings=[{"code": "a"}]), "findings[0]: 'message' is missing"),
        (written(findings=[{"code": "a", "message": "m", "table": "a.b"}]), "findings[0].table: not a back-quoted"),
        (written(findings=[{"code": "a", "message": "m"}] * (FINDINGS_MOST + 1)), "at most 1000 are read"),
        (written(data=[1]), "data: found list"),
        (written(message="\ud800"), "holds half a character"),
        (written(data={"\udfff": 1}), "holds half a character"),
        (written(data={"n": "N"}).replace(b'"N"', b"1e999"), "a number that is too large"),
        (written(data={"n": "N"}).replace(b'"N"', b"[" * 40 + b"]" * 40), "nested too deeply"),
    ],
)
def test_what_is_not_understood_is_refused_with_the_key(data: bytes, complaint: str) -> None:
    with pytest.raises(VerdictError) as raised:
        read_verdict(data)
    assert complaint in str(raised.value)


def read_or_refuse(data: bytes) -> None:
    """Fail on any other exception than the one that the contract names."""
    with suppress(VerdictError):
        assert isinstance(read_verdict(data), Verdict)


@given(
    st.binary(max_size=200)
    | st.text().map(lambda text: written(message=text))
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*GOOD, "findings", "data", "x"]), inner)
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_any_bytes_are_a_verdict_or_refused(data: bytes) -> None:
    read_or_refuse(data)


@given(st.data())
def test_any_mutation_of_a_good_verdict_is_a_verdict_or_refused(data: st.DataObject) -> None:
    whole = bytearray(written(findings=[{"code": "a", "message": "m", "table": "`a`.`b`"}], data={"k": [1, {}]}))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    read_or_refuse(bytes(whole))


def test_what_is_kept_in_the_record_reads_back_as_the_same_verdict() -> None:
    verdict = Verdict(
        Status.BLOCK, "bad", "it is", (Finding("x", "y", TableName("a", "b"), {"n": 1}),), None, {"k": "v"}
    )
    kept = verdict_to_json(verdict)
    assert kept.pop("plan") is None
    assert read_verdict(json.dumps(kept).encode()) == verdict


def test_a_plan_is_kept_step_by_step() -> None:
    plan = Plan((Step(Action.DESTROY, TableName("a", "b"), "why"),), "reason", then_retry=True, max_attempts=2)
    assert verdict_to_json(Verdict(Status.WARN, "x", "y", plan=plan))["plan"] == {
        "reason": "reason",
        "then_retry": True,
        "max_attempts": 2,
        "steps": [{"action": "destroy", "table": "`a`.`b`", "reason": "why"}],
    }


def test_masking_reaches_every_text_and_nothing_else() -> None:
    value = {"secret": ["secret", {"k": ("secret", 7, None, True)}]}
    assert masked(value, lambda text: "***") == {"secret": ["***", {"k": ["***", 7, None, True]}]}
