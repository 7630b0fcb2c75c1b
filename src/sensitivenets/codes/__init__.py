"""Universal codes: short binary templates, keyed and cancellable, or public."""

from sensitivenets.codes.code_files import code_writer, is_code_file, read_codes, write_codes
from sensitivenets.codes.code_table import CodeTable, encode_table
from sensitivenets.codes.expected_distance import distance_of_cosine, expected_hamming
from sensitivenets.codes.hamming import hamming_distances, hamming_of_pairs, nearest_codes
from sensitivenets.codes.keys import CodeKey
from sensitivenets.codes.universal import CodeParameters, code_of_key, unpack
from sensitivenets.maps.universal_code import UniversalCode

__all__ = [
    "CodeKey",
    "CodeParameters",
    "CodeTable",
    "UniversalCode",
    "code_of_key",
    "code_writer",
    "distance_of_cosine",
    "encode_table",
    "expected_hamming",
    "hamming_distances",
    "hamming_of_pairs",
    "is_code_file",
    "nearest_codes",
    "read_codes",
    "unpack",
    "write_codes",
]
