"""Universal codes on real faces: recognition, and what codes give away without the key.

Usage: SENSITIVENETS_DATA=DIR python experiments/codes.py

Prints the tables of docs/codes_log.md. Takes about five minutes on one core.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from sensitivenets.audit.template_protection import (
    invert_with_key,
    invert_without_key,
    measure_protection,
)
from sensitivenets.codes import CodeKey, CodeParameters, code_of_key, encode_table
from sensitivenets.embeddings import EmbeddingTable, read_table
from sensitivenets.verification import Pairs, read_pairs, verify

CODES = ((512, 1.5), (1024, 1.5), (1024, 2.0), (2048, 2.0), (2048, 2.5))
KEYS = 5
KNOWN = (300, 3000)


def main() -> None:
    """Measure, one line a code."""
    data = Path(os.environ["SENSITIVENETS_DATA"])
    lfw = read_table(data / "lfw.parquet")
    pairs = read_pairs(data / "lfw_pairs.parquet", protocol="view2")
    print("raw", recognition(lfw, pairs), flush=True)
    for n_bits, scale in CODES:
        parameters = CodeParameters(lfw.dim, n_bits, scale)
        print(f"\n{n_bits} bits, scale {scale}")
        print_recognition(lfw, pairs, parameters)
        print_linkage(lfw, parameters)
        print_inversion(lfw, parameters)


def recognition(table: EmbeddingTable, pairs: Pairs) -> tuple[float, float]:
    """LFW accuracy and TAR at FMR 1e-3."""
    result = verify(table, pairs, n_bootstrap=2)
    return result.accuracy.value, result.tar_at_far(1e-3).value


def print_recognition(lfw: EmbeddingTable, pairs: Pairs, parameters: CodeParameters) -> None:
    """Print mean and range over keys."""
    rows = [
        recognition(encode_table(lfw, CodeKey.from_seed(seed), parameters).as_embeddings(), pairs)
        for seed in range(KEYS)
    ]
    for name, values in zip(("accuracy", "TAR at FMR 1e-3"), zip(*rows, strict=True), strict=True):
        print(f"  {name}: {np.mean(values):.4f} ({min(values):.4f} to {max(values):.4f})")


def print_linkage(lfw: EmbeddingTable, parameters: CodeParameters) -> None:
    """Print D_sys of each adversary across two keys."""
    result = measure_protection(
        lfw, lfw.labels("subject"), parameters, n_known=KNOWN, n_bootstrap=200
    )
    print(f"  same key: D_sys {result.same_key.d_sys}")
    for one in result.linkages:
        found = one.unlinkability
        known = f" with {one.n_known} known rows" if one.n_known else ""
        print(
            f"  {one.adversary}{known}, {one.mated}: D_sys {found.d_sys} (chance up to "
            f"{100 * found.chance:.1f} %; {found.n_mated} + {found.n_non_mated})"
        )
    print(f"  revoked code accepted at FMR {result.fmr}: {result.revoked_accepted}", flush=True)


def print_inversion(lfw: EmbeddingTable, parameters: CodeParameters) -> None:
    """Print the cosine of recovered embeddings; rows are ordered at random."""
    rows = lfw.vectors[np.random.default_rng(0).permutation(len(lfw))]
    code = code_of_key(CodeKey.from_seed(0), parameters)
    for n_known in KNOWN:
        found = invert_without_key(code(rows), rows, n_known)
        print(f"  without key, {n_known} known pairs: cosine {found.cosine:.3f}")
    found = invert_with_key(code, rows, 3000)
    print(f"  with key: cosine {found.cosine:.3f} (mean row {found.chance_cosine:.3f})", flush=True)


if __name__ == "__main__":
    main()
