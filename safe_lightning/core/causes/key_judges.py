"""Causes in the keys of the source: rows that share a key, byte by byte or as their collation folds it."""

from __future__ import annotations

from safe_lightning.core.causes.counts import agree, told_agreement, whole_engine_gone
from safe_lightning.core.causes.model import Gap, MismatchFacts, Score, score

_KEYS_SHOWN_MOST = 3


def key_conflicts(facts: MismatchFacts, gap: Gap) -> Score | None:
    """Suspect rows that share a primary or unique key: each pair is counted when encoded, but stored once."""
    if gap.missing <= 0 or gap.remote.kvs == 0 or _are_excluded(facts):
        return None
    if facts.conflicts_found:
        line = f"the source holds {facts.conflicts_found:,} keys more than once; {missing_pairs(gap)}"
        return score(0.97, line, rows_lost(facts, gap), _keys(facts))
    for judge in (_skips, _exact_copies, _collapsed_engines, _between_instances, _whole_multiple):
        if seen := judge(facts, gap):
            confidence, line = seen
            return score(confidence, line, rows_lost(facts, gap), _keys(facts))
    confidence, line = _by_gap_alone(facts, gap)
    return score(confidence, line, rows_lost(facts, gap))


def _are_excluded(facts: MismatchFacts) -> bool:
    """Exclude what a scan did not find, unless Lightning itself met some: then both must be told."""
    if facts.conflicts_found != 0:
        return False
    return not facts.duplicate_keys_skipped or facts.conflicts_folded != 0


def _keys(facts: MismatchFacts) -> str:
    if not facts.keys_shown:
        return ""
    shown, more = facts.keys_shown[:_KEYS_SHOWN_MOST], len(facts.keys_shown) - _KEYS_SHOWN_MOST
    return f"keys that the log names: {'; '.join(shown)}{f'; and {more} more' if more > 0 else ''}"


def _skips(facts: MismatchFacts, gap: Gap) -> tuple[float, str] | None:
    skipped = facts.duplicate_keys_skipped
    if not skipped:
        return None
    line = f"the log says `duplicated key found, skip write` {_times(skipped)}; {missing_pairs(gap)}"
    if facts.conflicts_found == 0:
        return 0.8, f"{line}; the scan found no such key: the source is not the one that was scanned"
    if facts.tables_sharing_skips > 1:
        return 0.8, f"{line}; to which of the {facts.tables_sharing_skips} mismatched tables they belong is not said"
    return (0.95, f"{line}: exactly as many") if skipped == gap.missing else (0.8, line)


def _exact_copies(facts: MismatchFacts, gap: Gap) -> tuple[float, str] | None:
    # The checksum is an XOR over all pairs: what occurs an even number of times cancels out.
    if gap.local.checksum is None:
        return None
    if gap.local.checksum == gap.remote.checksum:
        return 0.9, "both XOR checksums are equal: every surplus pair of the source is an exact copy of another one"
    if gap.local.checksum == 0 and gap.source_times == 2:
        return 0.9, "the source's XOR checksum is 0 and its totals are twice the cluster's: every row was read twice"
    return None


def _collapsed_engines(facts: MismatchFacts, gap: Gap) -> tuple[float, str] | None:
    held, imported = sum(e.kvs for e in facts.engines), sum(e.imported for e in facts.engines)
    is_whole = held == gap.local.kvs and imported == gap.remote.kvs
    if not is_whole or facts.was_resumed or any(e.kvs and not e.imported for e in facts.engines):
        return None
    line = f"of {held:,} pairs in the engines {imported:,} were imported, and exactly those are in the cluster"
    return 0.9, f"{line}: the others fell together while the engines were written"


def _between_instances(facts: MismatchFacts, gap: Gap) -> tuple[float, str] | None:
    own, base = facts.own, facts.base.kvs if facts.base else 0
    if own is None or base or facts.is_parallel is not True or gap.local.kvs <= own.kvs:
        return None
    others = gap.local.kvs - own.kvs
    line = f"this instance encoded {own.kvs:,} pairs and the others {others:,}, together {gap.local.kvs:,}"
    return 0.8, f"{line}; in the cluster are {gap.remote.kvs:,}: rows of different instances share keys"


def _whole_multiple(facts: MismatchFacts, gap: Gap) -> tuple[float, str] | None:
    if (times := gap.source_times) < 2 or facts.was_resumed:
        return None
    return 0.7, f"the source's pairs and bytes are exactly {times} times the cluster's: each key was read {times} times"


def _by_gap_alone(facts: MismatchFacts, gap: Gap) -> tuple[float, str]:
    if facts.base and facts.base.kvs:
        return 0.3, "no key of the source is named by the log; old rows explain the gap as well"
    if counted := _by_counts(facts):
        return counted
    per_row = facts.keys_per_row
    if per_row and not facts.keys_per_row_most and gap.missing % per_row:
        line = f"{gap.missing:,} missing pairs are no multiple of {per_row} pairs per row"
        return 0.6, f"{line}: single index entries are missing, as when unique keys collide"
    if facts.was_resumed:
        return 0.3, "the cluster has fewer pairs than the source, as when keys collide; the log names no such key"
    return 0.5, "the cluster has fewer pairs than the source, most often because rows share a primary or unique key"


def _by_counts(facts: MismatchFacts) -> tuple[float, str] | None:
    """Judge by rows and index entries: keys that collide with other values leave them in disagreement."""
    state, told = agree(facts), told_agreement(facts)
    if state is None:
        return None
    if state:
        return 0.3, f"{told}, as only exact copies of rows would leave it"
    if whole_engine_gone(facts) or facts.was_resumed:
        return 0.3, f"{told}, as an engine that never arrived leaves it as well"
    return 0.85, f"{told}, as rows leave it that share a key and differ otherwise"


def missing_pairs(gap: Gap) -> str:
    """Say how many pairs the cluster lacks."""
    return "1 pair is missing" if gap.missing == 1 else f"{gap.missing:,} pairs are missing"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"


def rows_lost(facts: MismatchFacts, gap: Gap) -> str:
    """Say how many rows the missing pairs can belong to."""
    most = facts.keys_per_row_most or facts.keys_per_row
    if not most:
        return f"at most {gap.missing:,} rows are concerned (the number of keys per row is not known)"
    least = -(-gap.missing // most)
    words = f"{facts.keys_per_row} to {most}" if facts.keys_per_row_most else f"{most}"
    rows = f"between {least:,} and {gap.missing:,} rows are" if least < gap.missing else f"{_rows(least)}"
    return f"with {words} keys per row, {rows} concerned"


def _rows(number: int) -> str:
    return "1 row is" if number == 1 else f"{number:,} rows are"


def collation_conflicts(facts: MismatchFacts, gap: Gap) -> Score | None:
    """Suspect keys that differ in the source and are equal under the collation or after the cast."""
    if gap.missing <= 0 or gap.remote.kvs == 0 or facts.conflicts_folded == 0 or whole_engine_gone(facts):
        return None
    if facts.conflicts_folded:
        return _folded(facts, gap, facts.conflicts_folded)
    if facts.conflicts_found or facts.has_text_keys is False or facts.folds_keys is False:
        return None
    if facts.folds_keys and facts.conflicts_found == 0:
        line = "no key occurs twice byte by byte, yet keys are compared under a collation that folds letters or blanks"
        return score(0.8, line)
    if facts.has_text_keys or facts.folds_keys:
        line = "keys hold text, which a collation may fold (case, accents, blanks at the end) or a cast may change"
        return score(0.4, line, "if the texts differ in the source, nobody has compared yet")
    return None


def _folded(facts: MismatchFacts, gap: Gap, folded: int) -> Score:
    line = f"{folded:,} keys of the source are equal only under their collation or after the cast"
    if facts.conflicts_found:
        return score(0.85, f"{line}; {facts.conflicts_found:,} are equal byte by byte", rows_lost(facts, gap))
    return score(0.97, f"{line}; none is byte by byte", rows_lost(facts, gap))
