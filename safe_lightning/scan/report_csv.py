"""The conflicts of a scan as CSV: a line for each row of each example."""

from __future__ import annotations

import csv
from typing import TextIO

from safe_lightning.scan.model import Scan

COLUMNS = ("table", "key", "columns", "duplicate", "value", "why", "file", "line", "offset", "row")


def write_csv(scan: Scan, to: TextIO) -> None:
    """Write the conflicts; rows of one duplicate share its number within the key."""
    writer = csv.writer(to, lineterminator="\n")
    writer.writerow(COLUMNS)
    for table in scan.tables:
        for key in table.keys:
            for number, example in enumerate(key.examples, 1):
                value = ", ".join("NULL" if part is None else part for part in example.key)
                head = [str(table.table), key.name, ", ".join(key.columns), number, value, str(example.why)]
                for place in example.rows:
                    writer.writerow([*head, place.file, place.line, place.offset, place.row])
