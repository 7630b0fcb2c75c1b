"""Drawn faces with an attribute, for tests, examples and pictures that may be published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sensitivenets.embeddings import Labels, encode
from sensitivenets.errors import require_int
from sensitivenets.faces.images import Image

_SIDE = 112
# Darker than any skin: a small classifier learns it from some dozens of people.
_BEARD = (45, 35, 30)


@dataclass(frozen=True)
class DrawnFaces:
    """Cartoons of people.

    Attributes
    ----------
    pixels : ndarray of shape (n, 112, 112, 3), uint8
        Eyes and mouth about where aligned faces have them.
    subjects : Labels
        Who is drawn.
    beards : Labels
        The attribute, ``"no"`` or ``"yes"``: one value a subject.
    """

    pixels: Image
    subjects: Labels
    beards: Labels


def drawn_faces(
    n_subjects: int = 20, images_per_subject: int = 4, *, random_state: int = 0
) -> DrawnFaces:
    """Draw people, each in several lights and positions; half of them have beards.

    Parameters
    ----------
    n_subjects : int, default=20
        People.
    images_per_subject : int, default=4
        Pictures of each.
    random_state : int, default=0
        Decides how they look.

    Returns
    -------
    DrawnFaces
        Pictures of one subject lie together.

    Examples
    --------
    >>> drawn_faces(2, 3).pixels.shape
    (6, 112, 112, 3)
    """
    require_int("n_subjects", n_subjects, minimum=1)
    require_int("images_per_subject", images_per_subject, minimum=1)
    rng = np.random.default_rng(random_state)
    pixels, beards = [], []
    for subject in range(n_subjects):
        look = _Look.draw(rng, beard=subject % 2 == 1)
        pixels += [_picture(look, rng) for _ in range(images_per_subject)]
        beards += ["yes" if look.beard else "no"] * images_per_subject
    names = np.repeat([f"person {k}" for k in range(n_subjects)], images_per_subject)
    subjects = encode("subject", names.tolist())
    return DrawnFaces(np.stack(pixels), subjects, encode("beard", beards))


@dataclass(frozen=True)
class _Look:
    skin: tuple[int, ...]
    hair: tuple[int, ...]
    backdrop: tuple[int, ...]
    width: int
    fringe: int
    eye: int
    brow: int
    nose: int
    mouth: int
    beard: bool

    @classmethod
    def draw(cls, rng: np.random.Generator, *, beard: bool) -> _Look:
        skin = np.array([235, 195, 165]) * rng.uniform(0.4, 1.0) + rng.uniform(-12, 12, 3)
        hair = rng.uniform(0.1, 1.0) * np.array([200, 150, 90]) + rng.uniform(-10, 30, 3)
        return cls(
            skin=_colour(skin),
            hair=_colour(hair),
            backdrop=_colour(rng.uniform(40, 220, 3)),
            width=int(rng.integers(34, 46)),
            fringe=int(rng.integers(14, 34)),
            eye=int(rng.integers(3, 7)),
            brow=int(rng.integers(1, 5)),
            nose=int(rng.integers(6, 16)),
            mouth=int(rng.integers(8, 18)),
            beard=beard,
        )


def _picture(look: _Look, rng: np.random.Generator) -> Image:
    """Draw one picture: light, smile, a shift by a pixel or two, and noise differ."""
    import cv2

    face = np.full((_SIDE, _SIDE, 3), look.backdrop, dtype=np.uint8)
    x, y = (int(v) for v in 56 + rng.integers(-2, 3, 2))
    smooth: dict[str, Any] = {"lineType": cv2.LINE_AA}
    cv2.ellipse(face, (x, y - 2), (look.width + 6, 56), 0, 0, 360, look.hair, -1, **smooth)
    cv2.ellipse(face, (x, y + 8), (look.width, 50), 0, 0, 360, look.skin, -1, **smooth)
    cv2.ellipse(face, (x, y - 42), (look.width, look.fringe), 0, 0, 360, look.hair, -1, **smooth)
    mouth, smile = (x, y + 34), int(rng.integers(2, 7))
    if look.beard:
        middle = (x, y + 44)
        cv2.ellipse(face, middle, (look.width - 6, 22), 0, -20, 200, _BEARD, -1, **smooth)
    cv2.ellipse(face, mouth, (look.mouth, smile), 0, 0, 180, (150, 40, 50), -1, **smooth)
    for eye in (x - 18, x + 18):
        cv2.ellipse(face, (eye, y - 4), (8, look.eye), 0, 0, 360, (245, 245, 245), -1, **smooth)
        cv2.circle(face, (eye, y - 4), 3, (30, 25, 20), -1, **smooth)
        cv2.line(face, (eye - 9, y - 15), (eye + 9, y - 15), look.hair, look.brow, **smooth)
    cv2.line(face, (x, y), (x, y + look.nose), tuple(v * 3 // 4 for v in look.skin), 2, **smooth)
    light = rng.uniform(0.8, 1.15)
    noisy = face * light + rng.normal(0, 4, face.shape)
    picture: Image = noisy.clip(0, 255).astype(np.uint8)
    return picture


def _colour(values: Any) -> tuple[int, ...]:
    return tuple(int(v) for v in np.clip(values, 0, 255))
