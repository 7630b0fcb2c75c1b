"""The bytes of pgvector, by hand."""

import struct

import numpy as np

from sensitivenets.connectors.vector_bytes import array_of_vectors, lists_of


def test_vectors_of_any_length_are_received_and_null_stays_null():
    received = [struct.pack(">hh2f", 2, 0, 1.5, -2), None, struct.pack(">hh1f", 1, 0, 0.25)]
    assert lists_of(received).to_pylist() == [[1.5, -2.0], None, [0.25]]
    assert lists_of([]).to_pylist() == []


def test_a_matrix_is_sent_as_an_array_of_vectors():
    sent = array_of_vectors(np.array([[1.5, -2], [3, 4]], dtype=np.float32), 77)
    assert sent == (
        struct.pack(">5i", 1, 0, 77, 2, 1)
        + struct.pack(">ihh2f", 12, 2, 0, 1.5, -2)
        + struct.pack(">ihh2f", 12, 2, 0, 3, 4)
    )
