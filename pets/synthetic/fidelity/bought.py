r"""Fidelity that may be published: total variation with noise, paid for.

Half the L1 distance of a table of real counts from a table of artificial ones, which are public, moves by at most one
half when one row comes or goes. The mean over any number of tables moves by no more. So the mean total variation of all
pairs of columns costs as little as one count.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from pets.config import canonical_json, digest, parse_json
from pets.domain import Domain
from pets.dp.engines import engine
from pets.dp.selection.charged import answered_once
from pets.exact import Number, as_text, positive
from pets.guarantee import PureDP
from pets.ledger import Ledger
from pets.synthetic.encoding import Encoding, Survival
from pets.synthetic.fidelity.report import Fidelity, Score
from pets.synthetic.fidelity.rows import Rows, Schema
from pets.synthetic.fidelity.tables import workload
from pets.synthetic.tables import count


def buy(
    real: object,
    synthetic: object,
    domain: Domain,
    *,
    epsilon: Number,
    survival: Sequence[Survival] | Survival = (),
    ledger: Ledger | None = None,
    dataset: str = "default",
    repeat: str = "",
) -> Fidelity:
    """Return the mean total variation of tables of one, two and three columns, with noise, charged to a ledger.

    The artificial rows are compared as they are, counts with counts: make as many as there are real rows, or as a noisy
    count says, since a difference in number counts as distance.

    Parameters
    ----------
    real
        Confidential rows.
    synthetic
        Artificial rows, which must be public or about to be.
    domain
        What is declared, and whose presence is protected.
    epsilon
        What all numbers cost together.
    survival
        Checked against the domain.
    ledger, dataset
        Where it is charged; the same request again is answered from it at no cost.
    repeat
        Another text asks for a fresh draw.

    Raises
    ------
    InvalidArgument, DataError
        A frame does not fit the domain. Nothing was charged.
    BudgetExceeded
        The ledger refused; nothing was charged or drawn.

    Guarantee
    ---------
    Pure DP with `epsilon`: each number, in units of half a row, gets discrete Laplace noise for a third of it. The real
    rows are bounded as the unit demands.

    References
    ----------
    Ghosh A, Roughgarden T, Sundararajan M (2009). Universally utility-maximizing privacy mechanisms. STOC.
    """
    cost = PureDP(positive(epsilon, "epsilon"), unit=domain.unit)
    schema = Schema.of(domain, survival)
    made = Rows.of(synthetic, schema, "synthetic")
    codes = Encoding.of(domain).encode(real)
    orders = range(1, min(3, len(schema.names)) + 1)
    unit = domain.unit
    moved = unit.max_rows * unit.max_sites * (1 if unit.neighbours == "add_remove" else 2)
    sizes = schema.encoding.sizes

    def draw() -> str:
        found = []
        for order in orders:
            tables = workload(schema, order)
            whole = sum(abs(count(codes, sizes, axes) - count(made.codes, sizes, axes)).sum() for axes in tables)
            scale = Fraction(moved * len(tables) * len(orders)) / cost.epsilon
            noisy = int(whole) + int(engine("pets").discrete_laplace(scale, 1)[0])
            found.append([order, noisy])
        return canonical_json({"distances": found})

    seen = digest({"synthetic": digest({"codes": [row.tolist() for row in made.codes]})})
    facts = {"fidelity": domain.signature, "epsilon": as_text(cost.epsilon), "rows": seen, "repeat": repeat}
    text = answered_once(
        ledger, facts, lambda: cost, draw, unit=unit, dataset=dataset, note="fidelity, total variation"
    )
    scores = tuple(_score(schema, made, order, value) for order, value in parse_json(text)["distances"])
    return Fidelity(scores, None, made.n, made.outside, made.impossible, internal=False, paid=cost)


def _score(schema: Schema, made: Rows, order: int, value: int) -> Score:
    tables = len(workload(schema, order))
    share = max(0.0, value / (2 * tables * made.n))
    what = f"tables of {order} columns ({tables}), with noise"
    return Score("total variation, mean", what, share, "smaller", math.nan, math.nan, math.nan, math.nan)
