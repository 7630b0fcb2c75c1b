import os
import signal
import subprocess
import sys

import pytest

from sensitivenets.datasets import synthetic_diveface
from sensitivenets.embeddings import write_table


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
