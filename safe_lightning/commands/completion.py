"""``completion``: print the shell code that completes our verbs."""

from __future__ import annotations

from typing import Annotated

import typer

from safe_lightning.commands.output import fail
from safe_lightning.core.exitcodes import ExitCode

SHELLS = ("bash", "zsh", "fish")


def completion(
    shell: Annotated[str, typer.Argument(help="bash, zsh or fish")] = "bash",
) -> None:
    """Print the completion script of a shell: `source <(safe-lightning completion bash)`."""
    from typer._completion_shared import get_completion_script

    if shell not in SHELLS:
        fail(f"no completion for {shell!r}: choose one of {', '.join(SHELLS)}", ExitCode.USAGE)
    print(get_completion_script(prog_name="safe-lightning", complete_var="_SAFE_LIGHTNING_COMPLETE", shell=shell))
