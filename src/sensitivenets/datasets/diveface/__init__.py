"""DiveFace: its annotation lists, balanced sets and their splits, and new sets built like it."""

from sensitivenets.datasets.diveface.balance import Balance, BalancedSet, balance
from sensitivenets.datasets.diveface.joining import Joined, join_embeddings, join_images
from sensitivenets.datasets.diveface.labelled_set import LabelledSet, read_set, write_set
from sensitivenets.datasets.diveface.lists import read_lists
from sensitivenets.datasets.diveface.splits import SplitSizes, sizes_in_proportion, split_set
from sensitivenets.datasets.diveface.statistics import ClassStatistics, set_statistics

__all__ = [
    "Balance",
    "BalancedSet",
    "ClassStatistics",
    "Joined",
    "LabelledSet",
    "SplitSizes",
    "balance",
    "join_embeddings",
    "join_images",
    "read_lists",
    "read_set",
    "set_statistics",
    "sizes_in_proportion",
    "split_set",
    "write_set",
]
