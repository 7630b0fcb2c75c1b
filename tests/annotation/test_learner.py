"""The classifier's process: same answers, and what a kill of either side leaves."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
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


LARGE = RNG.standard_normal((4000, 64)).astype(np.float32)


def just_started(wait_until, before):
    """Process id of a learner's process, as soon as it has one."""
    return wait_until(lambda: set(multiprocessing.active_children()) - before).pop().pid


def in_a_thread(learner):
    """Let it propose for more rows than a pipe holds; what came of it is put into a list."""
    said = []

    def propose():
        try:
            said.append(learner.propose(np.arange(len(LARGE)) % 2, 2))
        except RuntimeError as error:
            said.append(error)

    thread = threading.Thread(target=propose)
    thread.start()
    return thread, said


def test_a_process_that_dies_at_its_start_makes_nobody_wait(wait_until, patience):
    learner, before = Learner(Proposer(LARGE)), set(multiprocessing.active_children())
    thread, said = in_a_thread(learner)
    os.kill(just_started(wait_until, before), signal.SIGKILL)
    thread.join(patience)
    assert not thread.is_alive()
    assert isinstance(said[0], RuntimeError)
    learner.close()


def test_an_interrupt_at_its_start_does_not_end_it(wait_until, patience):
    learner, before = Learner(Proposer(VECTORS)), set(multiprocessing.active_children())
    told = []
    thread = threading.Thread(target=lambda: told.append(learner.propose(CODES, 2)))
    thread.start()
    pid = just_started(wait_until, before)
    for _ in range(20):
        # Ctrl-C reaches every process of a terminal, again and again while libraries are imported.
        os.kill(pid, signal.SIGINT)
        thread.join(0.05)
    thread.join(patience)
    assert told[0].n_labelled == 60
    learner.close()


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
