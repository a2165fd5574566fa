"""How the instances of a parallel import stand, for the verb ``checkpoint``: as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from safe_lightning.core.parallel import Instance, Metadata, TableShare, counted, meaning, told

_TABLES_SHOWN_MOST = 5


def instances_text(metadata: Metadata, own_task_id: int) -> Iterator[str]:
    """Write the whole first, then each instance with its tables, the ones that are not done before the others."""
    yield f"Parallel import in `{metadata.schema}`"
    yield f"    {counted(metadata)}"
    yield from (f"    {line}" for line in [meaning(metadata)] if line)
    for instance in metadata.instances:
        yield f"    {told(instance, own_task_id)}"
        shares = sorted(instance.shares, key=lambda share: not share.is_waited_for)
        for share in shares[:_TABLES_SHOWN_MOST]:
            yield f"        {share.table or share.stored_name}: {share.words}"
        if len(shares) > _TABLES_SHOWN_MOST:
            yield f"        and {len(shares) - _TABLES_SHOWN_MOST} more tables"


def instances_json(metadata: Metadata, own_task_id: int) -> dict[str, Any]:
    """Return the whole and its instances as ``checkpoint --json`` shows them."""
    return {
        "schema": metadata.schema,
        "state": str(metadata.state) if metadata.state else "none",
        "instances": [_instance(instance, is_own=instance.task_id == own_task_id) for instance in metadata.instances],
    }


def _instance(instance: Instance, *, is_own: bool) -> dict[str, Any]:
    return {
        "task_id": instance.task_id,
        "is_own": is_own,
        "state": str(instance.state),
        "status": instance.status,
        "tables": [_share(share) for share in instance.shares],
    }


def _share(share: TableShare) -> dict[str, Any]:
    return {
        "table": str(share.table) if share.table else share.stored_name,
        "status": share.status,
        "totals": share.totals.to_json() if share.totals else None,
    }
