"""Generated dumps with a known number of duplicate keys: the same rows as CSV (Lightning's dialect) and as SQL.

    python bench/generate.py FOLDER [ROWS [FILES]]

Columns: id (shuffled over 2^40), email (1 % NULL), tenant, code (0.5 % NULL), amount, created, note (2 % with quotes,
backslashes and a line feed). Injected, scaled down below a million rows: 1000 duplicate ids (2000 rows), 500 duplicate
emails (1010 rows), 200 duplicate pairs of tenant and code (400 rows), copies always far from their first.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

ID_MASK = (1 << 40) - 1
DOMAINS = ("example.com", "mail.test", "corp.example")
STATEMENT_ROWS = 8000
HEADER = '"id","email","tenant","code","amount","created","note"\n'


@dataclass(frozen=True)
class Truth:
    """What a scan has to find: (duplicate keys, duplicate rows) per key."""

    ids: tuple[int, int]
    emails: tuple[int, int]
    codes: tuple[int, int]


@dataclass(frozen=True)
class Copies:
    """Which row takes a key over from which."""

    ids: dict[int, int]
    emails: dict[int, int]
    codes: dict[int, int]

    @property
    def truth(self) -> Truth:
        firsts = [len(set(copies.values())) for copies in (self.ids, self.emails, self.codes)]
        counts = [len(copies) for copies in (self.ids, self.emails, self.codes)]
        pairs = [(first, first + count) for first, count in zip(firsts, counts, strict=True)]
        return Truth(*pairs)


def copies_of(rows: int) -> Copies:
    half, scale = rows // 2, min(1.0, rows / 1_000_000)
    many = [max(1, int(count * scale)) for count in (1000, 500, 200)]
    ids = {half + 17 + k * (half // (many[0] * 2)): 3 + k * (half // (many[0] * 2)) for k in range(many[0])}
    emails = {half + 29 + k * (half // (many[1] * 2)): 5 + k * (half // (many[1] * 3)) for k in range(many[1])}
    emails |= {half + 31 + k * (half // (many[1] * 2)): 5 + k * (half // (many[1] * 3)) for k in range(many[1] // 50)}
    codes = {half + 37 + k * (half // (many[2] * 2)): 7 + k * (half // (many[2] * 3)) for k in range(many[2])}
    return Copies(ids, emails, codes)


def make_row(number: int, copies: Copies) -> tuple[str, str | None, str, str | None, str, str, str]:
    key = (copies.ids.get(number, number) * 182_739_475_831) & ID_MASK
    mailed = copies.emails.get(number, number)
    mixed = (mailed * 214_748_364_617 + 987_654_321) & ((1 << 42) - 1)
    coded = copies.codes.get(number, number)
    has_email = number % 100 != 41 or number in copies.emails or number in copies.emails.values()
    has_code = number % 211 != 9 or number in copies.codes or number in copies.codes.values()
    seconds = number * 37 % 150_000_000
    day, of_day = divmod(seconds, 86_400)
    created = f"{2020 + day // 336}-{day % 336 // 28 + 1:02}-{day % 28 + 1:02} "
    created += f"{of_day // 3600:02}:{of_day // 60 % 60:02}:{of_day % 60:02}"
    return (
        str(key),
        f"user.{mixed:x}@{DOMAINS[mailed % 3]}" if has_email else None,
        str(coded % 1000),
        f"SKU-{coded // 1000:x}" if has_code else None,
        f"{number * 7919 % 10_000_000 / 100:.2f}",
        created,
        _note(number),
    )


def _note(number: int) -> str:
    if number % 53 == 0:
        return f'He said "hi", path C:\\dir\\{number % 97}\nnext'
    if number % 59 == 0:
        return "it's (a),(b); x"
    return "note " + blake2b(str(number // 7).encode(), digest_size=8).hexdigest()


def csv_line(number: int, copies: Copies) -> str:
    key, email, tenant, code, amount, created, note = make_row(number, copies)
    note = note.replace("\\", "\\\\").replace('"', '\\"')
    note = note.replace("\n", "\\n") if number % 2 == 0 else note
    texts = ["\\N" if text is None else f'"{text}"' for text in (email, code)]
    return f'{key},{texts[0]},{tenant},{texts[1]},{amount},"{created}","{note}"\n'


def sql_row(number: int, copies: Copies) -> str:
    key, email, tenant, code, amount, created, note = make_row(number, copies)
    for sign, escaped in (("\\", "\\\\"), ('"', '\\"'), ("'", "\\'"), ("\n", "\\n")):
        note = note.replace(sign, escaped)
    texts = ["NULL" if text is None else f"'{text}'" for text in (email, code)]
    return f"({key},{texts[0]},{tenant},{texts[1]},{amount},'{created}','{note}')"


def sql_lines(numbers: range, copies: Copies) -> Iterator[str]:
    yield "/*!40101 SET NAMES binary*/;\n"
    for start in range(numbers.start, numbers.stop, STATEMENT_ROWS):
        stop = min(start + STATEMENT_ROWS, numbers.stop)
        yield "INSERT INTO `t` (`id`,`email`,`tenant`,`code`,`amount`,`created`,`note`) VALUES\n"
        yield ",\n".join(sql_row(number, copies) for number in range(start, stop)) + ";\n"


def generate(folder: Path, rows: int = 1_000_000, files: int = 8) -> Truth:
    """Write bench.t.<n>.csv and .sql into folder/csv and folder/sql, unless they are there, and return the truth."""
    copies = copies_of(rows)
    each = -(-rows // files)
    done = folder / f"rows-{rows}-{files}"
    if done.exists():
        return copies.truth
    for kind in ("csv", "sql"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for number in range(files):
        numbers = range(number * each, min(rows, (number + 1) * each))
        with (folder / "csv" / f"bench.t.{number:09}.csv").open("w", encoding="ascii", newline="") as file:
            file.write(HEADER)
            file.writelines(csv_line(row, copies) for row in numbers)
        with (folder / "sql" / f"bench.t.{number:09}.sql").open("w", encoding="ascii", newline="") as file:
            file.writelines(sql_lines(numbers, copies))
    done.touch()
    return copies.truth


if __name__ == "__main__":
    words = sys.argv[1:]
    print(generate(Path(words[0]), *(int(word.replace("_", "")) for word in words[1:])))
