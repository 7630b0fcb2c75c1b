"""The classifier in a process of its own: what it computes keeps nobody waiting."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from sensitivenets.annotation.proposals import IntArray, Proposals, Proposer

_NICENESS = 5
#: New decisions after which the classifier is fitted again at once.
EVERY = 20
#: Seconds without a decision after which it is fitted again for fewer.
PAUSE = 4.0
# Seconds for a process or a thread to end by itself.
_PATIENCE = 5.0


class Learner:
    """Does what `Proposer` does, in another process; for one thread at a time.

    In a thread it would hold Python's lock while libraries are imported or arrays prepared, 50 ms
    in one piece, and whoever decides meanwhile would wait.

    Parameters
    ----------
    proposer : Proposer
        Is copied to the process, once.
    """

    def __init__(self, proposer: Proposer) -> None:
        self._proposer = proposer
        self._running: tuple[BaseProcess, Connection] | None = None
        self._closed = threading.Event()

    def propose(self, codes: IntArray, n_classes: int) -> Proposals | None:
        """Fit on the labelled rows and say what all rows are; see `Proposer.propose`.

        The process is started if it is not running: at the first call, or after it was killed.

        Raises
        ------
        RuntimeError
            If the classifier failed, or its process ended.
        """
        try:
            connection = self._connection()
            connection.send((codes, n_classes))
            answer = connection.recv()
        except (EOFError, OSError) as error:
            self._end()
            raise RuntimeError(
                "the classifier's process ended; it is started again with the next labels"
            ) from error
        if isinstance(answer, RuntimeError):
            raise answer
        made: Proposals | None = answer
        return made

    def close(self) -> None:
        """End the process, whatever it is at; a call that waits for it fails."""
        self._closed.set()
        if self._running is not None:
            self._running[0].terminate()

    def _connection(self) -> Connection:
        if self._closed.is_set():
            raise EOFError
        if self._running is None:
            # Spawned: a copy of this process would hold its sockets and locks.
            context = multiprocessing.get_context("spawn")
            mine, its = context.Pipe()
            process = context.Process(target=_learn, args=(its,), daemon=True)
            # Its start would let interrupts through again.
            resource_tracker.ensure_running()
            with _without_interrupts():
                process.start()
            # Held by that process alone, so that its end is noticed here.
            its.close()
            self._running = process, mine
            if self._closed.is_set():
                process.terminate()
            # Not with its start, which would wait for ever for one that dies meanwhile.
            mine.send(self._proposer)
        return self._running[1]

    def _end(self) -> None:
        if self._running is not None:
            process, connection = self._running
            connection.close()
            process.terminate()
            process.join(_PATIENCE)
            if process.is_alive():
                process.kill()
            self._running = None


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Keep Ctrl-C from this thread, and from a process that it starts."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _learn(connection: Connection) -> None:
    """Answer until the other end is closed, by a kill perhaps."""
    from threadpoolctl import threadpool_limits

    # Ctrl-C reaches both; the server decides when this one ends. Until here it was held back.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    # One core stays free for those who decide meanwhile.
    n_threads = max((os.cpu_count() or 1) - 1, 1)
    with contextlib.suppress(EOFError, OSError), threadpool_limits(n_threads):
        proposer: Proposer = connection.recv()
        while True:
            codes, n_classes = connection.recv()
            connection.send(_answer(proposer, codes, n_classes))


def _answer(proposer: Proposer, codes: IntArray, n_classes: int) -> Proposals | RuntimeError | None:
    try:
        return proposer.propose(codes, n_classes)
    except Exception as error:  # noqa: BLE001
        # Another process may not know its class: told in words.
        return RuntimeError(f"{type(error).__name__}: {error}")


class Trainer:
    """Calls a function in a thread of its own, whenever enough has changed.

    Parameters
    ----------
    train : callable
        Fits the classifier.
    """

    def __init__(self, train: Callable[[], None]) -> None:
        self._train = train
        self._changed = threading.Condition()
        self._new = 0
        self._stopped = False
        self.training = False
        self.error: str | None = None
        self._thread = threading.Thread(target=self._run, name="trainer", daemon=True)

    def start(self) -> None:
        """Begin, and fit at once: labels of the table may have changed since the last time."""
        self._new = EVERY
        self.training = True
        self._thread.start()

    def notice(self, n_decisions: int) -> None:
        """Tell of new decisions."""
        with self._changed:
            self._new += n_decisions
            self._changed.notify()

    def stop(self) -> None:
        """End the thread after what it is at; one that does not end, ends with the program."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(_PATIENCE)

    def _run(self) -> None:
        while self._wait():
            try:
                self._train()
                self.error = None
            except Exception as error:  # noqa: BLE001
                # Labelling goes on without proposals; the page says why there are none.
                self.error = f"{type(error).__name__}: {error}"
            finally:
                self.training = False

    def _wait(self) -> bool:
        with self._changed:
            while not self._stopped and self._new < EVERY:
                before = self._new
                woken = self._changed.wait(PAUSE if self._new else None)
                if not woken and self._new == before > 0:
                    break
            self._new = 0
            self.training = not self._stopped
            return not self._stopped
