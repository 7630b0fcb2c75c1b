"""The store of decisions: nothing acknowledged is lost, nothing is changed afterwards."""

import os
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sensitivenets.annotation.events import Kind, NewEvent, Queue
from sensitivenets.annotation.store import LabellingTask, LabelStore
from sensitivenets.annotation.store_file import StoreUnavailableError
from sensitivenets.errors import InputError

TASK = LabellingTask("gender", ("Female", "Male"), 10, "ab" * 32)


def label(row, name="Female", annotator="anna"):
    return NewEvent(annotator, Kind.LABEL, row, name, Queue.LEAST_CONFIDENT, "Male", 0.25)


@pytest.fixture
def store(tmp_path):
    store = LabelStore(tmp_path / "labels", TASK)
    yield store
    store.close()


def test_events_come_back_as_they_were_written(store):
    written = store.append("request1", [label(3), NewEvent("ben", Kind.UNSURE, 4)])
    assert [event.seq for event in written] == [1, 2]
    first, second = store.events()
    assert (first.row, first.label, first.queue, first.shown) == (
        3,
        "Female",
        Queue.LEAST_CONFIDENT,
        "Male",
    )
    assert (first.confidence, first.request, first.annotator) == (0.25, "request1", "anna")
    assert first.time.endswith("+00:00")
    assert (second.kind, second.label, second.queue) == (Kind.UNSURE, None, None)
    assert store.events(after=1) == [second]


def test_a_request_sent_twice_is_stored_once(store):
    once = store.append("request1", [label(3)])
    assert store.append("request1", [label(3)]) == once
    assert len(store.events()) == 1


@pytest.mark.parametrize("change", ["UPDATE events SET label = 'Male'", "DELETE FROM events"])
def test_events_are_neither_changed_nor_deleted(store, change):
    store.append("request1", [label(3)])
    base = sqlite3.connect(store.path)
    with pytest.raises(sqlite3.IntegrityError, match="events are never"):
        base.execute(change)
    base.close()


def test_of_an_action_all_events_are_stored_or_none(store):
    broken = NewEvent("anna", Kind.UNDO, 4, undoes=99)
    with pytest.raises(sqlite3.IntegrityError):
        store.append("request1", [label(3), broken])
    assert store.events() == []


WRITER = """
import sys
from pathlib import Path
from sensitivenets.annotation.events import Kind, NewEvent
from sensitivenets.annotation.store import LabelStore, LabellingTask
store = LabelStore(Path(sys.argv[1]), LabellingTask("gender", ("Female", "Male"), 10, "ab" * 32))
for k in range(1_000_000):
    store.append(f"request{k}", [NewEvent("anna", Kind.LABEL, k % 10, "Male")] * 2)
    print(k, flush=True)
"""


def test_what_was_acknowledged_survives_a_kill(tmp_path):
    path = tmp_path / "labels"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True
    )
    for line in writer.stdout:
        if int(line) >= 40:
            break
    writer.kill()
    acknowledged = [int(line), *map(int, writer.stdout.read().split())][-1]
    writer.wait()
    writer.stdout.close()
    store = LabelStore(path, TASK)
    events = store.events()
    store.close()
    assert len(events) >= 2 * (acknowledged + 1)
    # The action that the kill fell into is there whole or not at all.
    assert len(events) % 2 == 0
    assert [event.seq for event in events] == list(range(1, len(events) + 1))


def test_threads_and_processes_share_a_file(store):
    other = LabelStore(store.path, TASK)

    def write(into, who):
        for k in range(20):
            into.append(f"request{who}{k}", [label(k % 10, annotator=who)])

    parts = [(store, "anna"), (store, "ben"), (other, "cleo")]
    threads = [threading.Thread(target=write, args=part) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.events()) == 60
    assert store.events() == other.events()
    other.close()


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (
            LabellingTask("age", ("Female", "Male"), 10, "ab" * 32),
            "holds labels of 'gender'.*not of 'age'",
        ),
        (LabellingTask("gender", ("Female", "Male"), 11, "ab" * 32), "table of 10 rows.*one of 11"),
        (
            LabellingTask("gender", ("Female", "Male"), 10, "cd" * 32),
            "sha256 abababababab.*cdcdcdcdcdcd",
        ),
        (
            LabellingTask("gender", ("Female",), 10, "ab" * 32),
            "classes are Female, Male.*only Female.*--class",
        ),
    ],
)
def test_a_store_belongs_to_one_table(store, task, message):
    with pytest.raises(InputError, match=message):
        LabelStore(store.path, task)


def test_a_store_of_an_earlier_version_still_opens(store):
    task = replace(TASK, table_sha256=f"sha256-1024-v1:{'ef' * 32}")
    again = LabelStore(store.path, task, lambda: TASK.table_sha256)
    assert again.task.table_sha256 == TASK.table_sha256
    again.close()
    with pytest.raises(InputError, match=r"sha256 abababababab.*cdcdcdcdcdcd"):
        LabelStore(store.path, task, lambda: "cd" * 32)


def test_a_class_may_be_added_and_keeps_the_numbers_of_the_others(store):
    wider = LabellingTask("gender", ("Another", "Female", "Male"), 10, "ab" * 32)
    again = LabelStore(store.path, wider)
    assert again.task.classes == ("Female", "Male", "Another")
    again.close()


def test_other_files_are_refused_and_left_alone(tmp_path):
    text = tmp_path / "text"
    text.write_text("no database at all, but long enough to be read as one " * 40)
    with pytest.raises(InputError, match="expected a store of labels"):
        LabelStore(text, TASK)
    foreign = sqlite3.connect(tmp_path / "foreign")
    foreign.execute("CREATE TABLE mine (x)")
    foreign.close()
    with pytest.raises(InputError, match="found another database"):
        LabelStore(tmp_path / "foreign", TASK)
    with pytest.raises(InputError, match="found a folder"):
        LabelStore(tmp_path, TASK)


def digest_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_database_of_another_program_is_not_changed(mode, tmp_path):
    foreign = sqlite3.connect(tmp_path / "foreign")
    foreign.execute(f"PRAGMA journal_mode = {mode}")
    foreign.execute("CREATE TABLE mine (x)")
    foreign.commit()
    if mode == "delete":
        foreign.close()
    before = digest_of(tmp_path)["foreign"]
    with pytest.raises(InputError, match="found another database"):
        LabelStore(tmp_path / "foreign", TASK)
    # Locks in shared memory aside, which its own program has there too.
    assert digest_of(tmp_path)["foreign"] == before
    assert {"foreign"} <= set(digest_of(tmp_path)) <= {"foreign", "foreign-wal", "foreign-shm"}
    foreign.close()


def test_pipes_and_devices_are_no_store(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(InputError, match="expected a file for the labels, found no regular"):
            LabelStore(path, TASK)


def test_an_empty_file_or_database_becomes_a_store(tmp_path):
    (tmp_path / "empty").touch()
    sqlite3.connect(tmp_path / "made").execute("VACUUM").connection.close()
    for name in ("empty", "made"):
        LabelStore(tmp_path / name, TASK).close()
        LabelStore(tmp_path / name, TASK).close()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("DELETE FROM task", "damaged: it does not say what was labelled"),
        ("UPDATE task SET classes = 'x'", "damaged: it does not say what was labelled"),
        ("UPDATE task SET classes = '5'", "damaged: it does not say what was labelled"),
        ("INSERT INTO task SELECT * FROM task", "damaged: it does not say what was labelled"),
        ("DROP TABLE task", "expected a store of labels"),
        ("DROP TABLE events", "expected a store of labels"),
        ("INSERT INTO events VALUES ('a','no',1,'Male','doubt',0,0,0,9,'t','r',0)", "damaged"),
        (
            "INSERT INTO events VALUES ('a','label',99,'Male','doubt',0,0,0,9,'t','r',0)",
            "of row 99",
        ),
        (
            "INSERT INTO events VALUES ('a','label',1,'Cat','doubt',0,0,0,9,'t','r',0)",
            "'Cat' of no",
        ),
        ("INSERT INTO events VALUES ('a','label',1,'Male','none',0,0,0,9,'t','r',0)", "damaged"),
    ],
)
def test_a_store_that_was_tampered_with_is_refused(change, message, store):
    store.close()
    base = sqlite3.connect(store.path)
    base.executescript(change)
    base.close()
    with pytest.raises(InputError, match=message):
        LabelStore(store.path, TASK)


def test_a_damaged_store_is_opened_or_refused_in_words(store):
    store.append("request1", [label(k) for k in range(5)])
    store.close()
    whole, rng = store.path.read_bytes(), np.random.default_rng(0)
    # Most of its pages is unused, and zero.
    used = np.flatnonzero(np.frombuffer(whole, np.uint8))
    refused = 0
    for _ in range(60):
        damaged = bytearray(whole)
        start = int(rng.choice(used))
        damaged[start : start + 5] = rng.bytes(5)
        store.path.write_bytes(damaged[: len(whole)])
        try:
            again = LabelStore(store.path, TASK)
            again.proposals(2)
            again.close()
        except InputError:
            refused += 1
        for ending in ("-wal", "-shm"):
            store.path.with_name(store.path.name + ending).unlink(missing_ok=True)
    assert refused > 10


def test_damaged_proposals_are_made_again(store):
    store.close()
    base = sqlite3.connect(store.path)
    base.execute("INSERT INTO proposals VALUES (1, 'now', x'00')")
    base.commit()
    base.close()
    again = LabelStore(store.path, TASK)
    assert again.proposals(2) is None
    again.close()


def test_a_store_that_another_process_holds_is_busy_soon(store, monkeypatch):
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    store._base.execute("PRAGMA busy_timeout = 10")
    with pytest.raises(StoreUnavailableError, match="busy: another process holds it; try again"):
        store.append("request1", [label(1)])
    monkeypatch.setattr("sensitivenets.annotation.store.BUSY", 0.01)
    with pytest.raises(StoreUnavailableError, match="busy"):
        LabelStore(store.path, TASK)
    other.execute("ROLLBACK")
    other.close()
    assert len(store.append("request1", [label(1)])) == 1


def test_a_store_of_a_later_format_is_refused(store):
    base = sqlite3.connect(store.path)
    base.execute("PRAGMA user_version = 7")
    base.close()
    with pytest.raises(InputError, match="expected format 1, found 7"):
        LabelStore(store.path, TASK)
