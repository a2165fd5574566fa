"""The shipped JSON Schemas describe what the verbs and hooks really say, and the documented examples."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from record_helpers import STARTED_AT, MakeRun
from recordings import recordings
from verb_helpers import Call

from safe_lightning.api import Context, ImportReport, Outcome, Policy, Stage, Task
from safe_lightning.command_hook import describe
from safe_lightning.commands import hooks as hooks_verb
from safe_lightning.commands.checkpoint import checkpoint
from safe_lightning.commands.explain import explain, to_json
from safe_lightning.commands.history import history
from safe_lightning.commands.report import report
from safe_lightning.core.hook_json import VerdictError, read_verdict
from safe_lightning.core.tables import Comparison, TableName, Totals
from safe_lightning.core.verdict import Action, TableResult
from safe_lightning.explaining import Piece, explain_files
from safe_lightning.record.result import AttemptEnd, HookEntry, RemedyEntry
from safe_lightning.services import EngineServices

NAMES = (
    "checkpoint", "clean", "explain", "history", "hook-context", "hook-verdict", "hooks", "quarantine", "result",
    "rewind", "scan", "verify",
)  # fmt: skip
DOCS = Path(__file__).resolve().parents[2] / "docs"
TABLE = TableName("app", "we`ird.name")


def schema(name: str) -> dict[str, Any]:
    loaded = json.loads((files("safe_lightning") / "schemas" / f"{name}.json").read_bytes())
    assert isinstance(loaded, dict)
    return loaded


def strict(node: Any) -> Any:
    """Allow no key that the schema does not name: users may be sent more one day, our own tests must notice it."""
    if isinstance(node, list):
        return [strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    closed = {key: strict(value) for key, value in node.items()}
    return {**closed, "additionalProperties": False} if "properties" in node else closed


def assert_valid(name: str, document: Any) -> None:
    errors = [f"{e.json_path}: {e.message}" for e in Draft202012Validator(strict(schema(name))).iter_errors(document)]
    assert errors == []


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_one(name: str) -> None:
    Draft202012Validator.check_schema(schema(name))
    assert schema(name)["$id"] == f"safe-lightning:{name}"


def test_no_schema_is_untested() -> None:
    found = sorted(path.name.removesuffix(".json") for path in (files("safe_lightning") / "schemas").iterdir())
    assert tuple(found) == NAMES


@pytest.mark.parametrize("name", ["history", "result", "explain", "hook-context"])
def test_a_schema_names_every_outcome(name: str) -> None:
    assert schema(name)["$defs"]["outcome"]["enum"] == [str(outcome) for outcome in Outcome]


@pytest.fixture
def rich_run(make_run: MakeRun) -> None:
    totals = Totals(2**64 - 1, 3, 2**70)
    make_run(
        "ab12",
        outcome=Outcome.CHECKSUM_MISMATCH,
        child_exit_code=1,
        tables=(
            TableResult(TABLE, "checksum-mismatch", Comparison(totals, Totals(None, 1, 2)), "error"),
            TableResult(None, "checksum-mismatch", Comparison(None, totals)),
            TableResult(TABLE, "unfinished"),
        ),
        hooks=(HookEntry("checksum", "post-import", "warn", "checksum-mismatch", "m", 2),),
        remedies=(RemedyEntry(TABLE, Action.DESTROY, "per policy", "done"),),
        previous_attempts=(AttemptEnd(Outcome.KILLED, "signal", None, 9),),
    )
    make_run("going", STARTED_AT + 1, outcome=None)


@pytest.mark.usefixtures("rich_run")
def test_history_is_valid(call: Call) -> None:
    entries = call(history, "--json").json
    assert len(entries) == 2
    assert_valid("history", entries)


@pytest.mark.usefixtures("rich_run")
@pytest.mark.parametrize("run", ["ab12", "going"])
def test_a_reported_result_is_valid(call: Call, run: str) -> None:
    assert_valid("result", call(report, run, "--json").json)


@pytest.mark.parametrize(
    "recording", [r for r in recordings() if r.bytes_of("lightning.log")][::5], ids=lambda r: r.name
)
def test_what_is_explained_is_valid(recording: Any) -> None:
    pieces = [Piece(str(recording.folder / name)) for name in ("lightning.log", "stdout", "stderr")]
    assert_valid("explain", json.loads(json.dumps(to_json(explain_files(pieces)))))


@pytest.mark.parametrize("kind", ["recorded", "missing", "unreadable"])
def test_a_checkpoint_is_valid(call: Call, tmp_path: Path, kind: str) -> None:
    [*_, stored] = [path for r in recordings() if (path := r.folder / "after" / "checkpoint.pb").is_file()]
    store = tmp_path / "cp.pb"
    if kind != "missing":
        store.write_bytes(stored.read_bytes() if kind == "recorded" else b"\xff" * 100)
    (tmp_path / "t.toml").write_text(
        '[tikv-importer]\nbackend = "tidb"\n[mydumper]\ndata-source-dir = "/nowhere"\n'
        f'[tidb]\nport = 1\nhost = "127.0.0.1"\nstatus-port = 1\n'
        f'[checkpoint]\nenable = true\ndriver = "file"\ndsn = "{store}"\n'
    )
    called = call(checkpoint, "--json", "--", "--config", tmp_path / "t.toml")
    assert called.stdout, called.stderr
    assert_valid("checkpoint", called.json)
    assert bool(called.json["tables"]) == (kind == "recorded")


def test_the_list_of_hooks_is_valid(call: Call, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(
        policy.read_text()
        + '[[hooks]]\nuse = "checkpoint"\n[[hooks]]\nuse = "no-such-hook"\n'
        + '[[hooks]]\nrun = ["/bin/true"]\nstage = "post-import"\n'
    )
    entries = call(hooks_verb.list_hooks, "--json").json
    assert [bool(entry["error"]) for entry in entries] == [False, True, False]
    assert_valid("hooks", entries)


REPORT = ImportReport(
    Outcome.CHECKSUM_MISMATCH, "why", 1, None, "v8.5.4",
    (TableResult(TABLE, "checksum-mismatch", Comparison(Totals(2**64 - 1, 1, 2), None), "e"),),
    "root", ("n",), (TABLE,), 2,
)  # fmt: skip


@pytest.mark.parametrize("told", [None, REPORT])
def test_what_a_command_hook_is_told_is_valid(tmp_path: Path, told: ImportReport | None) -> None:
    task = Task(argv=("-d", "/data"), cwd=tmp_path)
    stage = Stage.POST_IMPORT if told else Stage.PRE_IMPORT
    context = Context("r1", 1, stage, None, ("-d",), task, Policy(), EngineServices(task, Policy()), report=told)
    assert_valid("hook-context", json.loads(json.dumps(describe(context, "page"))))


GOOD = {"schema": 1, "status": "warn", "code": "disk-small", "message": "m"}
PLAIN: list[Any] = [
    1,
    2,
    True,
    "pass",
    "warn",
    "x",
    "",
    "X y",
    " ",
    "a" * 81,
    "a" * 80,
    "m" * 4001,
    None,
    [],
    {},
    {"k": 1},
]
FINDING = st.fixed_dictionaries(
    {"code": st.just("a")},
    optional={"message": st.just("m"), "table": st.sampled_from([None, "`a`.`b`", "a.b"]), "x": st.just(1)},
)
VALUES = st.sampled_from(PLAIN) | st.lists(FINDING, max_size=2)


@given(st.dictionaries(st.sampled_from([*GOOD, "findings", "data", "plan"]), VALUES), st.booleans())
def test_a_written_verdict_is_understood_exactly_where_its_schema_allows_it(
    parts: dict[str, Any], is_whole: bool
) -> None:
    document = {**GOOD, **parts} if is_whole else parts
    is_valid = Draft202012Validator(schema("hook-verdict")).is_valid(document)
    try:
        read_verdict(json.dumps(document).encode())
        is_read = True
    except VerdictError:
        is_read = False
    assert is_read == is_valid


def examples() -> list[tuple[str, Any]]:
    page = (DOCS / "machine-readable.md").read_text()
    found = re.findall(r"<!-- schema: ([\w-]+) -->\n```json\n(.*?)```", page, re.DOTALL)
    return [(name, json.loads(text)) for name, text in found]


def test_every_schema_has_a_documented_example_and_each_is_valid() -> None:
    assert sorted({name for name, _ in examples()}) == sorted(NAMES)
    for name, document in examples():
        assert_valid(name, document)


def test_the_documented_explanation_is_what_the_verb_says(call: Call, tmp_path: Path) -> None:
    page = (DOCS / "machine-readable.md").read_text()
    [line] = re.findall(r"^    (tidb lightning encountered error: .*)$", page, re.MULTILINE)
    (tmp_path / "stderr").write_text(f"{line}\n")
    [documented] = [document for name, document in examples() if name == "explain"]
    assert call(explain, "--json", tmp_path / "stderr").json == documented
