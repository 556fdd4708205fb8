"""Comparisons within a class on one date."""

import numpy as np

from wealtharena.indicators.cross_section import class_mean, rank, relative_to_class, sector_relative_to_class

NAN = np.nan


def test_ranks_run_from_minus_one_to_one() -> None:
    values = np.array([[3.0, 1.0, 2.0], [5.0, NAN, 7.0]])
    np.testing.assert_array_equal(rank(values, ["", "", ""]), [[1.0, -1.0, 0.0], [-1.0, NAN, 1.0]])


def test_ties_share_their_rank() -> None:
    np.testing.assert_array_equal(rank(np.array([[1.0, 1.0, 2.0]]), [""] * 3), [[-0.5, -0.5, 1.0]])


def test_a_symbol_on_its_own_ranks_in_the_middle() -> None:
    np.testing.assert_array_equal(rank(np.array([[NAN, 4.0], [NAN, NAN]]), [""] * 2), [[NAN, 0.0], [NAN, NAN]])


def test_relative_strength_compares_with_those_that_are_there() -> None:
    values = np.array([[1.0, 3.0, NAN]])
    np.testing.assert_array_equal(relative_to_class(values, [""] * 3), [[-1.0, 1.0, NAN]])
    np.testing.assert_array_equal(class_mean(values, [""] * 3), [[2.0, 2.0, NAN]])


def test_sector_strength_is_the_sector_less_the_class() -> None:
    values = np.array([[1.0, 3.0, 8.0, 0.0], [NAN, 4.0, 2.0, NAN]])
    sectors = ["energy", "energy", "health", ""]
    expected = [[-1.0, -1.0, 5.0, 0.0], [NAN, 1.0, -1.0, NAN]]
    np.testing.assert_array_equal(sector_relative_to_class(values, sectors), expected)
