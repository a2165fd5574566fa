"""Turning the child's stdout and stderr into evidence, line by line and bounded.

The lines may carry ANSI colours and the prefixes of container or CI logs, so sentences are searched
for inside a line rather than at its start.
"""

from __future__ import annotations

import re

from safe_lightning.core.evidence import StreamEvidence
from safe_lightning.core.mismatch import MISMATCH_WORDS, read_mismatch, table_before

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_BANNER = re.compile(r"Verbose debug logs will be written to (\S.*?)\s*$")
_FINAL = re.compile(r"tidb lightning encountered error:\s*(.*)$")
#: What containers and CI systems write in front of a line: a few words, such as a time, a stream and a mark.
_PREFIX = r"^(?:\S+ +){0,4}"
_LOOP = re.compile(rf"{_PREFIX}(?:Error: |ERROR 1105 \(HY000\): )(.*)$")
_PANIC = re.compile(rf"{_PREFIX}(?:\^C)?((?:panic|fatal error): .*)$")
#: Sentences that are Lightning's own wherever they stand: of a text that somebody pasted they are all there is. Each is
#: a beginning and words that must follow on the same line.
_SENTENCES = (
    ("checksum mismatched remote vs local", ""),
    ("checksum mismatched, KV number in source files", ""),
    ("TiDB Lightning has failed last time", ""),
    ("TiDB Lightning has detected tables with illegal", ""),
    ("config '", "different from checkpoint value"),
    ("lightning version is ", "checkpoint was created "),
    ("Target table is calculating checksum", ""),
    ("Some checks failed, please check the log", ""),
)
_CODE = re.compile(r"\[Light(?:n)?ing:\w+:\w+\]")
_CONFIG = re.compile(r"(?:^|\s)((?:\[Lightning:(?:Config|Common):\w+\]|Failed to parse command flags:).*)$")
_SUMMARY_ROW = re.compile(r"^\|\s*\d+\s*\|\s*([^|]+?)\s*\|\s*(\d+)\s*\|\s*([^|]*?)\s*\|")
_RELEASE = re.compile(r"^\s*Release Version: *(\S*)")
_LINE_LIMIT = 16_384
#: What every sentence that is known here holds a part of: pieces without it are not taken apart.
_ANY_SENTENCE = re.compile(
    rb"ightning|Error: |ERROR 1105|checkpoint value|alculating checksum|checks failed"
    rb"|panic|fatal error|Killed|Version|Verbose|HTTP server|command flags|mismatched|Usage|\|"
)


class StreamDigest:
    """Digest both streams of a child; ``evidence`` holds what they said so far."""

    def __init__(self) -> None:
        self.evidence = StreamEvidence()
        self._partial: dict[str, bytes] = {}
        self._joined = ""
        self._continues_error = False

    def feed(self, stream: str, data: bytes) -> None:
        """Take raw bytes of "stdout" or "stderr"; only the head of an over-long line is looked at."""
        whole = self._partial.get(stream, b"") + data
        lines = whole.split(b"\n")
        self._partial[stream] = lines.pop()[:_LINE_LIMIT]
        if self._is_between_sentences(stream) and not _ANY_SENTENCE.search(whole):
            return
        for line in lines:
            self.add_line(line[:_LINE_LIMIT].decode("utf-8", "replace"), stream)

    def _is_between_sentences(self, stream: str) -> bool:
        seen = self.evidence
        is_first_known = stream != "stderr" or bool(seen.first_stderr_line)
        return is_first_known and not (self._continues_error or self._joined or seen.panic or seen.has_usage)

    def close(self) -> None:
        """Take what stands behind the last line break."""
        for stream, line in self._partial.items():
            self.add_line(line.decode("utf-8", "replace"), stream)
        self._partial.clear()

    def add_line(self, raw: str, stream: str = "") -> None:
        """Take one line of either stream."""
        line = _ANSI.sub("", raw).rstrip()
        if not line:
            self._continues_error = False
            return
        if stream == "stderr" and not self.evidence.first_stderr_line:
            self.evidence.first_stderr_line = line
        self.evidence.is_control_tool |= "tidb-lightning-ctl/main.go" in line
        self._note_ending(line)
        self._note_error(line)
        self._note_table(line)
        self._note_mismatch(line)

    def _note_ending(self, line: str) -> None:
        seen = self.evidence
        if found := _BANNER.search(line):
            seen.banner_path = seen.banner_path or found[1]
        elif found := _RELEASE.match(line):
            seen.version_lines += 1
            seen.release = found[1]
        elif "tidb lightning canceled" in line:
            seen.said_canceled = True
        elif "tidb lightning exit successfully" in line:
            seen.said_success = True
        elif line.endswith("tidb lightning exit"):
            seen.said_exit = True
        elif line.strip() == "Killed" or line.endswith(" Killed"):
            seen.said_killed = True

    def _note_error(self, line: str) -> None:
        seen = self.evidence
        if found := _FINAL.search(line):
            seen.final_error, self._continues_error = found[1], True
        elif "failed to start HTTP server" in line:
            seen.http_server_error = seen.http_server_error or line
        elif found := _PANIC.match(line):
            seen.panic = seen.panic or found[1]
            seen.was_interrupted |= "^C" in line[: found.start(1)]
        elif seen.panic and "precheck_impl.go" in line:
            seen.panic_in_precheck = True
        elif (found := _CONFIG.search(line)) and "] [" not in line:
            seen.config_error = seen.config_error or found[1]
        elif found := _LOOP.match(line):
            seen.loop_error = seen.loop_error or found[1]
        elif sentence := _sentence_in(line):
            seen.sentence = seen.sentence or sentence
        elif self._continues_error and len(seen.final_error) < _LINE_LIMIT:
            # Several pre-check messages are joined by real line breaks on stderr.
            seen.final_error += "\n" + line
        if line.startswith(("Usage:", "Usage of ")):
            seen.has_usage = True
        elif seen.has_usage and line.strip().startswith("-checkpoint-error-destroy"):
            seen.is_control_tool = True

    def _note_table(self, line: str) -> None:
        row = _SUMMARY_ROW.match(line)
        if not row:
            return
        if "onflict" in row[1] or "conflict" in row[3]:
            self.evidence.conflicts = max(self.evidence.conflicts, int(row[2]))
        elif "Data Type" in row[1] or "type_error" in row[3]:
            self.evidence.type_errors = max(self.evidence.type_errors, int(row[2]))

    def _note_mismatch(self, line: str) -> None:
        if MISMATCH_WORDS in line:
            self._joined = line
        elif self._joined:
            self._joined += " " + line
        if not self._joined:
            return
        comparison = read_mismatch(self._joined)
        if comparison and (table := table_before(self._joined)):
            self.evidence.named_mismatches.setdefault(table, comparison)
        elif comparison and comparison not in self.evidence.unnamed_mismatches:
            self.evidence.unnamed_mismatches.append(comparison)
        if comparison or len(self._joined) > _LINE_LIMIT:
            self._joined = ""


def _sentence_in(line: str) -> str:
    if found := _CODE.search(line):
        return line[found.start() :]
    for beginning, rest in _SENTENCES:
        if (at := line.find(beginning)) >= 0 and line.find(rest, at) >= 0:
            return line[at:]
    return ""
