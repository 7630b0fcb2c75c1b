"""Semi-automatic labelling: a classifier proposes, people decide (section 3 of the paper)."""
