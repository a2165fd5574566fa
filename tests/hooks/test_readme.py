"""hooks/README.md says what the code does."""

from __future__ import annotations

import json
import re
import textwrap
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import safe_lightning.api as api
from safe_lightning.api import Comparison, Context, Outcome, Stage, Status, TableName, TableResult, Totals, Verdict
from safe_lightning.command_hook import TRY_LATER, describe, variables
from safe_lightning.core.hook_json import FINDINGS_MOST, VERDICT_BYTES_MOST, read_verdict
from safe_lightning.hooking import ENTRY_POINT_GROUP
from safe_lightning.policy.model import DEFAULT_HOOKS, HookRule

HOOKS = Path(__file__).resolve().parents[2] / "hooks"
TEXT = (HOOKS / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def first_cells(heading: str) -> list[str]:
    """Read the first column of the table whose head begins with this cell."""
    rows = TEXT.split(f"| {heading} |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [row.split("|")[1].strip() for row in rows]


CONTEXT, VERDICT = blocks("json")


def test_the_variables_are_those_that_an_executable_gets(context: Callable[..., Context]) -> None:
    told = variables(context(), "h", Path("q"), Path("a"))
    assert first_cells("variable") == [f"`{name}`" for name in told]


def test_the_exit_codes_are_those_that_are_understood() -> None:
    assert first_cells("exit code")[:3] == ["0", "1", str(TRY_LATER)]


def test_the_statuses_are_all_that_there_are() -> None:
    assert first_cells("status") == [f"`{status}`" for status in Status]


def test_the_written_verdict_is_understood() -> None:
    verdict = read_verdict(VERDICT.encode())
    assert (verdict.status, verdict.code, len(verdict.findings)) == (Status.WARN, "disk-small", 1)
    assert verdict.findings[0].table == TableName("shop", "orders")


def test_the_bounds_of_a_verdict_are_stated() -> None:
    assert VERDICT_BYTES_MOST == 1 << 20
    assert f"at most 1 MiB with at most {FINDINGS_MOST:,} findings" in TEXT


def shape(value: Any) -> Any:
    """Reduce JSON to its keys, in order; lists to what their first item looks like."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else None


def test_the_context_has_exactly_these_keys(
    context: Callable[..., Context], report: Callable[..., Any], tmp_path: Path
) -> None:
    totals = Comparison(Totals(1, 2, 3), Totals(4, 5, 6))
    tables = (TableResult(TableName("a", "b"), "checksum-mismatch", totals),)
    end = report(Outcome.CHECKSUM_MISMATCH, tables=tables)
    told = describe(context(stage=Stage.POST_IMPORT, report=end, run_dir=tmp_path), "h")
    shown = json.loads(CONTEXT)
    assert json.dumps(shape({**told, "argv": [], "task": {**told["task"], "filter": []}})) == json.dumps(
        shape({**shown, "argv": [], "task": {**shown["task"], "filter": []}})
    )
    assert shown["schema"] == told["schema"]


def test_the_policy_example_holds_only_keys_and_words_of_the_policy() -> None:
    entries = tomllib.loads(blocks("toml")[0])["hooks"]
    rules = [HookRule(**{key: tuple(v) if isinstance(v, list) else v for key, v in e.items()}) for e in entries]
    assert [rule.stage for rule in rules] == ["pre-import", "pre-import", "post-import"]
    assert {word for rule in rules for word in rule.when} <= set(Outcome)


def test_the_defaults_are_those_of_the_policy() -> None:
    assert [(rule.use, rule.stage) for rule in DEFAULT_HOOKS] == [
        ("checkpoint", "pre-import"),
        ("conflicts", "pre-import"),
        ("checksum", "post-import"),
    ]
    assert HookRule().timeout == 600
    assert "default: 10m" in TEXT


def test_the_python_example_runs_and_uses_only_the_api(context: Callable[..., Context]) -> None:
    space: dict[str, Any] = {}
    exec(blocks("python")[0], space)

    class EmptyTarget:
        def __enter__(self) -> EmptyTarget:
            return self

        def __exit__(self, *_: object) -> None:
            return

        def tables(self) -> tuple[TableName, ...]:
            return ()

    class EmptyCluster:
        def target(self) -> EmptyTarget:
            return EmptyTarget()

    verdict = space["look"](context(services=EmptyCluster()))
    assert isinstance(verdict, Verdict)
    assert verdict.code == "empty-cluster"
    assert f"`{ENTRY_POINT_GROUP}`" in TEXT


def test_every_example_is_listed_and_every_listed_one_is_there() -> None:
    listed = {
        name.rstrip("/") for name in re.findall(r"^\| `([\w./-]+)` \|", TEXT.split("## Examples")[1], re.MULTILINE)
    }
    assert listed == {path.name for path in (HOOKS / "examples").iterdir() if path.name != "__pycache__"}


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", TEXT))
def test_a_link_leads_somewhere(link: str) -> None:
    assert (HOOKS / link).exists()


def test_the_api_names_everything_it_offers() -> None:
    assert all(hasattr(api, name) for name in api.__all__)


def test_the_page_stays_one_page() -> None:
    lines = [part for line in TEXT.splitlines() for part in textwrap.wrap(line, 130) or [""]]
    assert len(lines) < 240
