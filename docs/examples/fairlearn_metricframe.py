"""Hand the answers of the equality-of-opportunity experiment to fairlearn.

`sensitivenets` draws the biased training set and the balanced test set of section 4.4 of the
paper, trains the classifier and counts the true positive rates itself. What it predicted is plain
arrays, so that any other fairness measure can be taken with fairlearn's `MetricFrame`::

    pip install sensitivenets fairlearn
    python docs/examples/fairlearn_metricframe.py
"""

import numpy as np
from fairlearn.metrics import MetricFrame, equal_opportunity_difference, selection_rate
from sklearn.metrics import accuracy_score, recall_score
from sklearn.svm import SVC

from sensitivenets.embeddings import encode
from sensitivenets.fairness import check_cells, draw_biased_split, group_rates, predict_test_rows

# Embeddings of 4 000 made-up people: feature 0 tells the task, feature 1 gives away the gender.
rng = np.random.default_rng(0)
smiling = encode("smiling", rng.random(4000) < 0.5)
gender = encode("gender", np.where(rng.random(4000) < 0.5, "Female", "Male"))
x = rng.normal(size=(4000, 8))
x[:, 0] += 2.0 * smiling.codes
x[:, 1] += 4.0 * gender.codes

# The experiment, step by step: 70 % of the smiling training rows are women, 30 % of the others.
cells = check_cells(smiling, gender, np.arange(4000), positive="True", favoured="Female")
split = draw_biased_split(cells, seed=0)
answers = predict_test_rows(x, cells, split, SVC())
ours = group_rates(answers)

# The same answers, in fairlearn's words.
who = np.where(answers.is_favoured, cells.favoured, cells.other)
frame = MetricFrame(
    metrics={"TPR": recall_score, "accuracy": accuracy_score, "selection rate": selection_rate},
    y_true=answers.expected,
    y_pred=answers.predicted,
    sensitive_features=who,
)
theirs = equal_opportunity_difference(answers.expected, answers.predicted, sensitive_features=who)

print(frame.by_group.round(3))  # noqa: T201
print(f"gap: signed {ours.gap:.3f} (ours), absolute {theirs:.3f} (fairlearn)")  # noqa: T201

# Both count alike; fairlearn gives no sign, so it cannot say which group is favoured.
assert np.isclose(frame.by_group.loc["Female", "TPR"], ours.tpr_favoured)
assert np.isclose(frame.by_group.loc["Male", "TPR"], ours.tpr_other)
assert np.isclose(theirs, abs(ours.gap))
