"""Reading checksum totals out of Lightning's sentences, in every wording since 2.1."""

from __future__ import annotations

import re

from safe_lightning.core.tables import Comparison, TableName, Totals

_MISMATCH = re.compile(
    r"checksum mismatched remote vs local\s*=>\s*\(checksum:\s*(\S+?)\s+vs\s+(\S+?)\)\s*"
    r"\(total_kvs:\s*(\d+)\s+vs\s+(\d+)\)\s*\(total_bytes:\s*(\d+)\s+vs\s+(\d+)\)"
)
#: DM's words for the same error; it tells neither bytes nor sums.
_DM = re.compile(r"checksum mismatched, KV number in source files:\s*(\d+), KV number in TiDB cluster:\s*(\d+)")
_TOTALS = re.compile(r"\{cksum=(\d+),\s*size=(\d+),\s*kvs=(\d+)\}")
_NAMED = re.compile(r"(`(?:[^`]|``)+`\.`(?:[^`]|``)+`)[^`]*$")

MISMATCH_WORDS = "checksum mismatched"


def read_mismatch(text: str) -> Comparison | None:
    """Read the two sides of a mismatch; the first number of each pair is the cluster's.

    Tolerates line breaks and spaces of text pasted into tickets, and checksums that somebody
    shortened (those become None while the counts stay exact).

    >>> read_mismatch("checksum mismatched remote vs local => "
    ...               "(checksum: 1 vs 2) (total_kvs: 3 vs 4) (total_bytes:5 vs 6)")
    Comparison(remote=Totals(checksum=1, kvs=3, bytes=5), local=Totals(checksum=2, kvs=4, bytes=6))
    """
    if in_dm := _DM.search(text):
        return Comparison(Totals(None, int(in_dm[2]), 0, False), Totals(None, int(in_dm[1]), 0, False))
    found = _MISMATCH.search(text)
    if not found:
        return None
    remote_sum, local_sum, remote_kvs, local_kvs, remote_bytes, local_bytes = found.groups()
    return Comparison(
        Totals(_exact(remote_sum), int(remote_kvs), int(remote_bytes)),
        Totals(_exact(local_sum), int(local_kvs), int(local_bytes)),
    )


def table_before(text: str) -> TableName | None:
    """Name the table that a sentence speaks of before it says that the checksum mismatched.

    >>> table_before("restore table `a`.`b` failed: checksum mismatched remote vs local => …")
    TableName(schema='a', table='b')
    """
    head = text.partition(MISMATCH_WORDS)[0]
    named = _NAMED.search(head)
    return TableName.parse(named.group(1)) if named else None


def read_totals(text: str) -> Totals | None:
    """Read ``{cksum=A,size=B,kvs=C}`` as it stands in the log's checksum fields.

    >>> read_totals("{cksum=7,size=8,kvs=9}")
    Totals(checksum=7, kvs=9, bytes=8)
    """
    found = _TOTALS.search(text)
    return Totals(int(found[1]), int(found[3]), int(found[2])) if found else None


def _exact(digits: str) -> int | None:
    return int(digits) if digits.isdigit() else None
