"""The record of what a learner answered: nothing in it is lost, whatever happens to the file, and nothing stops a cell."""

import builtins
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from diffusion_lib.course import progress

GOOD = '{"kind": "prediction", "id": "2.3", "at": "2026-01-01T00:00:00Z", "value": {"answer": 1}}\n'


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Where the record is in this test; neither it nor its folder exists yet."""
    path = tmp_path / "a" / "b" / "progress.jsonl"
    monkeypatch.setenv("DIFFUSION_PROGRESS", str(path))
    monkeypatch.setattr(progress, "_unwritten", [])
    return path


def test_what_is_recorded_is_read_in_its_order_by_kind(file):
    assert progress.read() == progress.Progress()
    assert progress.record("prediction", "2.3", {"answer": "ä $x$"}) == ""
    assert progress.record("exercise", "2.1", {"state": "right"}) == ""
    assert progress.record("prediction", "2.3", {"answer": 2}) == ""
    everything = progress.read()
    assert [entry.kind for entry in everything.entries] == ["prediction", "exercise", "prediction"]
    assert everything.of("prediction") == {"2.3": [{"answer": "ä $x$"}, {"answer": 2}]}
    assert everything.of("exercise") == {"2.1": [{"state": "right"}]}
    assert everything.problem == "" and everything.written
    assert all(len(entry.at) == 20 and entry.at.endswith("Z") for entry in everything.entries)
    assert len(file.read_text().splitlines()) == 3


@pytest.mark.parametrize(
    "broken",
    [
        b'{"kind": "predic',
        b"\xff\xfe\x00 not text",
        b"[]",
        b"null",
        b"{}",
        b'{"kind": 1, "id": "2", "at": "", "value": {}}',
        b'{"kind": "a", "id": "2", "at": "", "value": 3}',
        b"[" * 100_000,
    ],
)
def test_a_broken_line_costs_that_line_alone_and_stays(file, broken):
    file.parent.mkdir(parents=True)
    file.write_bytes(GOOD.encode() + broken)  # cut off, with no line break
    assert progress.record("prediction", "2.4", {"answer": 3}) == ""
    read = progress.read()
    assert read.of("prediction") == {"2.3": [{"answer": 1}], "2.4": [{"answer": 3}]}
    assert read.problem.startswith("1 line of ") and "nothing was deleted" in read.problem and read.written
    assert broken in file.read_bytes()


def test_an_unreadable_place_is_said_and_answers_last_as_long_as_the_kernel(file):
    file.mkdir(parents=True)  # a folder where the file should be
    assert "cannot be read" in progress.read().problem
    assert "not kept when the kernel ends" in progress.record("prediction", "2.3", {"answer": 1})
    read = progress.read()
    assert read.of("prediction") == {"2.3": [{"answer": 1}]} and not read.written
    assert "not kept" in read.problem


def test_a_folder_that_cannot_be_made_is_said(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DIFFUSION_PROGRESS", str(tmp_path / "file" / "progress.jsonl"))
    monkeypatch.setattr(progress, "_unwritten", [])
    assert progress.read().entries == ()
    assert "cannot be written" in progress.record("exercise", "1.1", {})
    assert progress.read().of("exercise") == {"1.1": [{}]}


def test_a_full_disk_is_said(file, monkeypatch):
    class Full:
        def __init__(self, stream):
            self.stream = stream

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.stream.close()

        def __getattr__(self, name):
            return getattr(self.stream, name)

        def write(self, line):
            return self.stream.write(line[:5])

    monkeypatch.setattr(progress, "open", lambda *a, **k: Full(builtins.open(*a, **k)), raising=False)  # noqa: SIM115
    assert "the disk is full" in progress.record("prediction", "2.3", {"answer": 1})
    assert progress.read().of("prediction") == {"2.3": [{"answer": 1}]}


def test_two_notebooks_at_once_lose_nothing(file):
    code = "from diffusion_lib.course import progress\nimport sys\nfor i in range(200): assert progress.record('p', sys.argv[1], {'i': i}) == ''"
    environment = {**os.environ, "DIFFUSION_PROGRESS": str(file)}
    writers = [subprocess.Popen([sys.executable, "-c", code, name], env=environment) for name in "ab"]
    assert [writer.wait(120) for writer in writers] == [0, 0]
    values = progress.read().of("p")
    assert values == {name: [{"i": i} for i in range(200)] for name in "ab"} and progress.read().problem == ""


def test_what_json_cannot_hold_is_refused_and_nothing_is_written(file):
    for value in ({"x": float("nan")}, {"x": object()}):
        with pytest.raises((TypeError, ValueError)):
            progress.record("prediction", "2.3", value)
    assert not file.exists()


def test_without_the_variable_it_is_in_the_users_data_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("DIFFUSION_PROGRESS")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    found = progress.path()
    assert found.parts[-2:] == ("diffusion_lib", "progress.jsonl")
    if sys.platform == "linux":
        assert found.parent.parent == tmp_path
        monkeypatch.delenv("XDG_DATA_HOME")
        assert progress.path() == Path.home() / ".local" / "share" / "diffusion_lib" / "progress.jsonl"
    assert progress.shown(Path.home() / "x" / "y") == os.path.join("~", "x", "y")


def test_tests_have_a_record_of_their_own():
    assert Path(os.environ["DIFFUSION_PROGRESS"]).parent.name.startswith("diffusion_progress_")


def test_each_line_is_json_with_a_time(file):
    progress.record("prediction", "2.3", {"answer": 1})
    assert set(json.loads(file.read_text())) == {"kind", "id", "at", "value"}


def test_importing_it_loads_nothing_heavy():
    code = "import sys; from diffusion_lib.course import progress; print([m for m in ('torch', 'anywidget', 'IPython') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
