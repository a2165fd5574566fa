"""docs/outcomes.md carries the tables as the code has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from safe_lightning.report.summary import exit_code_table, outcome_table

DOC = Path(__file__).resolve().parents[2] / "docs" / "outcomes.md"


@pytest.mark.parametrize(("name", "table"), [("outcomes", outcome_table()), ("exit codes", exit_code_table())])
def test_the_table_is_the_generated_one(name: str, table: str) -> None:
    _, _, rest = DOC.read_text().partition(f"<!-- {name}: generated -->\n")
    written, closing, _ = rest.partition(f"\n<!-- /{name} -->")
    assert closing, f"the marks of {name} are gone"
    assert written == table
