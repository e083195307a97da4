"""What a learner has answered and solved, kept in one file on their own machine; nothing is sent anywhere.

The file holds one JSON object a line, each with what was recorded, of what, and when (UTC)::

    {"kind": "prediction", "id": "2.3", "at": "2026-03-01T09:30:00Z", "value": {"answer": "about 40 %", "sure": "sure"}}

Lines are only ever added, each in one write at the file's end: nothing that was recorded is overwritten, two notebooks
can record at the same time, and a line that a power cut broke costs that line alone. Lines that cannot be read stay in
the file, are skipped, and are counted.

The file is the one that the environment variable `DIFFUSION_PROGRESS` names; without it, `progress.jsonl` in the user's
data folder (`~/.local/share/diffusion_lib/` on Linux). Where it cannot be written, records last as long as the kernel.
"""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from platformdirs import user_data_path

VARIABLE = "DIFFUSION_PROGRESS"


@dataclass(frozen=True)
class Entry:
    """One thing that was recorded: its kind ("prediction", "exercise"), its id ("2.3"), its value, and when."""

    kind: str
    id: str
    value: dict
    at: str


@dataclass(frozen=True)
class Progress:
    """All entries, oldest first; what is wrong with the file, in words ("" if nothing); whether it holds them all."""

    entries: tuple[Entry, ...] = ()
    problem: str = ""
    written: bool = True

    def of(self, kind: str) -> dict[str, list[dict]]:
        """The values of one kind by id, oldest first."""
        values: dict[str, list[dict]] = {}
        for entry in self.entries:
            if entry.kind == kind:
                values.setdefault(entry.id, []).append(entry.value)
        return values


_unwritten: list[tuple[Path, Entry]] = []  # what a file could not take: it lasts as long as the kernel


def path() -> Path:
    """Where the record is kept; it need not exist."""
    if named := os.environ.get(VARIABLE):
        return Path(named).expanduser()
    return user_data_path() / "diffusion_lib" / "progress.jsonl"


def record(kind: str, id: str, value: dict) -> str:
    """Add an entry to the record; returns "" once it is in the file, or else a sentence that says why it is not kept.

    kind: what sort of thing it is, such as "prediction". id: which one, such as "2.3". value: anything that JSON holds.
    Raises TypeError or ValueError where JSON cannot hold it.
    """
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    entry = Entry(str(kind), str(id), value, now)
    line = json.dumps(
        {"kind": entry.kind, "id": entry.id, "at": now, "value": value}, ensure_ascii=False, allow_nan=False
    )
    file = path()
    try:
        _append(file, line.encode())
    except OSError as error:
        _unwritten.append((file, entry))
        return f"This is not kept when the kernel ends, because {shown(file)} cannot be written ({_why(error)})."
    return ""


def read() -> Progress:
    """All that was recorded. A file that cannot be read, or a line in it, is a `problem` and never an exception."""
    file, entries, unreadable, problem = path(), [], 0, ""
    try:
        lines = file.read_bytes().split(b"\n") if file.exists() else []
    except OSError as error:
        lines, problem = [], f"{shown(file)} cannot be read ({_why(error)})."
    for line in filter(bytes.strip, lines):
        try:
            entries.append(_entry(json.loads(line)))
        except (ValueError, TypeError, KeyError, RecursionError):
            unreadable += 1
    if unreadable:
        lines_are = "1 line of {} is" if unreadable == 1 else f"{unreadable} lines of {{}} are"
        problem = f"{lines_are.format(shown(file))} unreadable and left out; nothing was deleted."
    unwritten = [entry for place, entry in _unwritten if place == file]
    if unwritten:
        problem = f"{problem} What you answer here is not kept, because {shown(file)} cannot be written.".strip()
    return Progress((*entries, *unwritten), problem, written=not unwritten)


def shown(file: Path) -> str:
    """The path of a file as a learner reads it, with ~ for their own folder."""
    try:
        return f"~{os.sep}{file.relative_to(Path.home())}"
    except (ValueError, RuntimeError):
        return str(file)


def _append(file: Path, line: bytes) -> None:
    """Add a line in one write, after a line break where the last writer was cut off before its own."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "a+b", buffering=0) as stream:
        end = stream.seek(0, os.SEEK_END)
        if end:
            stream.seek(end - 1)
            line = line if stream.read(1) == b"\n" else b"\n" + line
        if stream.write(line + b"\n") != len(line) + 1:
            raise OSError("the disk is full")


def _entry(line: dict) -> Entry:
    """The entry of one line; raises TypeError, KeyError or ValueError if it is none."""
    entry = Entry(line["kind"], line["id"], line["value"], line["at"])
    if not (isinstance(entry.kind, str) and isinstance(entry.id, str) and isinstance(entry.value, dict)):
        raise ValueError("an entry has a kind, an id and a value")
    return entry


def _why(error: OSError) -> str:
    return error.strerror or str(error)
