"""How much memory a block of code takes, at its most."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass
class Peak:
    """Filled when the block ends.

    Attributes
    ----------
    taken : int or None
        Bytes of resident memory on top of what the process held before; None if the system does
        not tell.
    """

    taken: int | None = None


@contextmanager
def peak_memory() -> Iterator[Peak]:
    """Measure the resident memory of a block: its peak less what was there before.

    Yields
    ------
    Peak
        Its `taken` is there after the block. Linux tells exactly. Elsewhere the peak counts since
        the process began, so what it took before may hide some.
    """
    peak = Peak()
    before = _start()
    yield peak
    if before is not None:
        peak.taken = max(_highest() - before, 0)


def _start() -> int | None:
    """Forget the peak so far; return what is held now."""
    if sys.platform == "win32":
        return None
    # What is garbage already would be swept up within the block, and hide what the block takes.
    gc.collect()
    _give_back()
    try:
        # Writing 5 resets VmHWM to what is resident now (proc(5)).
        _CLEAR.write_text("5", encoding="ascii")
        return _field("VmRSS")
    except OSError:
        return _highest()


def _give_back() -> None:
    """Return what the allocator holds and nobody uses: the block would take it unseen."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _highest() -> int:
    try:
        return _field("VmHWM")
    except OSError:
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _field(name: str) -> int:
    """Read a line of /proc/self/status, such as ``VmHWM:  1234 kB``, in bytes."""
    for line in _STATUS.read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    raise OSError(f"{_STATUS}: no {name}")
