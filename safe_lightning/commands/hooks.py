"""``hooks``: which hooks the policy names, in which order, and what each of them is."""

from __future__ import annotations

import inspect
import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from safe_lightning.commands.found_policy import policy_of
from safe_lightning.commands.output import fail, show_bytes
from safe_lightning.core.exitcodes import ExitCode
from safe_lightning.core.redact import redact
from safe_lightning.hooking import HookLoadError, LoadedHook, PythonHook, load_hooks
from safe_lightning.policy.model import HookRule

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)

AsJson = Annotated[bool, typer.Option("--json", help="Print the machine-readable form.")]
Flags = Annotated[
    list[str] | None,
    typer.Argument(metavar="-- LIGHTNING-FLAGS", help="An import's flags: a policy beside its config file is found."),
]


@app.command("list")
def list_hooks(arguments: Flags = None, as_json: AsJson = False) -> None:
    """List the configured hooks in the order in which they run."""
    entries = [_entry(rule) for rule in _rules(arguments)]
    if as_json:
        show_bytes(json.dumps(entries, ensure_ascii=False))
        return
    if not entries:
        print("The policy names no hooks.")
    for entry in entries:
        note = f"  cannot be loaded: {entry['error']}" if entry["error"] else ""
        print(f"{entry['stage']:<12} {entry['name']:<20} {entry['origin'] or ''}{note}")


@app.command("show")
def show_hook(
    name: Annotated[str, typer.Argument(help="A name as `hooks list` shows it.")],
    arguments: Flags = None,
    as_json: AsJson = False,
) -> None:
    """Show one hook: where it comes from, when it runs, and what it says of itself."""
    all_rules = _rules(arguments)
    rules = [rule for rule in all_rules if _entry(rule)["name"] == name]
    if not rules:
        names = ", ".join(dict.fromkeys(_entry(rule)["name"] for rule in all_rules)) or "none"
        fail(f"the policy names no hook {name!r}; it names {names}", ExitCode.USAGE)
    shown = [_details(rule) for rule in rules]
    if as_json:
        show_bytes(json.dumps(shown, ensure_ascii=False))
        return
    print("\n\n".join(_text(details) for details in shown))


def _rules(arguments: list[str] | None) -> tuple[HookRule, ...]:
    from safe_lightning.lightning.task import resolve_task

    return policy_of(resolve_task(arguments, Path.cwd(), os.environ).config_file if arguments else None).hooks


def _loaded(rule: HookRule) -> tuple[LoadedHook | None, str | None]:
    try:
        return load_hooks([rule])[0], None
    except HookLoadError as error:
        return None, str(error)


def _entry(rule: HookRule) -> dict[str, Any]:
    hook, error = _loaded(rule)
    return {
        "name": hook.name if hook else rule.name or rule.use,
        "stage": rule.stage,
        "kind": "command" if rule.run else "python",
        "origin": redact(hook.origin) if hook else None,
        "error": error,
    }


def _details(rule: HookRule) -> dict[str, Any]:
    hook, _ = _loaded(rule)
    return {
        **_entry(rule),
        "when": list(rule.when),
        "timeout_seconds": rule.timeout,
        "on_error": ("abort" if hook.aborts_on_error else "warn") if hook else rule.on_error or None,
        "description": _description(hook),
    }


def _description(hook: LoadedHook | None) -> str | None:
    return inspect.getdoc(hook.judge.call) if hook and isinstance(hook.judge, PythonHook) else None


def _text(details: dict[str, Any]) -> str:
    lines = [
        f"{details['name']} ({details['stage']})",
        f"  runs:      {details['origin'] or details['error']}",
        f"  when:      {', '.join(details['when']) or 'always'}",
        f"  time-out:  {details['timeout_seconds']:g} s",
        f"  on error:  {details['on_error'] or 'default'}",
    ]
    words = (details["description"] or "").splitlines()
    return "\n".join([*lines, *(f"  {line}".rstrip() for line in ("", *words) if words)])
