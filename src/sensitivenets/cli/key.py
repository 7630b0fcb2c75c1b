"""``sensitivenets key``: make, rotate and look at the keys of codes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App

from sensitivenets.cli.help_pages import examples
from sensitivenets.cli.output import print_json, print_line

if TYPE_CHECKING:
    from sensitivenets.codes.keys import CodeKey

key = App(
    name="key", help="Make, rotate and look at the keys of codes.", help_epilogue=examples("key")
)


@key.command(help_epilogue=examples("key new"))
def new(path: Path, /, *, json: bool = False) -> None:
    """Make a key from the randomness of the system, in a file that only you may read.

    Parameters
    ----------
    path
        File to make; never one that is there. Keep a copy: without the key, its codes are useless.
    json
        Write the result as JSON.
    """
    from sensitivenets.codes.keys import CodeKey

    made = CodeKey.generate()
    made.save(path)
    _print_key(made, path, json=json)


@key.command(help_epilogue=examples("key rotate"))
def rotate(old: Path, /, *, out: Path, json: bool = False) -> None:
    """Make a new key in the place of an old one.

    The old file stays: encode the embeddings again with the new key, then delete the old key and
    its codes.

    Parameters
    ----------
    old
        File of the key to replace.
    out
        File to make.
    json
        Write the result as JSON.
    """
    from sensitivenets.codes.keys import CodeKey

    made = CodeKey.load(old).rotate()
    made.save(out)
    _print_key(made, out, json=json)


@key.command(help_epilogue=examples("key show"))
def show(path: Path, /, *, json: bool = False) -> None:
    """Check a key file, and show the id of the key; never the secret.

    Parameters
    ----------
    path
        The file.
    json
        Write the result as JSON.
    """
    from sensitivenets.codes.keys import CodeKey

    _print_key(CodeKey.load(path), path, json=json)


def _print_key(shown: CodeKey, path: Path, *, json: bool) -> None:
    if json:
        print_json({"key": str(path), "key_id": shown.key_id, "replaces": shown.replaces})
    else:
        replaces = f", replaces {shown.replaces}" if shown.replaces else ""
        print_line(f"key {shown.key_id}{replaces}: {path}")
