"""Errors and warnings of our own; each message says what was expected, found, and what to do."""


class InputError(ValueError):
    """Data or a parameter cannot be used; the message names where, and the remedy."""


class ModelFolderError(InputError):
    """A model folder is missing, truncated, tampered with, foreign, or from a newer version."""


class DataWarning(UserWarning):
    """The data is usable but contradicts itself: duplicated rows, an identity with two genders."""


class CollapseWarning(UserWarning):
    """A representation has lost its rank or its spread, so that it says little about anything."""


class DetectorWarning(UserWarning):
    """A sensitivity detector never learned its attribute, so nothing can be removed by it."""


class BudgetWarning(UserWarning):
    """Nothing that was tried hides an attribute within what may be lost, so nothing is removed."""
