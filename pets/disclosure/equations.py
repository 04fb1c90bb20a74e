"""Certificates in words: ``T x R1 - A x R1 - B x R1 = 3``."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from pets.disclosure.certificates import Cases, Certificate, Combination, Proof
from pets.disclosure.reading import Reading

MOST_TERMS = 400
"""Terms of an equation that are written out."""


def equation(reading: Reading, certificate: Certificate, rows: NDArray[np.intp], cell: int) -> str:
    """Return a certificate as one line.

    Parameters
    ----------
    reading
        The publication.
    certificate
        Proof about `cell` in rows of that publication.
    rows
        Number of the relation that each row of the certificate's system is.
    cell
        The hidden cell.
    """
    if certificate.is_equation and isinstance(certificate.below, Combination):
        terms = _terms(reading, certificate.below, rows, cell, sign=1)
        return f"{_sum(reading, terms)} = {number(certificate.low)}"
    parts = [
        _side(reading, certificate.below, rows, cell, 1, certificate.low),
        _side(reading, certificate.above, rows, cell, -1, certificate.high),
    ]
    return "; ".join(part for part in parts if part)


def number(value: float | Fraction) -> str:
    """Return a number without a needless point."""
    return str(int(value)) if float(value).is_integer() else f"{float(value):.6g}"


def _side(reading: Reading, proof: Proof, rows: NDArray[np.intp], cell: int, sign: int, end: float) -> str:
    relation = ">=" if sign > 0 else "<="
    name = reading.name(cell)
    if isinstance(proof, Cases):
        return f"{name} {relation} {number(end)} in each of {_leaves(proof)} cases that whole numbers leave"
    terms = _terms(reading, proof, rows, cell, sign)
    hidden = {other: weight for other, weight in terms.items() if reading.hidden[other]}
    known = []
    for other, weight in hidden.items():
        high = (weight > 0) == (sign < 0)
        bound = reading.upper[other] if high else reading.lower[other]
        known.append(f"{reading.name(other)} {'<=' if high else '>='} {number(float(bound))}")
    if not terms or set(terms) == {cell}:
        return f"{name} {relation} {number(end)} is known beforehand"
    since = f" since {', '.join(known[:MOST_TERMS])}" if known else ""
    return f"{_sum(reading, terms)} {relation} {number(end)}{since}"


def _terms(reading: Reading, proof: Combination, rows: NDArray[np.intp], cell: int, sign: int) -> dict[int, Fraction]:
    """Return the cells that, added with these weights, are `cell`, up to the constants of the relations."""
    found: dict[int, Fraction] = {}
    for row, factor in proof.multipliers:
        cells, signs, _ = reading.relations.row(int(rows[row]))
        for other, entry in zip(cells.tolist(), signs.tolist(), strict=True):
            found[other] = found.get(other, Fraction(0)) - sign * factor * entry
    found[cell] = found.get(cell, Fraction(0)) + 1
    return {other: weight for other, weight in sorted(found.items()) if weight}


def _sum(reading: Reading, terms: dict[int, Fraction]) -> str:
    ordered = sorted(terms.items(), key=lambda term: term[1] < 0)
    text = ""
    for place, (cell, weight) in enumerate(ordered[:MOST_TERMS]):
        operator = (" - " if place else "-") if weight < 0 else (" + " if place else "")
        factor = "" if abs(weight) == 1 else f"{abs(weight)} "
        text += f"{operator}{factor}{reading.name(cell)}"
    left = len(ordered) - MOST_TERMS
    return text + (f" and {left} terms more" if left > 0 else "")


def _leaves(proof: Proof) -> int:
    return 1 if isinstance(proof, Combination) else _leaves(proof.below) + _leaves(proof.above)
