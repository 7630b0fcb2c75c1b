"""Re-training in the background as labels come in."""

from __future__ import annotations

import threading
from collections.abc import Callable

#: New decisions after which the classifier is fitted again at once.
EVERY = 20
#: Seconds without a decision after which it is fitted again for fewer.
PAUSE = 4.0


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
        """End the thread after what it is at."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join()

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
