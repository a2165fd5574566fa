"""Causes in what earlier attempts left: a checkpoint that claims too much, an engine that never arrived."""

from __future__ import annotations

from safe_lightning.core.causes.counts import agree, told_agreement, whole_engine_gone
from safe_lightning.core.causes.key_judges import missing_pairs
from safe_lightning.core.causes.model import Gap, MismatchFacts, Score, score
from safe_lightning.core.clues import EngineClue, FileClue

_GONE = {"stale", "finished", "foreign"}


def leftover_checkpoint(facts: MismatchFacts, gap: Gap) -> Score | None:
    """Suspect the checkpoint of an earlier run, which may claim work that the cluster does not hold (any more)."""
    if facts.was_resumed is False:
        return None
    if facts.was_resumed is None:
        return _perhaps_resumed(facts, gap)
    resumed = "the table was resumed from an earlier run's checkpoint, whose sums are part of the source's side"
    confidence, line = _judge_resume(facts, gap)
    return score(confidence, resumed, line)


def _perhaps_resumed(facts: MismatchFacts, gap: Gap) -> Score | None:
    if gap.missing <= 0 or facts.duplicate_keys_skipped or facts.conflicts_found:
        return None
    return score(0.3, "if a checkpoint of an earlier run was used is not known; if so, it may claim what is not there")


def _judge_resume(facts: MismatchFacts, gap: Gap) -> tuple[float, str]:
    if gap.remote.kvs == 0:
        return 0.9, "the cluster holds nothing of it: the table is empty or was created anew since"
    if gap.missing > 0 and facts.duplicate_keys_skipped:
        return 0.2, "pairs are missing, but the log's skipped duplicate keys explain that as well"
    if gap.missing > 0:
        return _judge_loss(facts, gap)
    if gap.missing < 0:
        return 0.4, "the cluster has more than the checkpoint knows of: rows may have been written twice"
    return 0.3, "the number of pairs agrees, their content does not"


def _judge_loss(facts: MismatchFacts, gap: Gap) -> tuple[float, str]:
    if facts.lost_engines or whole_engine_gone(facts):
        return 0.4, f"{missing_pairs(gap)}, which an engine that never arrived explains better"
    if facts.checkpoint_verdict in _GONE:
        line = f"{missing_pairs(gap)}, and at the start the checkpoint was judged {facts.checkpoint_verdict}"
        return 0.9, line
    this_run = sum(clue.totals.kvs for clue in facts.files)
    if this_run and this_run == gap.remote.kvs:
        return 0.95, f"the cluster holds exactly the {this_run:,} pairs that this run encoded, and none from before it"
    if facts.source_changed:
        return 0.85, f"{missing_pairs(gap)}, and source files have changed since the checkpoint was made"
    if agree(facts) and facts.keys_per_row != 1:
        return 0.85, f"{missing_pairs(gap)} that the checkpoint took for imported; {told_agreement(facts)}"
    return 0.75, f"{gap.missing:,} pairs that the checkpoint took for imported are not there"


def engine_never_ingested(facts: MismatchFacts, gap: Gap) -> Score | None:
    """Suspect an engine that counts as imported although a stop or a failure kept it out of the cluster."""
    if gap.missing <= 0 or gap.remote.kvs == 0:
        return None
    lost = facts.lost_engines or tuple(engine for engine in facts.engines if engine.kvs and not engine.imported)
    if lost:
        return _lost(lost, gap)
    if told := whole_engine_gone(facts):
        return score(0.95, told, missing_pairs(gap))
    if index := _index_engine(facts):
        return score(0.7, f"{missing_pairs(gap)}, as many as the index engine holds ({index:,})")
    if file := lost_file(facts, gap):
        line = f"exactly the {file.totals.kvs:,} pairs ({file.totals.bytes:,} bytes) of {file.path} are missing"
        proof = "; the XOR of both sides is that chunk's own checksum" if gap.difference is not None else ""
        return score(0.9, line + proof)
    if facts.was_resumed is True and not facts.duplicate_keys_skipped:
        return _after_a_stop(facts)
    return None


def _lost(lost: tuple[EngineClue, ...], gap: Gap) -> Score:
    held, missing = sum(engine.kvs for engine in lost), sum(engine.kvs - engine.imported for engine in lost)
    names = ", ".join(engine.engine or "unnamed" for engine in lost[:5])
    line = f"engine {names}: counted as imported, yet of {held:,} pairs {missing:,} were not ingested"
    if missing == gap.missing:
        return score(0.97, line, f"exactly as many as are missing: {gap.missing:,}")
    return score(0.75, line, f"{gap.missing:,} are missing")


def _index_engine(facts: MismatchFacts) -> int:
    """Return the pairs of the index engine where its loss is the whole gap and the gap is a whole engine."""
    if facts.rows_in_source is None or facts.keys_per_row is None or facts.keys_per_row < 2:
        return 0
    entries = facts.rows_in_source * (facts.keys_per_row - 1)
    return entries if entries and _missing_of(facts) == entries else 0


def _missing_of(facts: MismatchFacts) -> int | None:
    remote, local = facts.comparison.remote, facts.comparison.local
    return local.kvs - remote.kvs if remote and local else None


def lost_file(facts: MismatchFacts, gap: Gap) -> FileClue | None:
    """Find the one chunk whose totals, and whose checksum where it is known, are just what is missing."""
    for clue in facts.files:
        is_size = (clue.totals.kvs, clue.totals.bytes) == (gap.missing, gap.missing_bytes)
        if is_size and clue.totals.kvs and gap.difference in (None, clue.totals.checksum):
            return clue
    return None


def _after_a_stop(facts: MismatchFacts) -> Score:
    if facts.was_interrupted:
        return score(0.7, "the attempt before was stopped or died, which leaves an engine that counts as imported")
    line = "a stop during an ingest saves the engine as imported although it is empty; the earlier log would tell"
    return score(0.45, line)
