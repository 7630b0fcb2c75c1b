"""DiveFace: its annotation lists, balanced sets and their splits, and new sets built like it."""

from sensitivenets.diveface.balance import Balance, BalancedSet, balance
from sensitivenets.diveface.joining import Joined, join_embeddings, join_images
from sensitivenets.diveface.labelled_set import LabelledSet, read_set, write_set
from sensitivenets.diveface.lists import read_lists
from sensitivenets.diveface.proposing import Proposed, propose_labels
from sensitivenets.diveface.splits import SplitSizes, sizes_in_proportion, split_set
from sensitivenets.diveface.statistics import ClassStatistics, set_statistics

__all__ = [
    "Balance",
    "BalancedSet",
    "ClassStatistics",
    "Joined",
    "LabelledSet",
    "Proposed",
    "SplitSizes",
    "balance",
    "join_embeddings",
    "join_images",
    "propose_labels",
    "read_lists",
    "read_set",
    "set_statistics",
    "sizes_in_proportion",
    "split_set",
    "write_set",
]
