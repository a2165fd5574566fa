"""docs/causes.md tells what the code does: its tables are made from the same data."""

from __future__ import annotations

from pathlib import Path

import pytest

from safe_lightning.core.causes.catalogue import BY_NAME, cause_table, version_table
from safe_lightning.core.causes.names import CHOICES

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "causes.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "table"), [("causes", cause_table()), ("versions", version_table())])
def test_the_tables_are_those_of_the_code(name: str, table: str) -> None:
    shown = PAGE.partition(f"<!-- {name} -->\n")[2].partition(f"<!-- /{name} -->")[0]
    assert shown.strip() == table, "the tables come from catalogue.cause_table() and version_table()"


def test_a_policy_can_name_every_cause_and_no_other() -> None:
    assert set(CHOICES) == {"any", *BY_NAME}
