"""What the command line says to a command, an option or a value that it does not know."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cyclopts import App, Argument, CycloptsError, MissingArgumentError
from cyclopts.exceptions import UnknownCommandError, UnknownOptionError, UnusedCliTokensError

from sensitivenets.errors import did_you_mean

# Words for one idea, here and elsewhere: who knows one is told which of them a command takes.
_ONE_IDEA = (
    ("--attribute", "--attributes", "--remove", "--sensitive", "--group"),
    ("--identity", "--subject", "--id", "--person", "--who"),
    ("--image", "--image-column", "--file", "--photo"),
    ("--images", "--photos", "--folder"),
    ("--out", "--output", "-o"),
    ("--overwrite", "--force", "-f"),
    ("--quick", "--full", "--fast", "--whole"),
    ("--random-state", "--seed"),
    ("--n-jobs", "--n-threads", "--jobs", "--threads", "--workers", "-j"),
    ("--where", "--filter", "--rows"),
    ("--set", "--param", "--parameter", "--settings"),
    ("--embedding", "--column", "--vectors"),
    ("--method", "--methods"),
)


def explain(error: CycloptsError) -> str:
    """Say in one line what is wrong with a command line, and what to do.

    Parameters
    ----------
    error : CycloptsError
        As it was raised: with the command it belongs to.

    Returns
    -------
    str
        Without a full stop; it ends with the help page to read.
    """
    chain = " ".join(error.command_chain or ())
    said = _said(error, chain)
    page = " ".join(["sensitivenets", *chain.split(), "--help"])
    return f"{said}{' ' if said.endswith('?') else '; '}`{page}` says what is expected"


def _said(error: CycloptsError, command: str) -> str:
    if isinstance(error, UnknownCommandError) and error.unused_tokens and error.app is not None:
        return _unknown_command(error.unused_tokens[0], error.app)
    if isinstance(error, UnknownOptionError):
        found = error.token.keyword or error.token.value
        return _unknown_option(found, _names(error.argument_collection), command)
    if isinstance(error, MissingArgumentError) and error.app is not None:
        # What is missing may have been given under another name.
        taken = _names(error.app.assemble_argument_collection())
        options = [word for word in error.unused_tokens or () if word.startswith("--")]
        strange = [word for word in options if word.partition("=")[0] not in taken]
        if strange:
            return _unknown_option(strange[0], taken, command)
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        left = " ".join(error.unused_tokens)
        return f"no option takes {left!r}; an option is given once for each value"
    return str(error).rstrip(".")


def _names(arguments: Iterable[Argument]) -> list[str]:
    return [name for one in arguments for name in one.names]


def _unknown_command(found: str, app: App) -> str:
    known = [name for name in app if not name.startswith("-")]
    listed = ", ".join(sorted(known))
    return f"no command {found!r}; {did_you_mean(found, known)}the commands are {listed}"


def _unknown_option(found: str, taken: Sequence[str], command: str) -> str:
    """Name the option of the same idea, or else one that is spelt alike."""
    option = found.partition("=")[0]
    for words in _ONE_IDEA:
        here = [name for name in words if name in taken]
        if option in words and here:
            return f"no option {option}; {command} takes {here[0]} for that"
    near = did_you_mean(option, (name for name in taken if name.startswith("--")))
    return f"no option {option}; {near}".replace("'", "").rstrip("; ")
