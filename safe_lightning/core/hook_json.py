"""What command hooks read and write: the context and the verdict as versioned JSON (schema 1), both ways.

Integers stay exact, unknown is null, and what a hook writes is read strictly and within bounds: a verdict
that cannot be understood is a broken hook and never a pass.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import Action, Finding, ImportReport, Plan, Status, Step, Verdict

SCHEMA = 1
VERDICT_BYTES_MOST = 1 << 20
FINDINGS_MOST = 1000
_CODE_CHARACTERS_MOST = 80
_MESSAGE_CHARACTERS_MOST = 4000
_DEPTH_MOST = 32
_CODE = re.compile(rf"[a-z0-9](?:[a-z0-9-]{{0,{_CODE_CHARACTERS_MOST - 1}}})")


class VerdictError(ValueError):
    """A written verdict breaks the contract; the sentence names the key."""


def verdict_to_json(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as it is kept in the record and shown by --json."""
    return {
        "schema": SCHEMA,
        "status": str(verdict.status),
        "code": verdict.code,
        "message": verdict.message,
        "findings": [_finding_to_json(finding) for finding in verdict.findings],
        "plan": plan_to_json(verdict.plan) if verdict.plan else None,
        "data": dict(verdict.data),
    }


def complain_about(answer: object) -> str:
    """Say what is wrong with the answer of a Python hook; "" if nothing is.

    A status or an action that is a mere text would slip past every comparison with the real ones, the safety
    laws' among them, and what is no JSON could not be kept.
    """
    if not isinstance(answer, Verdict):
        return f"answered with {type(answer).__name__} instead of a Verdict"
    if not isinstance(answer.status, Status):
        return f"answered with the status {answer.status!r} instead of a Status"
    if answer.plan and not all(
        isinstance(s.action, Action) and isinstance(s.table, TableName) for s in answer.plan.steps
    ):
        return "answered with a plan whose steps are not of an Action and a TableName"
    try:
        _accept(json.loads(json.dumps(verdict_to_json(answer))))
    except (AttributeError, TypeError, ValueError, RecursionError) as error:
        return f"answered with a verdict that JSON cannot carry: {error}"
    return ""


def _finding_to_json(finding: Finding) -> dict[str, Any]:
    table = str(finding.table) if finding.table else None
    return {"code": finding.code, "message": finding.message, "table": table, "data": dict(finding.data)}


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """Return a plan as it is kept in the record and shown by --json."""
    return {
        "reason": plan.reason,
        "steps": [_step_to_json(step) for step in plan.steps],
        "then_retry": plan.then_retry,
        "max_attempts": plan.max_attempts,
    }


def _step_to_json(step: Step) -> dict[str, str]:
    told = {"action": str(step.action), "table": str(step.table), "reason": step.reason}
    return told if step.into is None else {**told, "into": str(step.into)}


def report_to_json(report: ImportReport) -> dict[str, Any]:
    """Return how the child ended, as command hooks get it."""
    return {
        "outcome": str(report.outcome),
        "reason": report.reason,
        "child_exit_code": report.child_exit_code,
        "child_signal": report.child_signal,
        "version": report.version,
        "root_error": report.root_error,
        "evidence": list(report.evidence),
        "resumed_tables": [str(table) for table in report.resumed_tables],
        "duplicate_keys_skipped": report.duplicate_keys_skipped,
        "checksum_incomplete": report.checksum_incomplete,
        "tables": [
            {
                "table": str(t.table) if t.table else None,
                "status": t.status,
                "checksum": t.checksum.to_json() if t.checksum else None,
                "error": t.error,
            }
            for t in report.tables
        ],
    }


def masked(value: object, mask: Callable[[str], str]) -> object:
    """Apply a masking function to every string in a JSON value, keys left as they are."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Mapping):
        return {key: masked(item, mask) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item, mask) for item in value]
    return value


def read_verdict(data: bytes) -> Verdict:
    """Read what a command hook wrote.

    Required are ``schema`` (1), ``status``, ``code`` and ``message``; optional ``findings`` and ``data``.
    Anything else (unknown or repeated keys, a plan, wrong types, too long texts, other encodings than
    UTF-8) raises VerdictError: half-understood is not understood.
    """
    if len(data) > VERDICT_BYTES_MOST:
        raise VerdictError(f"the verdict is larger than {VERDICT_BYTES_MOST} bytes")
    value = _parse(data)
    _accept(value)
    document = _object(
        value, "the verdict", required=("schema", "status", "code", "message"), optional=("findings", "data")
    )
    if document["schema"] != SCHEMA or isinstance(document["schema"], bool):
        raise VerdictError(f"schema: found {document['schema']!r}, known is {SCHEMA}")
    return Verdict(
        status=_status(document["status"]),
        code=_code(document["code"], "code"),
        message=_text(document["message"], "message"),
        findings=_findings(document.get("findings", [])),
        data=_object(document.get("data", {}), "data", optional=None),
    )


def _parse(data: bytes) -> object:
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_unrepeated, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise VerdictError(f"the verdict is not UTF-8 at byte {error.start}") from error
    except RecursionError as error:
        raise VerdictError("the verdict is nested too deeply") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise VerdictError(f"the verdict is not JSON: {error.msg} at {place}") from error
    except VerdictError:
        raise
    except ValueError as error:  # an integer of more than 4300 digits
        raise VerdictError(f"the verdict is not JSON that can be read: {error}") from error


def _accept(value: object, depth: int = 0) -> None:
    """Refuse what could not be written again: deep nesting, half a surrogate pair, a number beyond all bounds."""
    if depth > _DEPTH_MOST:
        raise VerdictError("the verdict is nested too deeply")
    if isinstance(value, str) and not value.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in value):
        raise VerdictError(f"the verdict holds half a character: {value[:_CODE_CHARACTERS_MOST]!r}")
    if isinstance(value, float) and not math.isfinite(value):
        raise VerdictError("the verdict holds a number that is too large")
    for part in (
        (*value.keys(), *value.values()) if isinstance(value, dict) else value if isinstance(value, list) else ()
    ):
        _accept(part, depth + 1)


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise VerdictError("a key of the verdict is given twice")
    return result


def _no_constant(name: str) -> object:
    raise VerdictError(f"{name} is not JSON")


def _object(
    value: object, where: str, required: tuple[str, ...] = (), optional: tuple[str, ...] | None = ()
) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise VerdictError(f"{where}: found {type(value).__name__}, an object is needed")
    missing = [key for key in required if key not in value]
    unknown = [] if optional is None else [key for key in value if key not in (*required, *optional)]
    if missing or unknown:
        complaint = f"{missing[0]!r} is missing" if missing else f"{unknown[0]!r} is not known"
        raise VerdictError(f"{where}: {complaint}")
    return value


def _status(value: object) -> Status:
    try:
        return Status(_text(value, "status"))
    except VerdictError:
        raise
    except ValueError as error:
        raise VerdictError(f"status: found {value!r}, allowed are {', '.join(Status)}") from error


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise VerdictError(f"{where}: a text is needed")
    if len(value) > _MESSAGE_CHARACTERS_MOST:
        raise VerdictError(f"{where}: longer than {_MESSAGE_CHARACTERS_MOST} characters")
    return value


def _code(value: object, where: str) -> str:
    text = _text(value, where)
    if not _CODE.fullmatch(text):
        raise VerdictError(f"{where}: found {text[:_CODE_CHARACTERS_MOST]!r}, needed are lower-case words joined by -")
    return text


def _findings(value: object) -> tuple[Finding, ...]:
    if not isinstance(value, list):
        raise VerdictError(f"findings: found {type(value).__name__}, a list is needed")
    if len(value) > FINDINGS_MOST:
        raise VerdictError(f"findings: {len(value)} of them, at most {FINDINGS_MOST} are read")
    return tuple(_finding(item, f"findings[{index}]") for index, item in enumerate(value))


def _finding(value: object, where: str) -> Finding:
    item = _object(value, where, required=("code", "message"), optional=("table", "data"))
    return Finding(
        code=_code(item["code"], f"{where}.code"),
        message=_text(item["message"], f"{where}.message"),
        table=_table(item.get("table"), f"{where}.table"),
        data=_object(item.get("data", {}), f"{where}.data", optional=None),
    )


def _table(value: object, where: str) -> TableName | None:
    if value is None:
        return None
    try:
        return TableName.parse(_text(value, where))
    except VerdictError:
        raise
    except ValueError as error:
        raise VerdictError(f"{where}: {error}") from error
