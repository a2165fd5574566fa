"""What a rehearsal is told to play: the ending, and where its stand-ins find each other."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path

from safe_lightning.core.lean_dataclass import dataclass

#: Names the scenario file for the stand-ins; the generated launchers set it.
VARIABLE = "SAFE_LIGHTNING_REHEARSAL"
#: The scenario's name within a sandbox; a folder that has it is a sandbox.
SCENARIO_FILE = "rehearsal.json"
#: Holds the mode of the stand-in cluster's one store, in the control tool's word, where that is not normal.
TIKV_MODE_FILE = "tikv-mode"
#: The stand-in cluster's id, as PD tells it.
CLUSTER_ID = 7_300_000_000_000_000_001


class Ending(StrEnum):
    """How the stand-in importer shall end."""

    CLEAN = "clean"
    DUPLICATE_KEYS = "duplicate-keys"
    CHECKSUM_MISMATCH = "checksum-mismatch"
    CHECKSUM_INCOMPLETE = "checksum-incomplete"
    KILL = "kill"
    CANCEL = "cancel"
    STALE = "stale"
    FINISHED = "finished"
    DATA_ERROR = "data-error"
    HANG = "hang"
    STATUS_PORT_BUSY = "status-port-busy"
    NOTHING = "nothing"


MEANINGS: Mapping[Ending, str] = {
    Ending.CLEAN: "as the data have it: conflicts that are in the files do collide",
    Ending.DUPLICATE_KEYS: "a few rows of each table are read twice, with other values",
    Ending.CHECKSUM_MISMATCH: "a few pairs get lost on their way into the cluster",
    Ending.CHECKSUM_INCOMPLETE: "all data arrive, but the cluster's garbage collection overtakes the checksum",
    Ending.KILL: "the importer is killed while it writes",
    Ending.CANCEL: "the importer gets SIGTERM while it writes",
    Ending.STALE: "a checkpoint was kept, and the tables were created anew since",
    Ending.FINISHED: "a checkpoint was kept in which everything is done",
    Ending.DATA_ERROR: "a value in the middle of the first table is refused",
    Ending.HANG: "the importer stands still for a while",
    Ending.STATUS_PORT_BUSY: "Lightning's status port is taken: exit 0, nothing imported",
    Ending.NOTHING: "the filter matches nothing: exit 0, nothing imported",
}


class Mishap(StrEnum):
    """What befalls an import beside its ending: one mishap each for the causes of a mismatch."""

    NONE = ""
    FOREIGN_ROWS = "foreign-rows"
    NOWHERE = "nowhere"
    OTHER_BYTES = "other-bytes"
    SECOND_IMPORTER = "second-importer"
    FALSE_SUM = "false-sum"
    DELETED_AS_CONFLICTS = "deleted-as-conflicts"
    STOP_IN_INGEST = "stop-in-ingest"


@dataclass(frozen=True)
class Scenario:
    """One rehearsal's settings, kept as a file in the sandbox.

    ``pd_tries`` stands for the 100 s that the real tools spend on a PD that does not answer. A sandbox is
    for samples: ``rows_most`` bounds how many rows of each file are read. ``insert_seconds`` and ``ingest_seconds``
    are taken over each batch of ``insert_rows`` rows and over each engine, so that a stop can meet them. ``version`` is
    the release that the importer says it is.
    """

    ending: Ending = Ending.CLEAN
    mishap: Mishap = Mishap.NONE
    version: str = "v8.5.4"
    store_port: int = 0
    rows_most: int = 20_000
    hang_seconds: float = 20.0
    pd_tries: int = 5
    pd_try_seconds: float = 0.05
    insert_rows: int = 256
    insert_seconds: float = 0.0
    ingest_seconds: float = 0.0

    def write(self, path: Path) -> None:
        """Write the scenario for the stand-ins to read."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")


def read_scenario(environ: Mapping[str, str] = os.environ) -> Scenario:
    """Read the scenario that the environment names; the plain one where it names none.

    Raises OSError or ValueError for a file that is not there or not a scenario.
    """
    path = environ.get(VARIABLE)
    if not path:
        return Scenario()
    found = json.loads(Path(path).read_text(encoding="utf-8"))
    return Scenario(**{**found, "ending": Ending(found["ending"]), "mishap": Mishap(found["mishap"])})
