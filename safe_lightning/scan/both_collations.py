"""The answer for a target of which it is not known whether its new collation framework is on: that of both cases.

With the framework off strings are the same key only where their bytes are, so that keys without a duplicate under a
collation have none without it. Only where it may matter is the source read a second time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from safe_lightning.conflicts.canonical import NotReproducible
from safe_lightning.conflicts.collations import find_collation
from safe_lightning.core.columns import CHARACTER_TYPES
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.scan.model import KeyFound, KeyRequest, TableFound, TableScanRequest

#: A character on which the server fails under a collation keeps a row out of the keys.
_REFUSED = "refused-key"

Scan = Callable[[TableScanRequest], TableFound]


@dataclass(frozen=True)
class BothAnswers:
    """What was found, each key by the more careful answer. ``off`` are keys whose answer is that without collations."""

    found: TableFound
    off: frozenset[str] = frozenset()
    differing: tuple[str, ...] = ()


def answer_both(request: TableScanRequest, found: TableFound, scan: Scan) -> BothAnswers:
    """Scan with the framework off what may then have other duplicates; ``found`` is what there is with it on."""
    is_refused = any(finding.code == _REFUSED for finding in found.findings)
    open_keys = tuple(key.key for key in found.keys if may_differ(request, key, is_refused=is_refused))
    if not open_keys:
        return BothAnswers(found)
    other = scan(without_collations(replace(request, keys=open_keys)))
    by_name = {key.key.name: key for key in other.keys}
    keys, off, differing = [], set(), []
    for key in found.keys:
        counterpart = by_name.get(key.key.name)
        if counterpart is None or _is_same(key, counterpart, other):
            keys.append(key)
            continue
        differing.append(key.key.name)
        chosen = key
        if not key.duplicate_keys and counterpart.duplicate_keys:
            chosen = counterpart
            off.add(key.key.name)
        reason = f"new collation on: {_told(key)}; off: {_told(counterpart)}{_unread(other)}"
        keys.append(replace(chosen, doubt="; ".join(filter(None, (chosen.doubt, reason)))))
    is_stopped = found.is_stopped or other.is_stopped
    return BothAnswers(replace(found, keys=tuple(keys), is_stopped=is_stopped), frozenset(off), tuple(differing))


def without_collations(request: TableScanRequest) -> TableScanRequest:
    """Return the request as it is where the framework is off."""
    return replace(request, mode=replace(request.mode, new_collation=False))


def may_differ(request: TableScanRequest, found: KeyFound, *, is_refused: bool) -> bool:
    """Tell whether a key may have other duplicates with the framework off."""
    if found.not_checked is not None:
        return False
    return _has_names(request, found.key) or (
        bool(found.duplicate_keys or is_refused) and _has_texts(request, found.key)
    )


def _has_names(request: TableScanRequest, key: KeyRequest) -> bool:
    """Tell whether a part's texts are looked up by its collation: what fits no name becomes one and the same value."""
    return any(request.definition.columns[place].type.name in ("enum", "set") for place, _ in key.parts)


def _has_texts(request: TableScanRequest, key: KeyRequest) -> bool:
    return any(_is_collated(request, place) for place, _ in key.parts)


def _is_collated(request: TableScanRequest, place: int) -> bool:
    kind = request.definition.columns[place].type
    if kind.name not in CHARACTER_TYPES:
        return False
    try:
        return find_collation(kind.collation, new_collation=True) != find_collation(kind.collation, new_collation=False)
    except NotReproducible:
        return True


def _is_same(key: KeyFound, other: KeyFound, found: TableFound) -> bool:
    if other.not_checked is not None or found.unread is not None:
        return False
    return (key.duplicate_keys, key.duplicate_rows) == (other.duplicate_keys, other.duplicate_rows)


def _told(key: KeyFound) -> str:
    if key.not_checked is not None:
        return f"not checked ({key.not_checked})"
    if not key.duplicate_keys:
        return "no key twice"
    keys, rows = key.duplicate_keys, key.duplicate_rows
    return f"{keys:,} key{'s' * (keys != 1)} twice or more, in {rows:,} rows"


def _unread(found: TableFound) -> str:
    return f" ({found.unread})" if found.unread else ""
