"""How numbers are written."""

from __future__ import annotations

import pytest

from pets.demo import words

THIN = "\u202f"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (words.count(1204), "1,204"),
        (words.count(-3), "\u22123"),
        (words.decimal(-0.04), "0.0"),
        (words.decimal(2.4057, 2), "2.41"),
        (words.percent(0.30612), f"30.6{THIN}%"),
        (words.percent(0.0000787), f"0.0079{THIN}%"),
        (words.percent(12.34), f"1,234{THIN}%"),
        (words.spread(0), "0.0"),
        (words.spread(0.023456), "0.023"),
        (words.setting(0.1), "0.1"),
        (words.setting(1.0), "1"),
        (words.interval(114, 128), "114\u2013128"),
        (words.interval(-14, 10), "\u221214 to 10"),
        (words.of_hundred(0.7310586), "73"),
        (words.of_hundred(0.7310586, 1), "73.1"),
        (words.of_hundred(0.99999), "over 99"),
        (words.of_hundred(0.00001), "under 1"),
        (words.of_hundred(0.99999, 1), "over 99.9"),
        (words.cell("female", "10-14"), "Girls 10\u201314"),
        (words.listing(["5"]), "5"),
        (words.listing(["5", "11", "16"]), "5, 11 or 16"),
    ],
)
def test_a_number_reads(said: str, expected: str) -> None:
    assert said == expected
