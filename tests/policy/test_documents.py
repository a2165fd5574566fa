"""The example, the documentation and the screens that are made from the model stay true to it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from safe_lightning.policy.keys import keys_of, single_names
from safe_lightning.policy.listing import key_tables
from safe_lightning.policy.load import LoadedPolicy, load_policy
from safe_lightning.policy.model import DROP_PHRASE, HookRule, OverrideRule, Policy, RemedyRule
from safe_lightning.policy.writing import write_example

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "config.example.toml"
DOCS = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")

#: Writes both files anew after a change of the model.
REGENERATE = "run: safe-lightning config generate > config.example.toml; the tables come from listing.key_tables()"


def with_examples(text: str) -> str:
    """Remove the sign from the lines that are examples, as the file's head explains it."""
    return re.sub(r"^#(?=[^ ])", "", text, flags=re.MULTILINE)


def test_the_example_is_what_generate_prints() -> None:
    assert EXAMPLE.read_text(encoding="utf-8") == write_example(), REGENERATE


def test_the_example_loads_as_the_defaults() -> None:
    assert load_policy(EXAMPLE, {}).policy == Policy()


def test_the_example_sets_every_key() -> None:
    origins = load_policy(EXAMPLE, {}).origins
    assert {name for name in single_names() if origins[name] == "default"} == set()


def test_the_example_still_loads_with_its_examples_uncommented(policy_file: Path) -> None:
    policy_file.write_text(with_examples(EXAMPLE.read_text(encoding="utf-8")), encoding="utf-8")
    policy = load_policy(policy_file, {}).policy
    assert [bool(rule.run) for rule in policy.hooks] == [False, False, False, True, False]
    assert policy.hooks[:3] == Policy().hooks
    assert (len(policy.remedy), len(policy.override)) == (1, 1)


@pytest.mark.parametrize("rule", [RemedyRule, OverrideRule, HookRule], ids=lambda rule: rule.__name__)
def test_the_examples_show_every_key_of_an_entry(rule: type[object]) -> None:
    commented = re.findall(r"^#([a-z_]+) = ", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert {key.name for key in keys_of(rule)} <= set(commented)


def test_the_example_fits_a_terminal_of_120_columns() -> None:
    assert max(map(len, EXAMPLE.read_text(encoding="utf-8").splitlines())) <= 120


def test_the_documentation_holds_every_key() -> None:
    told = re.search(r"<!-- keys: begin .*?-->\n\n(.*)\n\n<!-- keys: end -->", DOCS, flags=re.DOTALL)
    assert told is not None
    assert told[1] == key_tables(), REGENERATE


DOCUMENTED = re.findall(r"```toml\n(schema = 1\n.*?)```", DOCS, flags=re.DOTALL)


@pytest.mark.parametrize("text", DOCUMENTED, ids=range(len(DOCUMENTED)))
def test_a_documented_policy_loads(load: Callable[..., LoadedPolicy], text: str) -> None:
    load(text.removeprefix("schema = 1\n"))


def test_the_documentation_names_the_phrase_and_the_policies() -> None:
    assert f'allow = ["{DROP_PHRASE}"]' in DOCS
    assert len(DOCUMENTED) == 4


def test_the_documented_errors_are_real(errors: Callable[..., list[str]], policy_file: Path) -> None:
    text = "\n\nstat_dir = 'x'\n\n\n[checkpoint.on]\n\nstale = 'destory'\n"
    found = errors(text, {"SAFE_LIGHTNING__LOCK__WAIT": "60"})
    said = [re.sub(r"state_dir, .*;", "state_dir, …;", line.replace(str(policy_file), "F")) for line in found]
    told = re.findall(r"^    (?:safe-lightning\.toml(:.*)|(environment .*))$", DOCS, flags=re.MULTILINE)
    assert said == [f"F{in_file}" if in_file else variable for in_file, variable in told]


DOCUMENTED_VARIABLES = re.findall(r"^    (SAFE_LIGHTNING__\w+)='?(.*?)'?$", DOCS, flags=re.MULTILINE)


def test_the_documented_variables_are_taken() -> None:
    assert len(DOCUMENTED_VARIABLES) == 5
    assert load_policy(None, dict(DOCUMENTED_VARIABLES)).policy.may_drop
