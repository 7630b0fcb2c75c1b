"""``sensitivenets annotate`` as a process: serving, ending, exporting."""

import http.client
import json
import re
import signal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sensitivenets.cli import main
from sensitivenets.cli.annotate import _gate
from sensitivenets.embeddings import EmbeddingTable, read_table, write_table

# Seconds: met only by what is broken.
PATIENCE = 120


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    codes = np.arange(30) % 2
    vectors = (rng.standard_normal((30, 4)) + 8 * codes[:, None]).astype(np.float32)
    columns = pa.table({"gender": np.array(["Female", "Male"])[codes], "age": range(30)})
    write_table(EmbeddingTable(vectors, columns), tmp_path / "table.parquet")
    return tmp_path / "table.parquet"


def decide(address, row, label):
    host = re.fullmatch(r"http://(.*)/", address).group(1)
    connection = http.client.HTTPConnection(host, timeout=PATIENCE)
    connection.request("GET", "/api/session")
    csrf = json.loads(connection.getresponse().read())["csrf"]
    body = {
        "annotator": "anna",
        "queue": "doubt",
        "request": f"request-{row}",
        "decisions": [{"row": row, "label": label}],
    }
    headers = {"Content-Type": "application/json", "X-Sensitivenets-Csrf": csrf}
    connection.request("POST", "/api/decisions", json.dumps(body), headers)
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    connection.close()


def end(process, how):
    process.send_signal(how)
    out, err = process.communicate(timeout=PATIENCE)
    assert out == ""
    return process.returncode, err


def test_serve_kill_serve_again_interrupt_and_export(table, start, capsys):
    process, said = start(table)
    assert said["labels"] == str(table.with_name("table.gender.labels"))
    decide(said["address"], 0, "Male")
    assert end(process, signal.SIGKILL)[0] == -signal.SIGKILL

    process, said = start(table)
    decide(said["address"], 2, "Female")
    code, err = end(process, signal.SIGINT)
    assert (code, err) == (0, "stopped; the same command goes on where it was\n")

    out = table.with_name("labelled.parquet")
    arguments = ["annotate", str(table), "--attribute", "gender", "--export", str(out)]
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sources"] == {"human": 2, "given": 28}
    labelled = pq.read_table(out).to_pylist()
    assert [row["gender"] for row in labelled[:4]] == ["Male", "Male", "Female", "Male"]
    assert labelled[0]["gender_source"] == "human"
    assert labelled[0]["gender_annotators"] == ["anna"]
    assert labelled[0]["gender_confidence"] < 0.5
    assert labelled[5]["age"] == 5
    assert np.array_equal(read_table(out).vectors, read_table(table).vectors)
    assert main(arguments) == 2
    assert "already exists" in capsys.readouterr().err
    assert main([*arguments, "--overwrite"]) == 0
    assert "30 rows (28 given, 2 human)" in capsys.readouterr().out


def test_decisions_may_be_kept_elsewhere_and_a_class_added(table, start):
    process, said = start(table, "--labels", table.with_name("l"), "--class", "old")
    assert end(process, signal.SIGTERM)[0] == 128 + signal.SIGTERM
    assert said["labels"] == str(table.with_name("l"))


def test_beyond_this_machine_a_token_is_asked_for(table, start):
    process, said = start(table, "--host", "0.0.0.0")
    assert re.fullmatch(r"http://0\.0\.0\.0:\d+/\?token=[\w-]{32}", said["address"])
    end(process, signal.SIGINT)


def test_a_token_of_ones_own_is_asked_for_everywhere(monkeypatch):
    monkeypatch.setenv("SENSITIVENETS_TOKEN", "abcdefghij-1234567890")
    assert _gate("127.0.0.1", 80).token == "abcdefghij-1234567890"
    monkeypatch.delenv("SENSITIVENETS_TOKEN")
    assert _gate("127.0.0.1", 80).token is None
    assert _gate("192.168.1.2", 80).token != _gate("192.168.1.2", 80).token


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--attribute", "mood"], "expected 2 to 9 classes of 'mood', found 0; name them"),
        (["--attribute", "age"], "expected 2 to 9 classes of 'age', found 30"),
        (["--attribute", "gender", "--identity", "subject"], "no column 'subject'"),
        (["--attribute", "gender", "--images", "nowhere"], "no column 'image'.*--image"),
        (
            ["--attribute", "gender", "--images", "nowhere", "--image-column", "age"],
            "nowhere: expected a folder of images",
        ),
        (["--attribute", "gender", "--host", "no.such.host.invalid"], "cannot listen on no.such"),
        (["--attribute", "gender", "--export", "x.csv"], "written as .parquet"),
        (["--attribute", "gender", "--export", "x.parquet"], "no decisions to export"),
    ],
)
def test_messages(table, capsys, options, message):
    assert main(["annotate", str(table), "--no-browser", *options]) == 2
    assert re.search(message, capsys.readouterr().err)


def test_a_weak_token_is_refused(table, capsys, monkeypatch):
    monkeypatch.setenv("SENSITIVENETS_TOKEN", "short")
    arguments = ["annotate", str(table), "--attribute", "gender", "--no-browser", "--port", "0"]
    assert main(arguments) == 2
    assert "expected at least 16 letters" in capsys.readouterr().err
