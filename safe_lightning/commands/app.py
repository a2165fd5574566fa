"""The Typer application over all verbs; each verb lives in a module of its own, loaded when it is called."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from safe_lightning import __version__
from safe_lightning.commands import (
    check,
    checkpoint,
    clean,
    completion,
    config,
    demo,
    explain,
    history,
    hooks,
    quarantine,
    rehearse,
    report,
    rewind,
    scan,
    verify,
)
from safe_lightning.core.exitcodes import ExitCode

#: Click's own error of usage, which Typer does not export but derives this one from.
_UsageError: Any = typer.BadParameter.__mro__[1]

_HELP = """Run TiDB Lightning safely.

Without a verb every argument is Lightning's own:

    safe-lightning --config task.toml

looks before the import, runs the real tidb-lightning, and tells the truth about its end.
Verbs that concern an import take its arguments after "--":

    safe-lightning check -- --config task.toml -d /data
"""

app = typer.Typer(
    help=_HELP,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command()(check.check)
app.command()(checkpoint.checkpoint)
app.command()(clean.clean)
app.command()(completion.completion)
app.add_typer(config.app, name="config", help="Validate, show or generate the policy file.")
app.command()(demo.demo)
app.command()(explain.explain)
app.command()(history.history)
app.add_typer(hooks.app, name="hooks", help="List the configured hooks, or show one.")
app.add_typer(quarantine.app, name="quarantine", help="Tables set aside instead of dropped: list, restore, purge.")
app.command()(rehearse.rehearse)
app.command()(report.report)
app.command()(rewind.rewind)
app.command()(scan.scan)
app.command()(verify.verify)


@app.command()
def version() -> None:
    """Print the version of safe-lightning (`safe-lightning -V` asks tidb-lightning for its own)."""
    from safe_lightning.conflicts.kernel.choice import describe_kernel

    print(f"safe-lightning {__version__} (Python {sys.version.split()[0]})")
    print(f"key scan by {describe_kernel()}")


@app.command("help", hidden=True)
def show_help(context: typer.Context, verb: Annotated[str, typer.Argument()] = "") -> None:
    """Show this help, or that of one verb."""
    raise SystemExit(run([verb, "--help"] if verb else ["--help"]))


def run(arguments: list[str]) -> int:
    """Run one verb and return its exit code; wrong usage is 64. `checkpoint rewind` is another name of `rewind`."""
    if arguments[:2] == ["checkpoint", "rewind"]:
        arguments = arguments[1:]
    command = typer.main.get_command(app)
    try:
        result = command.main(args=arguments, prog_name="safe-lightning", standalone_mode=False)
    except typer.Exit as exit_request:
        return exit_request.exit_code
    except SystemExit as exit_request:
        return exit_request.code if isinstance(exit_request.code, int) else 1
    except typer.Abort:
        return 130
    except _UsageError as error:
        print(f"safe-lightning: {error.format_message()}", file=sys.stderr)
        return int(ExitCode.USAGE)
    return result if isinstance(result, int) else 0
