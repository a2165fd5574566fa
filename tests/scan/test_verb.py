"""`scan` through the real front door: exit codes, JSON, listings, reports."""

from __future__ import annotations

import csv
from html.parser import HTMLParser
from pathlib import Path

import pytest
from source_folder import write
from verb_calls import call, document

ORDERS = "create table orders(id int primary key, email varchar(20) collate utf8mb4_general_ci, unique e(email));"
ONE = "id,email\n1,a@x\n2,A@X\n3,c\n"
TWO = "id,email\n3,d\n1,a@x\n03,e,9\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write(tmp_path / "data", shop_orders_schema_sql=ORDERS, shop_orders_1_csv=ONE, shop_orders_2_csv=TWO)


def test_a_folder_is_enough(source: Path, tmp_path: Path) -> None:
    ended = call(tmp_path, "--json", "--", "-d", source)
    assert (ended.returncode, ended.stderr) == (65, "")
    [table] = document(ended)["tables"]
    keys = {key["name"]: (key["status"], key["duplicate_keys"], key["duplicate_rows"]) for key in table["keys"]}
    assert keys == {"PRIMARY": ("conflicts", 2, 5), "e": ("conflicts", 1, 3)}
    assert [finding["code"] for finding in table["findings"]] == ["surplus-fields"]


def test_the_task_file_decides_how_the_source_is_read(tmp_path: Path) -> None:
    write(tmp_path / "data", s_t_schema_sql="create table t(a tinyint unique);", s_t_csv="300;\n127;\nN;\nN;\n")
    (tmp_path / "task.toml").write_text(
        f"[mydumper]\ndata-source-dir = '{tmp_path / 'data'}'\n[mydumper.csv]\nseparator = ';'\nheader = false\n"
        "null = 'N'\ntrim-last-separator = true\n[tikv-importer]\nbackend = 'tidb'\n"
    )
    [table] = document(call(tmp_path, "--json", "--", "--config", "task.toml"))["tables"]
    assert (table["rows"], table["keys"][0]["duplicate_rows"]) == (4, 2)
    with (tmp_path / "task.toml").open("a") as task:
        task.write("[tidb]\nsql-mode = 'STRICT_TRANS_TABLES'\n")
    ended = call(tmp_path, "--json", "--", "--config", "task.toml")
    assert (ended.returncode, document(ended)["tables"][0]["keys"][0]["status"]) == (0, "clean")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"s_t_schema_sql": "create table t(a int primary key);", "s_t_csv": "a\n1\n2\n"}, 0),
        ({"s_t_schema_sql": "create table t(a int primary key);", "s_t_csv": "a\n1\n1\n"}, 65),
        ({"s_t_csv": "a\n1\n1\n"}, 69),
        ({"s_t_schema_sql": "create table t(a int primary key);", "s_t_csv": 'a\n1\n"1\n'}, 69),
        ({"s_t_schema_sql": "create table t(a int primary key);"}, 66),
        ({}, 66),
    ],
)
def test_the_exit_code_says_what_was_found(tmp_path: Path, data: dict[str, str], code: int) -> None:
    ended = call(tmp_path, "--json", "--", "-d", write(tmp_path / "data", **data))
    document(ended)
    assert ended.returncode == code


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["--", "-d", "nosuch"], 66, "no folder that can be read"),
        (["--", "-d", "s3://bucket/x"], 69, "object storage (s3://)"),
        ([], 64, "no data source"),
        (["--", "--config", "nosuch.toml"], 64, "nosuch.toml"),
        (["--table", "a[", "--", "-d", "."], 64, "--table"),
    ],
)
def test_what_cannot_be_scanned_is_one_sentence(tmp_path: Path, words: list[str], code: int, sentence: str) -> None:
    ended = call(tmp_path, *words)
    assert (ended.returncode, ended.stdout) == (code, "")
    assert ended.stderr.startswith("safe-lightning: ")
    assert sentence in ended.stderr


def test_people_get_80_columns_with_places_advice_and_commands(source: Path, tmp_path: Path) -> None:
    ended = call(tmp_path, "--", "-d", "data")
    assert max(map(len, ended.stdout.splitlines())) <= 80
    for words in (
        "PRIMARY (id)              CONFLICTS  2 keys twice or more, in 5 rows",
        "shop.orders.1.csv:2 (byte 9, row 1)",
        "equal only under the column's collation",
        '    strategy = "replace"',
        "safe-lightning scan --fresh -- -d data",
    ):
        assert words in ended.stdout
    assert source.is_dir()


@pytest.mark.usefixtures("source")
def test_the_files_are_listed_as_lightning_finds_them(tmp_path: Path) -> None:
    ended = call(tmp_path, "--files", "--", "-d", "data")
    names = [line.split()[0] for line in ended.stdout.splitlines()]
    assert (ended.returncode, names) == (0, ["`shop`.`orders`", "shop.orders.1.csv", "shop.orders.2.csv"])


@pytest.mark.usefixtures("source")
def test_only_the_tables_that_are_asked_for_are_scanned(tmp_path: Path) -> None:
    write(tmp_path / "data", shop_other_schema_sql="create table other(a int primary key);", shop_other_csv="a\n1\n")
    ended = call(tmp_path, "--json", "--table", "shop.oth*", "--", "-d", "data")
    assert [table["table"] for table in document(ended)["tables"]] == ["`shop`.`other`"]
    assert ended.returncode == 0


@pytest.mark.usefixtures("source")
def test_collations_can_be_switched_off(tmp_path: Path) -> None:
    ended = call(tmp_path, "--json", "--new-collation", "off", "--", "-d", "data")
    keys = {key["name"]: key["duplicate_rows"] for key in document(ended)["tables"][0]["keys"]}
    assert keys == {"PRIMARY": 5, "e": 2}


class Page(HTMLParser):
    """Counts what a page would fetch, and the rows of its tables."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.rows = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.fetched += [str(value) for name, value in attrs if name in ("src", "href")]
        self.rows += tag == "tr"


def test_all_conflicts_come_as_csv_and_as_a_page_of_its_own(tmp_path: Path) -> None:
    write(tmp_path / "data", s_t_schema_sql="create table t(a varchar(20) unique);", s_t_csv="a\n<b>&\n<b>&\n")
    call(tmp_path, "--csv", "c.csv", "--html", "c.html", "--", "-d", "data")
    with (tmp_path / "c.csv").open(newline="") as told:
        rows = list(csv.DictReader(told))
    assert [(row["key"], row["value"], row["why"], row["line"]) for row in rows] == [
        ("a", "<b>&", "identical-rows", "2"),
        ("a", "<b>&", "identical-rows", "3"),
    ]
    page = Page()
    text = (tmp_path / "c.html").read_text()
    page.feed(text)
    assert page.fetched == []
    assert "&lt;b&gt;&amp;" in text
    assert "<b>" not in text
    assert page.rows >= 2


def test_a_sample_says_what_can_be_concluded(tmp_path: Path) -> None:
    rows = "".join(f"{number}\n" for number in range(1000))
    write(tmp_path / "data", s_t_schema_sql="create table t(a int primary key);", s_t_csv=f"a\n{rows}")
    ended = call(tmp_path, "--json", "--mode", "sample", "--", "-d", "data")
    told = document(ended)
    [key] = told["tables"][0]["keys"]
    assert (ended.returncode, told["mode"], key["status"]) == (69, "sample", "not-checked")
    assert "at most 59 keys occur twice" in key["reason"]


@pytest.mark.usefixtures("source")
def test_the_documented_output_is_real(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "scan.md").read_text()
    documented = page.split("```\n")[1].splitlines()
    told = call(tmp_path, "--", "-d", "data").stdout.splitlines()
    assert [line for line in documented if line not in told] == []
