import os
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pytest

from sensitivenets.datasets import synthetic_diveface
from sensitivenets.embeddings import EmbeddingTable, write_table


def entries(folder):
    return {entry.name for entry in folder.iterdir()}


def start(arguments, **options):
    # A shell that starts us in the background may have told us to ignore SIGINT.
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from sensitivenets.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], **options)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_the_work_and_leaves_nothing_half_written(tmp_path, number, code, patience):
    # A pipe that nobody feeds: reading the table blocks until the signal comes.
    os.mkfifo(tmp_path / "verification.json")
    write_table(synthetic_diveface(12, 2, dim=32), tmp_path / "t.parquet")
    arguments = ["audit", tmp_path / "t.parquet", "--attribute", "gender", "--out", tmp_path / "r"]
    process = start(
        [*arguments, "--quick", "--verification-before", tmp_path / "verification.json"],
        stderr=subprocess.PIPE,
        text=True,
    )
    # Opening the other end returns once the command has opened its own.
    with (tmp_path / "verification.json").open("w"):
        process.send_signal(number)
        _, err = process.communicate(timeout=patience)
    assert process.returncode == code
    assert "Traceback" not in err
    assert entries(tmp_path) == {"t.parquet", "verification.json"}


def test_a_reader_that_stops_early_is_no_error(place, patience):
    process = start(
        ["info", place / "table.parquet"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.close()
    with process.stderr:
        assert process.stderr.read() == ""
    assert process.wait(timeout=patience) == 0


def names_of_odd_columns(folder):
    vectors = np.eye(4, dtype=np.float32)
    columns = pa.table({"\x1b[31mred\x07": ["a"] * 4, "na\u00efve \u202etxt": ["\u20ac"] * 4})
    write_table(EmbeddingTable(vectors, columns), folder / "t.parquet")


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_terminal_that_knows_no_accents_is_written_to(options, tmp_path, patience):
    names_of_odd_columns(tmp_path)
    process = start(
        ["info", tmp_path / "t.parquet", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )
    out, err = process.communicate(timeout=patience)
    assert (process.returncode, err) == (0, b"")
    assert b"\\xefve" in out
    assert b"\x1b" not in out


@pytest.mark.parametrize(
    ("closed", "table", "expected"),
    [(">&-", "table.parquet", 0), (">&- 2>&-", "nowhere.parquet", 2)],
)
def test_a_closed_stream_is_no_traceback(closed, table, expected, place, patience):
    code = "from sensitivenets.cli import main; import sys; sys.exit(main(sys.argv[1:]))"
    command = f"'{sys.executable}' -c '{code}' info '{place / table}' {closed}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, timeout=patience, check=False)
    assert done.returncode == expected
    assert b"Traceback" not in done.stderr


def test_an_error_does_not_command_the_terminal_nor_fill_it(run, tmp_path):
    code, _, err = run("info", tmp_path / "\x1b]0;gone\x07.parquet")
    assert code == 2
    assert "\\x1b]0;gone\\x07.parquet: no such file" in err
    columns = pa.table({"x" * 250_000: ["a"] * 4})
    write_table(EmbeddingTable(np.eye(4, dtype=np.float32), columns), tmp_path / "t.parquet")
    code, _, err = run("info", tmp_path / "t.parquet", "--embedding", "none")
    assert code == 2
    assert len(err) < 2100
    assert "no column 'none'" in err
    assert "name the embedding column: --embedding embedding" in err


def test_thousands_of_columns_take_seconds(run, tmp_path):
    columns = pa.table({f"c{k}": ["a", "b"] for k in range(1000)})
    write_table(EmbeddingTable(np.eye(2, dtype=np.float32), columns), tmp_path / "t.parquet")
    begun = time.process_time()
    code, printed, _ = run("info", tmp_path / "t.parquet")
    # A column took 20 ms before.
    assert time.process_time() - begun < 5
    assert code == 0
    assert "and 800 more columns, all in --json" in printed
