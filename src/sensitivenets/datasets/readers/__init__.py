"""Readers of published face data sets: their files as tables of labels and lists of pairs."""

from sensitivenets.datasets.readers.celeba import read_celeba
from sensitivenets.datasets.readers.face_list import FaceList
from sensitivenets.datasets.readers.faircvdb import read_faircvdb
from sensitivenets.datasets.readers.fairface import read_fairface
from sensitivenets.datasets.readers.joining import join_embeddings
from sensitivenets.datasets.readers.label_file import read_label_file
from sensitivenets.datasets.readers.lfw import read_lfw
from sensitivenets.datasets.readers.rfw import read_rfw
from sensitivenets.datasets.readers.utkface import read_utkface
from sensitivenets.datasets.readers.verification_bin import VerificationBin, read_bin
from sensitivenets.datasets.readers.vggface2 import read_vggface2

__all__ = [
    "FaceList",
    "VerificationBin",
    "join_embeddings",
    "read_bin",
    "read_celeba",
    "read_faircvdb",
    "read_fairface",
    "read_label_file",
    "read_lfw",
    "read_rfw",
    "read_utkface",
    "read_vggface2",
]
