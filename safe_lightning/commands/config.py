"""``config``: validate, show and generate the policy file, and print its JSON Schema."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from safe_lightning.commands.output import fail, show_bytes
from safe_lightning.core.exitcodes import ExitCode
from safe_lightning.policy.problem import KeyPath, PolicyError, Problem, printable

if TYPE_CHECKING:
    from safe_lightning.policy.listing import Effective
    from safe_lightning.policy.load import LoadedPolicy

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)

_ALIGNED_COLUMNS_MOST = 48

AsJson = Annotated[bool, typer.Option("--json", help="Print the machine-readable form.")]


@app.command()
def validate(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="The policy file; by default the one that is found.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a policy file and the variables that overrule it.

    The variables are those of this environment that begin with SAFE_LIGHTNING__. Prints every error at once: file,
    line, key, what was found, what is allowed. Exit code 78 if there is one.
    """
    from safe_lightning.policy.load import find_policy, load_policy

    path = file or find_policy(os.environ, None)
    problems: tuple[Problem, ...] = ()
    try:
        load_policy(path, os.environ)
    except PolicyError as error:
        if not as_json:
            fail_with(error)
        problems = error.problems
    name = str(path) if path else None
    if as_json:
        show_bytes(json.dumps(_validation(name, problems), ensure_ascii=False))
        raise typer.Exit(int(ExitCode.POLICY if problems else ExitCode.OK))
    show_bytes(f"{printable(name)}: valid" if name else "no policy file was found: the defaults are in force")


def fail_with(error: PolicyError) -> NoReturn:
    """End a verb with every error of the policy, one a line."""
    count = len(error.problems)
    fail(f"the policy has {count} {'error' if count == 1 else 'errors'}\n{error}", ExitCode.POLICY)


def _validation(name: str | None, problems: tuple[Problem, ...]) -> dict[str, Any]:
    errors = [
        {"place": p.place.name, "line": p.place.line or None, "key": p.key or None, "message": p.text} for p in problems
    ]
    return {"schema": 1, "file": name, "valid": not errors, "errors": errors}


@app.command()
def show(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="-- LIGHTNING-FLAGS", help="An import's flags: finds the policy beside its config."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show every value in force and where it was set.

    The output is a policy file itself, the origins stand behind the values as comments.
    """
    from safe_lightning.policy.listing import effective_values

    loaded = _load(arguments or [])
    values = list(effective_values(loaded))
    name = str(loaded.path) if loaded.path else None
    if as_json:
        entries = [{"key": entry.key, "value": entry.value, "origin": entry.origin} for entry in values]
        show_bytes(json.dumps({"schema": 1, "file": name, "values": entries}, ensure_ascii=False))
        return
    show_bytes("\n".join([f"# {printable(name) if name else 'no policy file was found'}", *to_toml(values)]))


def _load(arguments: list[str]) -> LoadedPolicy:
    from safe_lightning.lightning.task import resolve_task
    from safe_lightning.policy.load import find_policy, load_policy

    task_config = resolve_task(arguments, Path.cwd(), os.environ).config_file if arguments else None
    try:
        return load_policy(find_policy(os.environ, task_config), os.environ)
    except PolicyError as error:
        fail_with(error)


def to_toml(values: list[Effective]) -> Iterator[str]:
    """Write the values as TOML with their origins as comments, single keys first and the lists of tables behind."""
    from safe_lightning.policy.writing import toml_value

    for holder, entries in groupby(values, key=_list_entry):
        if holder:
            yield from ("", f"[[{holder[0]}]]")
        lines = [(f"{entry.path[-1] if holder else entry.key} = {toml_value(entry.value)}", entry) for entry in entries]
        width = max((len(line) for line, _ in lines if len(line) <= _ALIGNED_COLUMNS_MOST), default=0)
        yield from (f"{line:<{width}}  # {entry.origin}" for line, entry in lines)


def _list_entry(value: Effective) -> KeyPath:
    """Name the entry of a list of tables that a key belongs to; () for a key that stands alone."""
    return value.path[:2] if len(value.path) > 1 and isinstance(value.path[1], int) else ()


@app.command()
def generate() -> None:
    """Print a policy file that explains every key."""
    from safe_lightning.policy.writing import write_example

    show_bytes(write_example().removesuffix("\n"))


@app.command()
def schema() -> None:
    """Print the JSON Schema of the policy file.

    Editors complete, explain and check the file with it.
    """
    from safe_lightning.policy.json_schema import policy_schema

    show_bytes(json.dumps(policy_schema(), indent=2, ensure_ascii=False))
