"""The secret behind a keyed code: made, saved in a file of its own, loaded with checks, rotated."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from sensitivenets.atomic import atomic_file, check_parent
from sensitivenets.errors import InputError
from sensitivenets.maps.model_folder import CONFIG, WEIGHTS

FORMAT_VERSION = 1
SECRET_BYTES = 32

_ID_DIGITS = 16
_ID_LABEL = b"sensitivenets code key id"
_LARGEST_FILE = 4096


@dataclass(frozen=True)
class CodeKey:
    """A secret of 256 bits, from which the directions and offsets of a code are derived.

    Whoever holds the key can compare new embeddings with the codes, and can undo the codes as if
    they were public. Whoever loses it can compare nothing more, and cannot get it back. It is
    never part of a model folder, and neither `repr` nor pickle shows it.

    Attributes
    ----------
    secret : bytes
        32 bytes.
    replaces : str or None
        Id of the key that this one was rotated from.
    """

    secret: bytes = field(repr=False)
    replaces: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.secret, bytes) or len(self.secret) != SECRET_BYTES:
            raise InputError(f"key: expected a secret of {SECRET_BYTES} bytes, found another")
        if self.replaces is not None and not is_key_id(self.replaces):
            raise InputError(
                f"key: expected to replace a key id of {_ID_DIGITS} hexadecimal digits, found "
                f"{self.replaces!r:.40}"
            )

    @classmethod
    def generate(cls) -> CodeKey:
        """Make a key from the randomness of the operating system."""
        return cls(secrets.token_bytes(SECRET_BYTES))

    @classmethod
    def from_seed(cls, seed: int) -> CodeKey:
        """Make the same key from the same number: for tests, and for codes that are public.

        It is no secret, because numbers can be tried one after the other.
        """
        return cls(hashlib.sha256(f"sensitivenets public code key {int(seed)}".encode()).digest())

    @property
    def key_id(self) -> str:
        """Sixteen hexadecimal digits that name the key and do not give it away."""
        return hashlib.sha256(_ID_LABEL + self.secret).hexdigest()[:_ID_DIGITS]

    def rotate(self) -> CodeKey:
        """Make a new key that remembers which one it replaces.

        Codes made with the old key cannot be turned into codes of the new one: embed again, or
        encode the embeddings again if they were kept. When that is done, delete the old key and
        the old codes; until then, whoever has both keys can link both sets of codes.
        """
        return CodeKey(secrets.token_bytes(SECRET_BYTES), self.key_id)

    def for_subject(self, subject: str) -> CodeKey:
        """Derive a key for the codes of one subject, who is then compared with nobody by accident.

        An adversary without the key learns from many codes of one key: who else is in another
        table (`measure_protection`), an attribute, the embedding (`invert_without_key`). With a
        key for each subject there are only a few codes of each. The price: a probe must claim to
        be someone, and is encoded with the key of that subject; nobody can be searched for.
        """
        return CodeKey(self.derive(f"key of the subject {subject}"))

    def derive(self, purpose: str) -> bytes:
        """Derive 32 bytes for one purpose (HMAC-SHA-256); purposes tell nothing of each other."""
        return hmac.digest(self.secret, purpose.encode(), "sha256")

    def save(self, path: str | Path) -> None:
        """Write the key to a new file that only its owner may read (mode 0600), atomically.

        Parameters
        ----------
        path : str or Path
            A file that does not exist yet: overwriting a key makes its codes useless.

        Raises
        ------
        InputError
            If something is there already, or the place is inside a model folder, which is made to
            be handed on.
        """
        path = Path(path)
        check_key_destination(path)
        record = {
            "library": "sensitivenets",
            "kind": "code key",
            "format_version": FORMAT_VERSION,
            "key_id": self.key_id,
            "replaces": self.replaces,
            "secret": self.secret.hex(),
        }
        with atomic_file(path, mode=0o600) as temporary:
            descriptor = os.open(temporary, os.O_WRONLY)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(json.dumps(record, indent=2) + "\n")
                file.flush()
                os.fsync(file.fileno())

    @classmethod
    def load(cls, path: str | Path) -> CodeKey:
        """Read a key file.

        Parameters
        ----------
        path : str or Path
            Written by `save`.

        Returns
        -------
        CodeKey

        Raises
        ------
        InputError
            If the file is missing, may be read by others, is damaged, of another kind, or of a
            newer version. No message shows the secret.
        """
        path = Path(path)
        record = _read_record(path)
        version = record.get("format_version")
        if not isinstance(version, int) or not 1 <= version <= FORMAT_VERSION:
            raise InputError(
                f"{path}: key of format {version!r:.20}; this version reads formats up to "
                f"{FORMAT_VERSION}; upgrade sensitivenets"
            )
        try:
            key = cls(bytes.fromhex(record["secret"]), record["replaces"])
        except (KeyError, TypeError, ValueError):
            raise InputError(f"{path}: damaged key; restore it from a copy") from None
        if key.key_id != record.get("key_id"):
            raise InputError(
                f"{path}: damaged key: its secret does not belong to its id "
                f"{record.get('key_id')!r:.40}; restore it from a copy"
            )
        return key

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not pickled; save it to a file of its own with CodeKey.save")


def is_key_id(text: Any) -> bool:
    """Tell whether a value can be the id of a key."""
    return (
        isinstance(text, str) and len(text) == _ID_DIGITS and set(text) <= set("0123456789abcdef")
    )


def check_key_destination(path: Path) -> None:
    """Refuse a place where a key must not be written.

    Raises
    ------
    InputError
        If something is there already, it is inside a model folder, or nothing can be made there.
    """
    check_parent(path)
    if path.exists() or path.is_symlink():
        raise InputError(
            f"{path}: already exists; a key is never overwritten, because its codes would be "
            "useless without it; choose another name"
        )
    # As it is named and as it is: a link may lead into a model folder.
    for folder in (*path.absolute().parents, *path.resolve().parents):
        if (folder / WEIGHTS).exists() and (folder / CONFIG).exists():
            raise InputError(
                f"{path}: inside the model folder {folder}, which is made to be handed on; "
                "keep the key elsewhere"
            )


def _read_record(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(f"{path}: no such key file; make one with `sensitivenets key new`")
    about = path.stat()
    if os.name == "posix" and stat.S_IMODE(about.st_mode) & 0o077:
        raise InputError(
            f"{path}: a key that others may read is no secret (mode "
            f"{stat.S_IMODE(about.st_mode):04o}); run `chmod 600 {path}`, and rotate it if others "
            "had access"
        )
    if about.st_size > _LARGEST_FILE:
        raise InputError(f"{path}: expected a key file, found {about.st_size} bytes")
    try:
        record = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        # Neither the message nor the cause: both quote the file.
        raise InputError(
            f"{path}: no key file, or a damaged one: not JSON; restore it from a copy"
        ) from None
    if not isinstance(record, dict) or record.get("kind") != "code key":
        raise InputError(f"{path}: expected a key file of `sensitivenets key new`, found another")
    return record
