"""Routed transport followed by a universal code: what the transport leaves is blurred."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from sensitivenets.codes.keys import CodeKey
from sensitivenets.codes.universal import CodeParameters, code_of_key
from sensitivenets.embeddings import FloatArray
from sensitivenets.erasers.base import Eraser, FitData, Learned, parameterised
from sensitivenets.erasers.transport.adaptable import Adaptable
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.maps.base import FittedMap
from sensitivenets.maps.chain import Chain
from sensitivenets.maps.projection import Projection


@parameterised
class CodedTransport(Adaptable, Eraser):
    """Move the groups together, then keep only who is near whom.

    `RoutedTransport` makes the first two moments of the predicted groups agree; what attackers
    still read is in how rows lie among their neighbours. A universal code keeps small distances,
    by which a person is recognised, and makes large ones all alike, from which attackers learn.
    Rows are centred between the two: some networks put all faces near one direction, where a code
    takes strangers for near.

    The code of the model folder is public: with it an inverter can be trained, so audit with the
    map. Where the code must be secret, fit `RoutedTransport` and encode with a `codes.CodeKey`.

    Parameters
    ----------
    n_rounds : int, default=3
        Rounds of transport.
    n_bits : int, default=1024
        Features of the output, a multiple of 8. At one scale more bits keep more of everything.
    scale : float, default=1.5
        s of `codes.UniversalCode`: the larger, the nearer two rows must be to be told alike.
    random_state : int, RandomState or None, default=None
        Decides held-out rows, directions and offsets.

    Attributes
    ----------
    model_ : Model
        The fitted map, a chain of the transport, a centring and the code, with the curve of the
        transport.

    See Also
    --------
    sensitivenets.tradeoff.BudgetedTransport : chooses rounds, bits and scale by what may be lost.

    Examples
    --------
    >>> from sensitivenets.datasets.synthetic import synthetic_diveface
    >>> table = synthetic_diveface(n_subjects=300, images_per_subject=3, dim=32, random_state=0)
    >>> eraser = CodedTransport(n_rounds=1, n_bits=64, random_state=0)
    >>> eraser.fit_transform(table.vectors, sensitive={"gender": table.column("gender")}).shape
    (900, 64)
    """

    n_rounds: int = 3
    n_bits: int = 1024
    scale: float = 1.5

    _learns_from_unlabelled: ClassVar[bool] = True

    def _learn(self, data: FitData) -> Learned:
        parameters = CodeParameters(data.X.shape[1], self.n_bits, self.scale)
        transport = RoutedTransport(n_rounds=self.n_rounds)._learn(data)
        parameters = replace(parameters, n_features=transport.map.n_features_out)
        return Learned(
            coded(transport.map, data.X_sensitive, parameters, data.seed), transport.curve
        )


def coded(transport: FittedMap, X: FloatArray, parameters: CodeParameters, seed: int) -> Chain:
    """Put a public universal code after a map, around the mean of what the map gives.

    Parameters
    ----------
    transport : FittedMap
        Applied first.
    X : ndarray of shape (n, d)
        Rows before it, like those that will be coded: their mean after it becomes the origin.
    parameters : CodeParameters
        Of the code; its features are those that `transport` gives.
    seed : int
        Seed of the public code.

    Returns
    -------
    Chain
        The map, the centring and the code.
    """
    return coded_around(transport, transport(X).mean(axis=0), parameters, seed)


def coded_around(
    transport: FittedMap, center: FloatArray, parameters: CodeParameters, seed: int
) -> Chain:
    """Put a public universal code after a map; `center` (k,) becomes the origin (see `coded`)."""
    centring = Projection(np.eye(len(center), dtype=np.float32), -center.astype(np.float32))
    return Chain((transport, centring, code_of_key(CodeKey.from_seed(seed), parameters)))


@parameterised
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

    n_bits: int = 1024
    scale: float = 1.5

    _needs_attributes: ClassVar[bool] = False

    def _learn(self, data: FitData) -> Learned:
        parameters = CodeParameters(data.X.shape[1], self.n_bits, self.scale)
        return Learned(code_of_key(CodeKey.from_seed(data.seed), parameters))
