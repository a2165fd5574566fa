"""What the verbs that read the record share: where it is, and one clear sentence where it cannot be read."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from safe_lightning.commands.output import fail
from safe_lightning.core.exitcodes import ExitCode
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.record.lookup import NoSuchRun, known_state_dir
from safe_lightning.record.strict_json import UnreadableRecord

T = TypeVar("T")


#: Where else a policy may lie than where the environment says.
Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Lightning's config, where the policy lies beside it."),
]


def state_folder(config: Path | None = None) -> Path:
    """Name the state folder of this environment, or of the policy beside Lightning's config. Raises typer.Exit."""
    from safe_lightning.policy.load import PolicyError

    try:
        return known_state_dir(os.environ, config.absolute() if config else None)
    except PolicyError as error:
        fail(str(error), ExitCode.POLICY)
    except CouldNotLook as error:
        fail(str(error), ExitCode.COULD_NOT_LOOK)


def read(look: Callable[[], T]) -> T:
    """Do one look at the record. Raises typer.Exit: 66 where there is no such run, 69 where it cannot be read."""
    try:
        return look()
    except NoSuchRun as error:
        fail(str(error), ExitCode.NO_INPUT)
    except (CouldNotLook, UnreadableRecord, OSError) as error:
        fail(str(error), ExitCode.COULD_NOT_LOOK)


def note(text: str) -> None:
    """Say on stderr what had to be gone around; nothing where there is nothing to say."""
    if text:
        print(f"safe-lightning: note: {text}", file=sys.stderr)
