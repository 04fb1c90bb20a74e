"""The order of a fit: refuse from public facts, read, charge, draw; and what a refusal costs: nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pets
from pets.errors import BudgetExceeded, DataError, InvalidArgument, PetsError, UnrecordedReleaseWarning
from pets.synthetic import AIM, MST, Adaptive, Independent, Survival
from pets.synthetic.draws import Draws
from pets.synthetic.encoding import Encoding
from tests.synthetic.support import SURVIVAL, small_domain, small_rows

KINDS = [Independent, MST, AIM, Adaptive]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[pets.Ledger]:
    with pets.Ledger(tmp_path / "budget.sqlite", limit=pets.ApproxDP(10, "1e-5")) as book:
        yield book


@pytest.mark.parametrize("kind", KINDS)
def test_a_fit_is_charged_once_and_what_it_promised(kind: Any, ledger: pets.Ledger):
    model = kind(epsilon=2, delta="1e-6", survival=SURVIVAL).fit(small_rows(300), small_domain(), ledger)
    charges = [entry for entry in ledger.entries() if entry.kind == "charge"]
    assert [entry.guarantee for entry in charges] == [model.guarantee]
    assert model.guarantee == pets.ApproxDP(2, "1e-6", unit=small_domain().unit)
    rows = model.sample(400, seed=1)
    assert rows.shape == (400, 6) and model.sample(0).shape == (0, 6)
    assert len([entry for entry in ledger.entries() if entry.kind == "charge"]) == 1


def test_the_same_request_is_answered_from_the_ledger(ledger: pets.Ledger):
    synthesizer = MST(rho="0.1", survival=SURVIVAL)
    with pets.Ledger(Path(ledger.path).parent / "rho.sqlite", limit=pets.ZeroConcentratedDP(1)) as book:
        first = synthesizer.fit(small_rows(100), small_domain(), book)
        again = synthesizer.fit(small_rows(100, seed=9), small_domain(), book)
        assert first.to_bytes() == again.to_bytes()
        other = synthesizer.fit(small_rows(100), small_domain(), book, repeat="second")
        assert other.to_bytes() != first.to_bytes()
        assert book.spent().rho == 2 * first.guarantee.rho  # type: ignore[union-attr]


def test_without_a_ledger_there_is_a_warning():
    with pytest.warns(UnrecordedReleaseWarning):
        Independent(epsilon=1).fit(small_rows(20), small_domain())


def test_the_noise_is_new_each_time(ledger: pets.Ledger):
    fits = [Independent(epsilon=1).fit(small_rows(50), small_domain(), ledger, repeat=str(i)) for i in range(2)]
    assert any((a.values != b.values).any() for a, b in zip(fits[0].tables, fits[1].tables, strict=True))


BAD_FITS: dict[str, tuple[Any, Any, Any, type[PetsError]]] = {
    "a column outside the domain": (MST(epsilon=1), small_rows(9).assign(x=1), small_domain(), InvalidArgument),
    "a missing column": (MST(epsilon=1), small_rows(9)[["site"]], small_domain(), DataError),
    "no frame": (MST(epsilon=1), [1, 2], small_domain(), InvalidArgument),
    "no domain": (MST(epsilon=1), small_rows(9), {"a": [1]}, InvalidArgument),
    "no attributes": (MST(epsilon=1), small_rows(9), pets.Domain(), InvalidArgument),
    "a workload of strangers": (AIM(epsilon=1, workload=[["grade"]]), small_rows(9), small_domain(), InvalidArgument),
    "a workload of strangers that single columns do not need": (
        Independent(epsilon=1, workload=[["grade"]]), small_rows(9), small_domain(), InvalidArgument,
    ),
    "a workload of strangers for whichever is chosen": (
        Adaptive(epsilon=1, delta="1e-6", workload=[["grade"]]), small_rows(2000), small_domain(), InvalidArgument,
    ),
    "a survival of strangers": (
        AIM(epsilon=1, survival=[Survival("a", "b")]), small_rows(9), small_domain(), InvalidArgument,
    ),
    "an epsilon too small": (MST(epsilon="0.01", rows=100), small_rows(100), small_domain(), InvalidArgument),
    "an invalid value": (
        MST(epsilon=1), small_rows(9).assign(stage="V"),
        small_domain().replace(stage=pets.Categorical(["I", "II", "III"], invalid="error")), DataError,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_FITS)
def test_refusals_are_typed_and_cost_nothing(case: str, ledger: pets.Ledger):
    synthesizer, frame, domain, error = BAD_FITS[case]
    with pytest.raises(error):
        synthesizer.fit(frame, domain, ledger)
    assert all(entry.kind != "charge" for entry in ledger.entries())


def test_a_stranger_in_the_workload_is_named_where_it_stands():
    with pytest.raises(InvalidArgument, match=r"'stag', which is no attribute.*'stage'") as caught:
        MST(epsilon=1, workload=[["site"], ["site", "stag"]]).fit(small_rows(9), small_domain())
    assert caught.value.argument == "workload.1"


def test_a_budget_that_is_too_small_is_told_what_would_do():
    synthesizer = MST(epsilon="0.01", rows=100)
    with pytest.raises(InvalidArgument, match="Spend about epsilon = ") as error:
        synthesizer.fit(small_rows(100), small_domain())
    enough = float(error.value.remedy.split("epsilon = ")[1].split(",")[0])
    assert MST(epsilon=enough * 1.2, rows=100).predicted_error(small_domain()).usable
    assert not synthesizer.predicted_error(small_domain()).usable
    assert "Do not release" in synthesizer.predicted_error(small_domain()).explain()


def test_a_ledger_that_cannot_pay_gets_no_model(ledger: pets.Ledger):
    with pytest.raises(BudgetExceeded):
        MST(epsilon=11, delta="1e-6").fit(small_rows(30), small_domain(), ledger)
    assert ledger.spent().epsilon == 0  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [small_rows(1), small_rows(0), small_rows(5).assign(site=None)])
def test_tiny_tables_give_a_model_and_not_an_error(kind: Any, rows: pd.DataFrame, ledger: pets.Ledger):
    """How few rows there are is protected, so nothing may happen that happens with few rows only."""
    model = kind(epsilon=1, delta="1e-7", survival=SURVIVAL).fit(rows, small_domain(), ledger)
    assert len(model.sample(10, seed=1)) == 10
    assert model.rows >= 1 and "noise dominates" in model.explain()


@pytest.mark.parametrize("kind", KINDS)
def test_one_column_is_enough(kind: Any, ledger: pets.Ledger):
    rows = pd.DataFrame({"sex": ["female", "male", "male"] * 100})
    model = kind(epsilon=5, delta="1e-6").fit(rows, pets.Domain(sex=["female", "male"]), ledger)
    assert abs((model.sample(300, seed=1).sex == "male").sum() - 200) < 40


@pytest.mark.parametrize(
    "arguments",
    [
        {}, {"epsilon": 0}, {"epsilon": -1}, {"epsilon": 1, "rho": 1}, {"epsilon": 1, "delta": 0},
        {"epsilon": 1, "delta": 1}, {"epsilon": "much"}, {"epsilon": 1, "rows": 0}, {"epsilon": 1, "rows": 2.5},
        {"epsilon": 1, "workload": "stage"}, {"epsilon": 1, "workload": []}, {"epsilon": 1, "workload": [[]]},
        {"epsilon": 1, "workload": {("stage",): 0}}, {"epsilon": 1, "workload": [[3]]}, {"epsilon": float("nan")},
    ],
)  # fmt: skip
def test_bad_settings_are_refused_at_once(arguments: dict[str, Any]):
    with pytest.raises(InvalidArgument):
        AIM(**arguments)


def test_adaptive_takes_what_the_budget_can_feed():
    encoding = Encoding.of(small_domain(), SURVIVAL)
    adaptive = Adaptive(epsilon=1, delta="1e-6", survival=SURVIVAL)
    kinds = [type(adaptive.chosen(encoding, adaptive.budget, rows)) for rows in (20, 350, 50_000)]
    assert kinds == [Independent, MST, AIM]
    with pytest.raises(InvalidArgument, match="Nothing was charged"):
        Adaptive(epsilon="0.001", rows=100, survival=SURVIVAL).fit(small_rows(100), small_domain())


@pytest.mark.parametrize(("kind", "rows"), [(Independent, 60), (MST, 350), (AIM, 3000)])
def test_adaptive_makes_the_rows_of_the_one_that_it_takes(kind: Any, rows: int):
    encoding, frame = Encoding.of(small_domain(), SURVIVAL), small_rows(rows)
    made = [
        one(epsilon=1, delta="1e-6", survival=SURVIVAL, rows=rows)
        ._drawn(encoding, encoding.encode(frame), Draws.insecure(1))
        .sample(50, seed=1)
        for one in (Adaptive, kind)
    ]
    pd.testing.assert_frame_equal(*made)


def test_plenty_of_budget_gives_the_tables_back(ledger: pets.Ledger):
    with pets.Ledger(Path(ledger.path).parent / "much.sqlite", limit=pets.ZeroConcentratedDP(10**6)) as book:
        rows = small_rows(3000)
        model = AIM(rho=10**4, survival=SURVIVAL, rows=3000).fit(rows, small_domain(), book)
    encoding = Encoding.of(small_domain(), SURVIVAL)
    from pets.synthetic.tables import count

    codes = encoding.encode(rows)
    for axes in [(0, 1), (2, 3), (1, 3), (2, 3, 4)]:
        exact = count(codes, encoding.sizes, axes)
        assert abs(model.table(axes) - exact).sum() / 2 < 0.03 * 3000


def test_workload_tables_are_what_gets_accurate():
    from pets.synthetic.run import closure

    found = closure({(0, 1, 2): 1, (2, 3): 5})
    assert set(found) == {(0, 1), (0, 2), (1, 2), (0, 1, 2), (2, 3)}
    assert found[2, 3] == 100 and found[0, 1] < found[2, 3]


def test_importing_it_is_light():
    import subprocess
    import sys

    heavy = "import pets.synthetic, sys; print([m for m in ('scipy', 'sdv', 'torch', 'sklearn') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


@pytest.mark.parametrize("epsilon", ["1e-8", "1e-5", 500])
@pytest.mark.parametrize("kind", [Independent, MST, AIM])
def test_extreme_budgets_end_in_a_model_or_in_a_refusal_before_the_charge(kind: Any, epsilon: object, tmp_path: Path):
    with pets.Ledger(tmp_path / "wide.sqlite", limit=pets.ApproxDP(1000, "1e-3")) as book:
        try:
            model = kind(epsilon=epsilon, delta="1e-7").fit(small_rows(60), small_domain(), book)
        except InvalidArgument:
            assert all(entry.kind != "charge" for entry in book.entries())
        else:
            assert len(model.sample(5, seed=1)) == 5


def chained(columns: int, labels: int) -> pets.Domain:
    """Each column has a rule with the next, and the last with the first."""
    names = [f"v{i}" for i in range(columns)]
    rules = [{a: 0, b: 1} for a, b in zip(names, names[1:] + names[:1], strict=True)]
    return pets.Domain({name: list(range(labels)) for name in names}, impossible=rules)


@pytest.mark.parametrize("kind", [MST, AIM])
def test_a_ring_of_rules_is_kept_without_growing_the_model(kind: Any, ledger: pets.Ledger):
    domain = chained(12, 8)
    rows = pd.DataFrame({name: [i % 8 for i in range(400)] for name in domain.names})
    model = kind(epsilon=2, delta="1e-6").fit(rows, domain, ledger)
    made = model.sample(3000, seed=1)
    assert model.graph.tree.cells < 2**20
    for rule in domain.impossible:
        (a, (x, *_)), (b, (y, *_)) = rule.items()
        assert not ((made[a] == x) & (made[b] == y)).any()


def test_rules_that_tie_everything_together_are_refused():
    names = [f"v{i}" for i in range(8)]
    rules = [{a: 0, b: 1} for i, a in enumerate(names) for b in names[:i]]
    domain = pets.Domain({name: list(range(30)) for name in names}, impossible=rules)
    with pytest.raises(InvalidArgument, match="ties so many columns"):
        Encoding.of(domain)


@pytest.mark.filterwarnings("ignore::pets.errors.UnrecordedReleaseWarning")
def test_a_delta_of_one_row_in_all_is_said():
    careless = MST(epsilon=5, delta="0.01", rows=400).fit(small_rows(400), small_domain())
    assert any("delta = 0.01" in note for note in careless.notes)
    careful = MST(epsilon=5, delta="1e-6", rows=400).fit(small_rows(400), small_domain())
    assert not any("delta" in note for note in careful.notes)


def test_two_columns_of_one_name_are_named_so(tmp_path: Path):
    rows = small_rows(400)
    twice = pd.concat([rows, rows.iloc[:, :1]], axis=1)
    with pytest.raises(InvalidArgument, match="two columns of one name"):
        MST(epsilon=5, rows=400).fit(twice, small_domain())
