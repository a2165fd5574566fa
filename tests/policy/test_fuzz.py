"""Whatever stands in a policy file or a variable: a policy or a PolicyError, and nothing else."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from safe_lightning.policy.environment import variables
from safe_lightning.policy.listing import effective_values
from safe_lightning.policy.load import LoadedPolicy, PolicyError, load_policy
from safe_lightning.policy.model import Policy
from safe_lightning.policy.writing import toml_value, write_example

EXAMPLE = write_example().encode()
UNCOMMENTED = b"\n".join(line if line[:2] == b"# " else line.removeprefix(b"#") for line in EXAMPLE.split(b"\n"))


def load(data: bytes, environ: Mapping[str, str]) -> LoadedPolicy | None:
    """Load, and look at whatever comes of it: each error is one line that can be printed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "policy.toml"
        path.write_bytes(data)
        return check(path, environ)


def check(path: Path | None, environ: Mapping[str, str]) -> LoadedPolicy | None:
    try:
        loaded = load_policy(path, environ)
    except PolicyError as error:
        check_text(str(error), len(error.problems))
        return None
    assert all(toml_value(entry.value) and entry.origin for entry in effective_values(loaded))
    assert loaded.policy.may_drop or "destroy" not in answers(loaded.policy)
    return loaded


def answers(policy: Policy) -> set[object]:
    """Collect every word that could ask for a drop."""
    overrides = [word for rule in policy.override for word in rule.checkpoint.values()]
    return {*vars(policy.checkpoint.on).values(), *(rule.action for rule in policy.remedy), *overrides}


def check_text(text: str, count: int) -> None:
    lines = text.split("\n")
    assert len(lines) == min(count, 201)
    assert all(line.isprintable() and line for line in lines)


@given(st.binary(max_size=300))
@example(b"schema = 1\nx." + b"a." * 500 + b"b = 1")
@example(b"schema = 1\nallow = [1e999, nan, 1979-05-27, 0x" + b"f" * 8000 + b"]")
@example(b"schema = 1\n[[hooks]]\nrun = [[]]\nuse = {}\n[[override]]\ncheckpoint = [{}]\ntables = [[], {}]")
@example(b"schema = 1\n[checkpoint.on]\nstale.x = 1\n[log.level]\n[hooks.x]")
@example(b'schema = 1\n"\\u0000\\n" = "\\u0000\\uFFFF"')
def test_any_bytes_as_a_file(data: bytes) -> None:
    load(data, {})
    load(b"schema = 1\n" + data, {})


@given(st.sampled_from([EXAMPLE, UNCOMMENTED]), st.integers(0, 1 << 14), st.integers(0, 40), st.binary(max_size=12))
def test_an_example_with_some_bytes_replaced(text: bytes, at: int, length: int, put: bytes) -> None:
    at %= len(text)
    load(text[:at] + put + text[at + length :], {})


@given(st.sampled_from([EXAMPLE, UNCOMMENTED]), st.data())
def test_an_example_with_lines_moved_about(text: bytes, data: st.DataObject) -> None:
    lines = text.split(b"\n")
    for _ in range(data.draw(st.integers(1, 4))):
        source, target = (data.draw(st.integers(0, len(lines) - 1)) for _ in range(2))
        lines.insert(target, lines[source])
        del lines[data.draw(st.integers(0, len(lines) - 1))]
    load(b"\n".join(lines), {})


VALUES = st.recursive(
    st.sampled_from(
        ["1", "-1", "true", '"destroy"', '"5s"', '"5%"', '"1GiB"', '"*.*"', "1.5", "nan", "00:00:00", '""']
    ),
    lambda inner: (
        st.lists(inner, max_size=2).map(lambda items: f"[{','.join(items)}]")
        | inner.map(lambda value: f"{{stale={value}}}")
    ),
    max_leaves=4,
)
NAMES = st.sampled_from(
    [".".join(map(str, path)) for path, _ in variables().values()] + ["remedy", "override", "hooks"]
)


@given(st.dictionaries(NAMES, VALUES, max_size=5))
def test_any_kind_of_value_at_any_key(values: dict[str, str]) -> None:
    load(("schema = 1\n" + "\n".join(f"{name} = {value}" for name, value in values.items())).encode(), {})


RULE_NAMES = st.sampled_from(
    ["cause", "tables", "action", "then", "use", "run", "when", "stage", "name", "checkpoint", "timeout"]
)


@given(st.sampled_from(["remedy", "override", "hooks"]), st.dictionaries(RULE_NAMES, VALUES, max_size=4))
def test_any_kind_of_value_in_an_entry(name: str, values: dict[str, str]) -> None:
    lines = ["schema = 1", f"[[{name}]]", *(f"{key} = {value}" for key, value in values.items())]
    load("\n".join(lines).encode(), {})


#: What an environment can hold: no NUL, any byte otherwise.
TEXTS = st.binary(max_size=40).map(lambda data: os.fsdecode(data.replace(b"\0", b"")))
VARIABLES = st.sampled_from(sorted(variables())) | TEXTS.map(lambda text: f"SAFE_LIGHTNING__{text}")


@given(st.dictionaries(VARIABLES, TEXTS | VALUES, max_size=4))
def test_any_variables(environ: dict[str, str]) -> None:
    loaded = check(None, environ)
    assert loaded is None or environ or loaded.policy == Policy()
    load(b"schema = 1\nlock = 3\n", environ)


@given(TEXTS, st.text(max_size=20))
def test_any_pattern_is_taken_or_refused(first: str, second: str) -> None:
    text = f"schema = 1\n[[remedy]]\ntables = [{toml_value(second)}, '''{first}''']"
    load(text.encode("utf-8", "surrogateescape"), {})


@given(st.text(max_size=40))
def test_any_name_of_a_file(name: str) -> None:
    check(Path("/nowhere") / name, {})
