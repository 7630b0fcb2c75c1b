"""The entry point: commands, and how their errors and warnings are shown."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from cyclopts import App, CycloptsError, Group, Parameter

from sensitivenets.cli.adapt import adapt
from sensitivenets.cli.annotate import annotate
from sensitivenets.cli.audit import audit
from sensitivenets.cli.benchmark import benchmark
from sensitivenets.cli.dataset import dataset
from sensitivenets.cli.demo import demo
from sensitivenets.cli.diveface import diveface
from sensitivenets.cli.embed import embed
from sensitivenets.cli.encode import encode
from sensitivenets.cli.export import export
from sensitivenets.cli.fairness import fairness
from sensitivenets.cli.fit import fit
from sensitivenets.cli.help_pages import PHOTOGRAPHS, PROTECT, PROVE, TOOLS, examples
from sensitivenets.cli.info import info
from sensitivenets.cli.key import key
from sensitivenets.cli.methods import methods
from sensitivenets.cli.output import open_streams, plain
from sensitivenets.cli.protect import protect
from sensitivenets.cli.transform import transform
from sensitivenets.cli.usage_errors import explain
from sensitivenets.cli.verify import verify
from sensitivenets.errors import InputError
from sensitivenets.version import __version__

# In the order in which they are used.
_COMMANDS: dict[Group, tuple[Callable[..., int | None] | App, ...]] = {
    PHOTOGRAPHS: (embed, dataset, diveface, annotate),
    PROTECT: (protect, fit, adapt, transform, key, encode, export),
    PROVE: (audit, verify, fairness, benchmark),
    TOOLS: (demo, methods, info),
}

_FAILED = 2
_LARGEST_SEED = 2**32 - 1
# Characters: a name in a file may be megabytes long.
_LONGEST_LINE = 2000
_INTERRUPTED = 128 + signal.SIGINT
_TERMINATED = 128 + signal.SIGTERM


def make_app() -> App:
    """Build the command line."""
    app = App(
        name="sensitivenets",
        help="Agnostic embeddings: remove sensitive attributes, keep the task, and prove what "
        "still leaks.",
        version=__version__,
        suppress_keyboard_interrupt=False,
        help_format="markdown",
        default_parameter=Parameter(negative=()),
    )
    for group, commands in _COMMANDS.items():
        for place, command in enumerate(commands):
            if isinstance(command, App):
                command.group, command.sort_key = (group,), place
                app.command(command)
            else:
                name = command.__name__
                app.command(
                    command,
                    group=group,
                    sort_key=place,
                    help_epilogue=examples(name),
                    validator=_check_seed,
                )
    return app


def _check_seed(**given: Any) -> None:
    """Refuse a seed that no generator takes, before any work."""
    seed = given.get("random_state")
    if seed is not None and not 0 <= seed <= _LARGEST_SEED:
        raise ValueError(f"--random-state: expected 0 to {_LARGEST_SEED}, found {seed}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows ``sensitivenets``; taken from the process unless given.

    Returns
    -------
    int
        0; 2 for an error in what was given, explained in one line on stderr; 3 for an audit whose
        measurement is not valid; 130 if interrupted.
        Anything else that goes wrong is a bug and shows its traceback.
    """
    open_streams()
    _exit_on_termination()
    with warnings.catch_warnings():
        warnings.simplefilter("default", UserWarning)
        warnings.showwarning = _show_warning
        try:
            code: int | None = make_app()(
                sys.argv[1:] if arguments is None else arguments,
                exit_on_error=False,
                print_error=False,
                result_action="return_value",
            )
            sys.stdout.flush()
        except CycloptsError as error:
            return _fail(explain(error))
        except InputError as error:
            return _fail(str(error))
        except BrokenPipeError:
            # Whoever read our output has seen enough; keep the interpreter from flushing to it.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            return _fail(f"{where}{error.strerror or error}")
        except MemoryError as error:
            return _fail(f"out of memory: {error or 'use fewer rows'}")
        except KeyboardInterrupt:
            return _fail("interrupted", _INTERRUPTED)
    return code or 0


def _fail(message: str, code: int = _FAILED) -> int:
    _to_stderr("error", message)
    return code


def _show_warning(message: Warning | str, *args: Any, **kwargs: Any) -> None:
    del args, kwargs  # the place in the code means nothing to whoever typed a command
    _to_stderr("warning", str(message))


def _to_stderr(kind: str, message: str) -> None:
    one_line = plain(" ".join(message.split()))
    if len(one_line) > _LONGEST_LINE:
        half = _LONGEST_LINE // 2
        # What was found is at the start, what to do at the end.
        one_line = f"{one_line[:half]} ... {one_line[-half:]}"
    sys.stderr.write(f"{kind}: {one_line}\n")


def _exit_on_termination() -> None:
    """Make SIGTERM unwind like an exception, so that half-written files are removed."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)


def _terminate(*args: Any) -> None:
    del args
    raise SystemExit(_TERMINATED)
