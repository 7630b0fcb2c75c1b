"""A universal code that is public: a map like any other, in a model folder like any other."""

from __future__ import annotations

import numpy as np

from sensitivenets.codes.keys import CodeKey
from sensitivenets.codes.universal import CodeParameters, UniversalCode
from sensitivenets.erasers.base import Eraser, FitData, Learned


class PublicCode(Eraser):
    """Replace embeddings by the bits of a universal code, as unit rows of +-1 / sqrt(n_bits).

    It knows nothing of the attributes: it blurs what lies far apart, on which attackers who
    generalise over people depend, and keeps what lies near, by which a person is recognised.
    Whoever has the model folder has the directions, and can train an inverter: audit with the
    map. For codes with a secret key, see `codes.CodeKey`.

    Parameters
    ----------
    n_bits : int, default=1024
        Features of the output, a multiple of 8.
    scale : float, default=1.5
        s of `UniversalCode`; see `template_protection.choose_scale`.
    random_state : int, RandomState or None, default=None
        Decides directions and offsets.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((20, 8)).astype(np.float32)
    >>> sensitive = ["a", "b"] * 10
    >>> PublicCode(n_bits=64, random_state=0).fit_transform(X, sensitive=sensitive).shape
    (20, 64)
    """

    def __init__(
        self,
        *,
        n_bits: int = 1024,
        scale: float = 1.5,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_bits = n_bits
        self.scale = scale
        self.random_state = random_state

    def _learn(self, data: FitData) -> Learned:
        parameters = CodeParameters(data.X.shape[1], self.n_bits, self.scale)
        return Learned(UniversalCode.of_key(CodeKey.from_seed(data.seed), parameters))
