"""The store of decisions: nothing acknowledged is lost, nothing is changed afterwards."""

import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace

import pytest

from sensitivenets.annotation.events import Kind, NewEvent, Queue
from sensitivenets.annotation.store import LabellingTask, LabelStore
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


def test_a_store_of_a_later_format_is_refused(store):
    base = sqlite3.connect(store.path)
    base.execute("PRAGMA user_version = 7")
    base.close()
    with pytest.raises(InputError, match="expected format 1, found 7"):
        LabelStore(store.path, TASK)
