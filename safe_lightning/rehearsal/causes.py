"""A small import for each cause of a mismatch: data of its own, what befalls it, and what went before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType

from safe_lightning.core.causes import names
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName
from safe_lightning.rehearsal.scenario import Ending, Mishap

ORDERS = TableName("shop", "orders")
_ROWS = 40
_KEYED = (
    "CREATE TABLE `orders` (`id` bigint NOT NULL, `number` varchar(16) NOT NULL, `cents` int NOT NULL, "
    "`note` varchar(40), PRIMARY KEY (`id`), UNIQUE KEY `uk_number` (`number`));"
)
_FOLDING = _KEYED.replace("`number` varchar(16)", "`number` varchar(16) COLLATE utf8mb4_general_ci")
_KEYLESS = (
    "CREATE TABLE `orders` (`id` bigint NOT NULL, `number` varchar(16) NOT NULL, `cents` int, `note` varchar(40));"
)
_RECORDS = (
    "CREATE TABLE `conflict_records` (`task_id` bigint NOT NULL, `table_name` varchar(261) NOT NULL, "
    "`row_data` text NOT NULL);"
)
_HEAD = "id,number,cents,note\n"

Section = Mapping[str, object]


def _rows(first: int, last: int) -> str:
    return "".join(f"{i},N-{i:04d},{i * 7 % 5000},note {i}\n" for i in range(first, last + 1))


def _files(schema: str = _KEYED, **more: str) -> dict[str, str]:
    return {
        "shop-schema-create.sql": "CREATE DATABASE `shop`;",
        "shop.orders-schema.sql": schema,
        "shop.orders.0001.csv": _HEAD + _rows(1, _ROWS // 2),
        "shop.orders.0002.csv": _HEAD + _rows(_ROWS // 2 + 1, _ROWS),
        **{name.replace("__", "."): text for name, text in more.items()},
    }


@dataclass(frozen=True)
class EarlierRun:
    """An importer that ran before, bare; ``loses_sorted_pairs``: its scratch folder is gone since."""

    ending: Ending = Ending.CLEAN
    mishap: Mishap = Mishap.NONE
    loses_sorted_pairs: bool = False


@dataclass(frozen=True)
class CauseCase:
    """How one cause comes about. ``told`` says it in one sentence; ``before`` are statements run in the cluster."""

    told: str
    files: Mapping[str, str] = field(default_factory=_files)
    mishap: Mishap = Mishap.NONE
    earlier: EarlierRun | None = None
    before: tuple[str, ...] = ()
    task: Mapping[str, Section] = field(default_factory=dict)
    version: str = "v8.5.4"
    table: TableName = ORDERS


_INSERTED = (
    "CREATE DATABASE IF NOT EXISTS `shop`",
    _KEYED.replace("CREATE TABLE `orders`", "CREATE TABLE `shop`.`orders`"),
    "INSERT INTO `shop`.`orders` (`id`,`number`,`cents`,`note`) VALUES (3,'N-0003',1,'old'),(4,'N-0004',1,'old')",
)
_RECORDED = (
    "CREATE DATABASE IF NOT EXISTS `lightning_task_info`",
    _RECORDS.replace("`conflict_records`", "`lightning_task_info`.`conflict_error_v4`"),
    "INSERT INTO `lightning_task_info`.`conflict_error_v4` (`task_id`,`table_name`,`row_data`) VALUES "
    "(17,'`shop`.`orders`','(39)'),(17,'`shop`.`orders`','(40)')",
)

CASES: Mapping[str, CauseCase] = MappingProxyType(
    {
        names.KEY_CONFLICTS: CauseCase(
            "the export holds two order ids twice, with other values",
            _files(shop__orders__0003__csv=_HEAD + "3,N-9003,1,again\n4,N-9004,1,again\n"),
        ),
        names.COLLATION_CONFLICTS: CauseCase(
            "two order numbers differ from others in case only, and the column's collation does not see that",
            _files(_FOLDING, shop__orders__0003__csv=_HEAD + "91,n-0003,1,lower\n92,n-0004,1,lower\n"),
        ),
        names.LEFTOVER_CHECKPOINT: CauseCase(
            "an earlier importer was killed, and its folder of sorted pairs is gone, but its checkpoint is not",
            earlier=EarlierRun(ending=Ending.KILL, loses_sorted_pairs=True),
        ),
        names.ENGINE_NEVER_INGESTED: CauseCase(
            "an earlier importer was stopped while it ingested, and counted the engine as imported",
            earlier=EarlierRun(mishap=Mishap.STOP_IN_INGEST),
        ),
        names.ROWS_BEFORE: CauseCase(
            "two of the orders stand in the table already, and the import may add to it",
            before=_INSERTED,
            task={"tikv-importer": {"incremental-import": True}},
        ),
        names.IMPORTED_TWICE: CauseCase(
            "a second importer fills the same table, which has no key, at the same time",
            _files(_KEYLESS),
            Mishap.SECOND_IMPORTER,
        ),
        names.NOTHING_ARRIVED: CauseCase("the pairs go to another cluster", mishap=Mishap.NOWHERE),
        names.STALE_CONFLICT_RECORDS: CauseCase(
            "conflict records of an earlier task have two good rows deleted",
            mishap=Mishap.DELETED_AS_CONFLICTS,
            before=_RECORDED,
            task={"conflict": {"strategy": "replace"}},
        ),
        names.LIGHTNING_SCHEMA_IN_DUMP: CauseCase(
            "the export holds lightning_task_info, which is written to during the import",
            {
                "lightning_task_info-schema-create.sql": "CREATE DATABASE `lightning_task_info`;",
                "lightning_task_info.conflict_records-schema.sql": _RECORDS,
                "lightning_task_info.conflict_records.csv": "task_id,table_name,row_data\n17,t,r\n",
            },
            Mishap.FOREIGN_ROWS,
            table=TableName("lightning_task_info", "conflict_records"),
        ),
        names.SAME_COUNT_OTHER_BYTES: CauseCase("every note arrives in another encoding", mishap=Mishap.OTHER_BYTES),
        names.VERSION_BUG: CauseCase(
            "the importer is release 5.1.0, which reports a mismatch although the data are right",
            mishap=Mishap.FALSE_SUM,
            version="v5.1.0",
        ),
        names.CONCURRENT_WRITES: CauseCase(
            "somebody inserts three orders while the import runs", mishap=Mishap.FOREIGN_ROWS
        ),
    }
)

#: What lets the import begin although it is known to go wrong: the end is what is to be looked at.
ENVIRONMENT: Mapping[str, str] = MappingProxyType(
    {
        "SAFE_LIGHTNING__SCAN__ON_CONFLICTS": "warn",
        "SAFE_LIGHTNING__CHECKPOINT__ON__UNSAFE": "resume",
        "SAFE_LIGHTNING__CHECKPOINT__ON__STALE": "resume",
    }
)


def cause_table() -> str:
    """Return the table of causes as docs/rehearsal.md shows it."""
    return "\n".join(
        ["| `--cause` | what happens |", "|---|---|", *(f"| `{n}` | {c.told} |" for n, c in CASES.items())]
    )
