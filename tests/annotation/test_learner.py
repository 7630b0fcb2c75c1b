"""The classifier's process: same answers, and what a kill of either side leaves."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sensitivenets.annotation.learner import Learner
from sensitivenets.annotation.proposals import Proposer

RNG = np.random.default_rng(0)
CODES = np.arange(60) % 2
VECTORS = RNG.standard_normal((60, 4)).astype(np.float32) + CODES[:, None]
ALIVE = """
import sys
import numpy as np
from sensitivenets.annotation.learner import Learner
from sensitivenets.annotation.proposals import Proposer

learner = Learner(Proposer(np.random.default_rng(0).standard_normal((60, 4))))
learner.propose(np.arange(60) % 2, 2)
print(learner._running[0].pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def learner():
    """One for all tests: a process takes seconds to start."""
    learner = Learner(Proposer(VECTORS, random_state=3))
    yield learner
    learner.close()


def is_alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_it_proposes_what_the_proposer_does_again_and_again(learner):
    for codes in (CODES, np.where(np.arange(60) < 20, CODES, -1)):
        found, expected = learner.propose(codes, 2), Proposer(VECTORS, None, 3).propose(codes, 2)
        np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-6)
        assert found.accuracy == expected.accuracy
    assert learner.propose(np.full(60, -1), 2) is None


def test_what_fails_there_is_told_here_and_ends_nothing(learner):
    with pytest.raises(RuntimeError, match=r"ValueError: .*broadcast"):
        learner.propose(CODES[:40], 2)
    assert learner.propose(CODES, 2).n_labelled == 60


def test_killed_it_is_started_again_and_closed_it_is_not(learner, wait_until):
    learner.propose(CODES, 2)
    process = learner._running[0]
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    with pytest.raises(RuntimeError, match="the classifier's process ended"):
        learner.propose(CODES, 2)
    assert learner.propose(CODES, 2).n_labelled == 60
    process = learner._running[0]
    learner.close()
    wait_until(lambda: not process.is_alive())
    for _ in range(2):
        with pytest.raises(RuntimeError, match="the classifier's process ended"):
            learner.propose(CODES, 2)
    assert learner._running is None


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_killed_with_its_server_it_ends(wait_until):
    server = subprocess.Popen(
        [sys.executable, "-c", ALIVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    pid = int(server.stdout.readline())
    assert is_alive(pid)
    server.kill()
    server.communicate()
    wait_until(lambda: not is_alive(pid))
