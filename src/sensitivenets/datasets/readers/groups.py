"""The three ethnicity groups of the paper, and the races that data sets write."""

from __future__ import annotations

from collections.abc import Mapping

#: Section 3 of the paper: Group 1 is East and Southeast Asian; Group 2 Sub-Saharan Africa, India
#: and neighbours; Group 3 Europe, America, Middle East. A race in none of them has no group.
GROUP_OF_RACE: Mapping[str, str] = {
    "Asian": "Group 1",
    "East Asian": "Group 1",
    "Southeast Asian": "Group 1",
    "African": "Group 2",
    "Black": "Group 2",
    "Indian": "Group 2",
    "Caucasian": "Group 3",
    "White": "Group 3",
    "Middle Eastern": "Group 3",
    "Latino_Hispanic": "Group 3",
}
