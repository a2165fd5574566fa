"""The policy that a verb is under: the one that the import itself would find."""

from __future__ import annotations

import os
from pathlib import Path

from safe_lightning.commands.output import fail
from safe_lightning.core.exitcodes import ExitCode
from safe_lightning.policy.model import Policy


def policy_of(config_file: Path | None) -> Policy:
    """Load the policy beside a task's config file, or wherever else it lies. Ends the verb where it is wrong."""
    from safe_lightning.policy.load import PolicyError, find_policy, load_policy

    try:
        return load_policy(find_policy(os.environ, config_file), os.environ).policy
    except PolicyError as error:
        fail(str(error), ExitCode.POLICY)
