"""Faces of nobody: what is kept is a decision, and of who it was there is nothing."""

import numpy as np
import pytest

from sensitivenets.errors import InputError
from sensitivenets.obfuscation.drawn_faces import drawn_faces
from sensitivenets.obfuscation.faces_of_nobody import Donors, faces_of_nobody

# Drawn, all of them.
OTHERS, PEOPLE = drawn_faces(24, 2, random_state=1), drawn_faces(12, 3, random_state=2)
DONORS = Donors(OTHERS.pixels, OTHERS.subjects, OTHERS.beards)


class Chin:
    """Takes a face for bearded whose chin is dark beside its cheeks."""

    def scores(self, pixels):
        grey = pixels.mean(axis=3)
        chin, cheeks = grey[:, 96:106, 46:66], grey[:, 56:72, 30:82]
        dark = chin.mean(axis=(1, 2)) < 0.7 * cheeks.mean(axis=(1, 2))
        return np.eye(2)[dark.astype(int)]


def test_a_beard_is_kept():
    assert np.mean(Chin().scores(PEOPLE.pixels).argmax(1) == PEOPLE.beards.codes) > 0.85
    made = faces_of_nobody(PEOPLE.pixels, DONORS, Chin(), k=4)
    np.testing.assert_array_equal(Chin().scores(made.pixels).argmax(1), made.decided)


def test_who_it_was_has_no_part_in_the_new_face():
    made = faces_of_nobody(PEOPLE.pixels, DONORS, Chin(), k=4)
    # Somebody else in every place, of the same decision: not a pixel differs.
    order = np.arange(len(PEOPLE.pixels))
    for code in (0, 1):
        mine = np.flatnonzero(made.decided == code)
        order[mine] = np.roll(mine, 3)
    assert (PEOPLE.subjects.codes[order] != PEOPLE.subjects.codes).all()
    again = faces_of_nobody(PEOPLE.pixels[order], DONORS, Chin(), k=4)
    np.testing.assert_array_equal(again.pixels, made.pixels)


def test_pictures_of_a_person_are_no_nearer_than_those_of_two():
    made = faces_of_nobody(PEOPLE.pixels, DONORS, Chin(), k=4)

    def nearest_is_mine(pixels):
        rows = pixels.reshape(len(pixels), -1).astype(np.float64)
        apart = ((rows[:, None] - rows[None]) ** 2).sum(axis=2)
        np.fill_diagonal(apart, np.inf)
        return np.mean(PEOPLE.subjects.codes[apart.argmin(1)] == PEOPLE.subjects.codes)

    assert nearest_is_mine(PEOPLE.pixels[:, ::4, ::4]) > 0.9
    # Of 17 others of a class two are one's own.
    assert nearest_is_mine(made.pixels[:, ::4, ::4]) < 0.35


def test_each_face_is_made_of_k_people_of_its_class():
    made = faces_of_nobody(PEOPLE.pixels, DONORS, Chin(), k=5)
    assert made.donors.shape == (36, 5)
    for decided, rows in zip(made.decided, made.donors, strict=True):
        assert len(set(OTHERS.subjects.codes[rows])) == 5
        assert (OTHERS.beards.codes[rows] == decided).all()


def test_what_cannot_be_made_is_said():
    with pytest.raises(InputError, match="at least k = 13 people of beard 'no', found 12"):
        faces_of_nobody(PEOPLE.pixels, DONORS, Chin(), k=13)
    with pytest.raises(InputError, match="expected faces of 112 pixels a side as the donors'"):
        faces_of_nobody(PEOPLE.pixels[:, ::2, ::2], DONORS, Chin())

    class Three:
        def scores(self, pixels):
            return np.zeros((len(pixels), 3))

    with pytest.raises(InputError, match="decider: expected scores of 2 classes"):
        faces_of_nobody(PEOPLE.pixels, DONORS, Three(), k=4)
    with pytest.raises(InputError, match="donors: expected a subject and a class for each face"):
        Donors(OTHERS.pixels[:5], OTHERS.subjects, OTHERS.beards)
