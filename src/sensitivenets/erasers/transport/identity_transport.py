"""Hide who by transport: people who look alike are one group, and all groups become the same."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
from sklearn.cluster import KMeans

from sensitivenets.codes.universal import CodeParameters
from sensitivenets.embeddings import FloatArray, Labels
from sensitivenets.embeddings.labels import joint
from sensitivenets.embeddings.rows import normalise_rows
from sensitivenets.erasers.base import Eraser, FitData, Learned, parameterised
from sensitivenets.erasers.transport.coded_transport import coded
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.errors import FewRowsWarning, require_int, require_real
from sensitivenets.maps.base import FittedMap
from sensitivenets.maps.chain import Chain


@parameterised
class IdentityTransport(Eraser):
    """Move clusters of identities onto one another, again and again.

    Transport needs groups of many rows, and an identity has few. Identities are therefore clustered
    by their means (k-means), the clusters are the groups of a round of `RoutedTransport`, and the
    next round clusters what is left anew. What tells the people of one cluster apart is not moved;
    a code after it blurs what lies far apart, and keeps what lies near, which is the same person.

    Parameters
    ----------
    n_groups : int, default=8
        Clusters of identities; at most as many as there are identities.
    n_rounds : int, default=5
        Clusterings, each with its transport.
    n_bits : int, optional
        Bits of a universal code behind the transport, a multiple of 8; none unless given.
    scale : float, default=1.5
        Of the code: the larger, the nearer two rows must be to be told alike.
    random_state : int, RandomState or None, default=None
        Decides first centres, held-out rows, and the code.

    Attributes
    ----------
    model_ : Model
        Its map is a chain of the rounds; its curve says how many rows the smallest cluster of each
        round has.
    """

    n_groups: int = 8
    n_rounds: int = 5
    n_bits: int | None = None
    scale: float = 1.5

    def _learn(self, data: FitData) -> Learned:
        require_int("n_groups", self.n_groups, minimum=2)
        require_int("n_rounds", self.n_rounds, minimum=1)
        require_real("scale", self.scale, above=0)
        identity = joint(data.attributes)
        X, rng = data.X_sensitive, np.random.default_rng(data.seed)
        parts: list[FittedMap] = []
        curve = []
        for number in range(1, self.n_rounds + 1):
            seed = int(rng.integers(2**31))
            clusters = cluster_identities(X, identity, self.n_groups, seed)
            with warnings.catch_warnings():
                # It forecasts what is read of a cluster, which nobody wants to hide.
                warnings.simplefilter("ignore", FewRowsWarning)
                part = RoutedTransport(n_rounds=1)._learn(
                    FitData(X, None, X, {clusters.name: clusters}, seed)
                )
            parts += part.map.parts if isinstance(part.map, Chain) else [part.map]
            X = part.map(X)
            sizes = np.bincount(clusters.codes[clusters.labelled])
            curve.append({"round": number, "smallest_cluster": int(sizes.min())})
        whole = Chain(tuple(parts))
        if self.n_bits is None:
            return Learned(whole, tuple(curve))
        parameters = CodeParameters(whole.n_features_out, self.n_bits, self.scale)
        return Learned(
            _flat(coded(whole, data.X_sensitive, replace(parameters), data.seed)), tuple(curve)
        )


def _flat(chain: Chain) -> Chain:
    """Make a chain of chains one chain, as a model folder holds it."""
    parts: list[FittedMap] = []
    for part in chain.parts:
        parts += part.parts if isinstance(part, Chain) else [part]
    return Chain(tuple(parts))


def cluster_identities(X: FloatArray, identity: Labels, n_groups: int, seed: int) -> Labels:
    """Cluster identities by the mean of their rows; all rows of a person are in one cluster.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Embeddings.
    identity : Labels
        Of each row; an unlabelled row is in no cluster.
    n_groups : int
        Clusters at most; clusters of one identity are possible.
    seed : int
        Decides the first centres.

    Returns
    -------
    Labels
        The cluster of each row.
    """
    known = identity.labelled
    codes = identity.codes[known]
    counts = np.bincount(codes, minlength=len(identity.classes))
    means = np.zeros((len(identity.classes), X.shape[1]))
    np.add.at(means, codes, X[known])
    present = counts > 0
    means = means[present] / counts[present, None]
    normalise_rows(means)
    n_groups = min(n_groups, len(means))
    found = KMeans(n_groups, n_init=1, random_state=seed).fit_predict(means)
    of_identity = np.full(len(identity.classes), -1)
    of_identity[present] = found
    clusters = np.full(len(identity), -1, dtype=np.int64)
    clusters[known] = of_identity[codes]
    return Labels("cluster", clusters, tuple(map(str, range(n_groups))))
