"""Registries fit one model together: the law of the fit to all rows, each book charged before a number leaves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import pets
from pets.csprng import InsecureRandom
from pets.errors import BudgetExceeded, DataError, InvalidArgument, PairingRefused, ProtocolAbort, RangeOverflow
from pets.synthetic import AIM, MST, Adaptive, Independent, Model, Prior, aim, independent, mst
from pets.synthetic.across import Arrangement, JointFit
from pets.synthetic.across.contrasts import contrast_of_codes, plan_across
from pets.synthetic.across.joint_fitting import SharedFitting
from pets.synthetic.across.sums import SiteSums
from pets.synthetic.draws import Draws
from pets.synthetic.encoding import Encoding
from pets.synthetic.tables import count
from tests.synthetic.support import SURVIVAL, small_domain, small_rows

KINDS = [Independent, MST, AIM, Adaptive]
DOMAIN = small_domain()
ENCODING = Encoding.of(DOMAIN, SURVIVAL)
ROWS = small_rows(900)
DEALT = {"FR": ROWS[:200], "UK": ROWS[200:350], "US": ROWS[350:]}
MASKED = pets.mpc.MaskedSum()
AT_ONE = {"FR": ROWS, "UK": ROWS[:0], "US": ROWS[:0]}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """How well a model is fitted changes no law of the noise; so it is fitted quickly."""
    for module in (aim, mst, independent):
        tuning = replace(module._TUNING, iterations=5, last=10, simulated=2000)
        monkeypatch.setattr(module, "_TUNING", tuning)


def sums(sites: dict[str, pd.DataFrame], aggregator: Any, seed: int | None, **more: Any) -> SiteSums:
    settings = {"noise_at": "sites", "colluding_sites": None, "site_bound": None} | more
    arrangement = Arrangement.of(ENCODING, aggregator, tuple(sites), **settings)
    codes = {name: ENCODING.encode(frame) for name, frame in sites.items()}
    source = {} if seed is None else {"source": InsecureRandom(insecure_seed=seed)}
    return SiteSums(arrangement, codes, **source)


def drawn(kind: Any, sites: dict[str, pd.DataFrame], aggregator: Any, seed: int | None = 5, **more: Any) -> Model:
    made = kind(epsilon=3, delta="1e-6", survival=SURVIVAL)
    noise = Draws.secure() if seed is None else Draws.insecure(seed)
    added = sums(sites, aggregator, seed, **more)
    return JointFit(made, ENCODING, added.arrangement).run(added, noise)


def contents(model: Model) -> bytes:
    return replace(model, settings={}).to_bytes()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("aggregator", [pets.Plain(), pets.mpc.MaskedSum()])
def test_with_noise_at_the_curator_it_is_the_pooled_fit_to_the_last_byte(kind: Any, aggregator: Any):
    pooled = kind(epsilon=3, delta="1e-6", survival=SURVIVAL)._drawn(ENCODING, ENCODING.encode(ROWS), Draws.insecure(5))
    together = drawn(kind, DEALT, aggregator, noise_at="curator")
    assert contents(together) == contents(pooled)


@pytest.mark.parametrize("kind", KINDS)
def test_with_noise_inside_the_sum_it_does_not_matter_who_has_which_rows(kind: Any):
    """The same shares of noise are drawn; what is measured, chosen and fitted is then the same to the last byte."""
    together = drawn(kind, DEALT, pets.mpc.MaskedSum())
    assert contents(together) == contents(drawn(kind, AT_ONE, pets.mpc.MaskedSum()))
    assert contents(together) != contents(drawn(kind, DEALT, pets.mpc.MaskedSum(), seed=6))


def test_threshold_encryption_adds_up_to_the_same(book: pets.Ledger):
    pytest.importorskip("tenseal", reason="needs the extra he")
    few = {name: frame[["site", "stage"]] for name, frame in DEALT.items()}
    domain = DOMAIN.select(["site", "stage"])
    models = [
        Independent(rho=1).fit_across(few, domain, how, ledger=book, site_bound=10_000)
        for how in (pets.he.BFV(), pets.mpc.MaskedSum())
    ]
    for model in models:
        for table in model.tables:
            exact = count(Encoding.of(domain).encode(ROWS[["site", "stage"]]), model.encoding.sizes, table.axes)
            assert np.abs(table.values - exact).max() < 12 * float(table.sigma2) ** 0.5


@pytest.mark.parametrize("colluding", [0, 1])
def test_the_noise_inside_has_the_variance_that_the_model_states(colluding: int, book: pets.Ledger):
    """Every cell of many fits: at a level of one in a million on either side."""
    domain = pets.Domain(site=list(range(80)), stage=list(range(80)))
    sites = {name: pd.DataFrame({"site": [1] * 9, "stage": [2] * 9}) for name in DEALT}
    squares, cells = 0.0, 0
    for i in range(12):
        model = Independent(rho="0.02").fit_across(
            sites, domain, MASKED, ledger=book, colluding_sites=colluding, repeat=str(i)
        )
        for table in model.tables:
            exact = 27 * (np.arange(80) == table.axes[0] + 1)
            squares += float(((table.values - exact) ** 2).sum()) / float(table.sigma2)
            cells += 80
    low, high = stats.chi2.ppf([1e-6, 1 - 1e-6], cells)
    assert low < squares < high
    assert high / low < 1.5  # so that a share of the three too few, or too many, would be seen


def fitting_of(kind: Any, seed: int) -> SharedFitting:
    """A whole run, kept open."""
    added = sums(DEALT, pets.mpc.MaskedSum(), seed)
    made = kind(epsilon=3, delta="1e-6", survival=SURVIVAL)
    plan = plan_across(made, ENCODING, made.budget, 900, added.arrangement)
    nobody = np.empty((len(ENCODING.sizes), 0), dtype=np.int64)
    found = SharedFitting(ENCODING, plan.spending, Draws.insecure(seed), nobody, None, sums=added, plan=plan)
    made.run(found, plan)
    return found


def test_contrasts_are_those_of_all_rows_with_the_stated_noise():
    squares, seen = 0.0, 0
    for seed in range(6):
        fitting = fitting_of(MST, seed)
        assert fitting.contrasts is not None
        pairs = list(fitting.contrasts.values)
        codes = ENCODING.encode(ROWS)
        groups = np.array([g.group[c] for g, c in zip(fitting.groupings, codes, strict=True)])
        exact = contrast_of_codes(groups, pairs, fitting.contrasts.signs)
        gap = np.array([fitting.contrasts.values[pair] for pair in pairs]) - exact
        squares += float((gap**2).sum()) / fitting.contrasts.sigma2
        seen += len(pairs)
    low, high = stats.chi2.ppf([1e-6, 1 - 1e-6], seen)
    assert low < squares < high


def test_more_sites_than_must_be_honest_make_more_noise_and_the_model_says_so():
    careful, trusting = (
        drawn(Independent, DEALT, pets.mpc.MaskedSum(), colluding_sites=colluding) for colluding in (1, 0)
    )
    ratios = [float(a.sigma2 / b.sigma2) for a, b in zip(careful.tables, trusting.tables, strict=True)]
    assert ratios == pytest.approx([1.5] * len(ratios), rel=0.05)
    assert careful.settings["across"]["honest"] == 2


def test_of_two_sites_the_share_of_either_is_enough():
    """Each knows its own and sees the totals, so what is left against it is the noise of the other one."""
    for sites, honest in ((2, 1), (3, 2), (9, 4)):
        found = Arrangement.of(ENCODING, MASKED, [f"site {i}" for i in range(sites)], "sites", None, None)
        assert found.honest == honest, sites
    told = Arrangement.of(ENCODING, MASKED, ["FR", "UK"], "sites", 0, None)
    assert told.honest == 2


@pytest.fixture
def book(tmp_path: Path) -> Iterator[pets.Ledger]:
    with pets.Ledger(tmp_path / "one.sqlite", limit=pets.ZeroConcentratedDP(100)) as found:
        yield found


@pytest.fixture
def books(tmp_path: Path) -> Iterator[dict[str, pets.Ledger]]:
    found = {name: pets.Ledger(tmp_path / f"{name}.sqlite", limit=pets.ApproxDP(4, "1e-5")) for name in DEALT}
    yield found
    for book in found.values():
        book.close()


def charges(book: pets.Ledger) -> list[Any]:
    return [entry.guarantee for entry in book.entries() if entry.kind == "charge"]


def test_every_book_is_charged_before_the_first_number_leaves(
    books: dict[str, pets.Ledger], monkeypatch: pytest.MonkeyPatch
):
    honest, seen = SiteSums.total, []

    def watched(self: SiteSums, *arguments: Any, **more: Any) -> Any:
        seen.append([len(charges(book)) for book in books.values()])
        return honest(self, *arguments, **more)

    monkeypatch.setattr(SiteSums, "total", watched)
    made = MST(epsilon=3, delta="1e-6", survival=SURVIVAL)
    model = made.fit_across(DEALT, DOMAIN, pets.mpc.MaskedSum(), ledger=books)
    assert len(seen) > 5 and all(charged == [1, 1, 1] for charged in seen)
    assert all(charges(book) == [model.guarantee] for book in books.values())
    assert model.guarantee == pets.ApproxDP(3, "1e-6", unit=DOMAIN.unit)
    sessions = len(seen)
    again = made.fit_across(DEALT, DOMAIN, pets.mpc.MaskedSum(), ledger=books)
    assert again.to_bytes() == model.to_bytes() and len(seen) == sessions
    assert len(model.sample(50, seed=1)) == 50
    assert Model.load.__doc__ and model.settings["across"]["sites"] == list(DEALT)


def test_a_book_that_refuses_stops_all_before_any_pays(books: dict[str, pets.Ledger], monkeypatch: pytest.MonkeyPatch):
    def never(self: SiteSums, *arguments: Any, **more: Any) -> Any:
        raise AssertionError("a number left a site")

    books["US"].charge(pets.ApproxDP(3, "1e-6", unit=DOMAIN.unit), unit=str(DOMAIN.unit))
    with monkeypatch.context() as patched:
        patched.setattr(SiteSums, "total", never)
        for _ in range(2):
            with pytest.raises(BudgetExceeded):
                MST(epsilon=3, delta="1e-6").fit_across(
                    {name: frame[["site", "stage"]] for name, frame in DEALT.items()},
                    DOMAIN.select(["site", "stage"]), pets.mpc.MaskedSum(), ledger=books,
                )  # fmt: skip
    assert [len(charges(book)) for book in books.values()] == [0, 0, 1]  # the last one is this test's own


REFUSED: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "no sites": ({"sites": {}}, InvalidArgument, "sites"),
    "one frame": ({"sites": ROWS}, InvalidArgument, "sites"),
    "a class": ({"aggregator": pets.mpc.MaskedSum}, InvalidArgument, "aggregator"),
    "noise in the open": ({"aggregator": pets.Plain()}, PairingRefused, "curator"),
    "cells that stay shut": ({"aggregator": pets.mpc.VerifyBeforeOpen(minimum=5)}, PairingRefused, "minimum"),
    "a wrong place": ({"noise_at": "home"}, InvalidArgument, "noise_at"),
    "all collude": ({"colluding_sites": 3}, InvalidArgument, "colluding_sites"),
    "half a colluder": ({"colluding_sites": 0.5}, InvalidArgument, "colluding_sites"),
    "no bound": ({"site_bound": 0}, InvalidArgument, "site_bound"),
    "a site of more rows than agreed": ({"site_bound": 500}, RangeOverflow, "'US' has more rows"),
    "a book too few": ({"ledger": {"FR": None}}, InvalidArgument, "ledger"),
    "a site without a column": (
        {"sites": DEALT | {"UK": DEALT["UK"].drop(columns="stage")}}, DataError, "stage",
    ),
    "more than encryption can hold": ({"aggregator": pets.he.BFV()}, RangeOverflow, "site_bound"),
    "one site alone": ({"sites": {"FR": ROWS}}, PairingRefused, "site"),
    "exact totals of two": (
        {"sites": {"FR": ROWS[:9], "UK": ROWS[9:]}, "noise_at": "curator"}, PairingRefused, "subtraction",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_are_typed_and_cost_nothing(case: str, books: dict[str, pets.Ledger]):
    given, error, words = REFUSED[case]
    arguments: dict[str, Any] = {"sites": DEALT, "aggregator": MASKED, "ledger": books} | given
    sites = arguments.pop("sites")
    if arguments["ledger"] is books and isinstance(sites, dict) and set(sites) != set(books):
        arguments["ledger"] = books["FR"]
    with pytest.raises(error, match=words):
        MST(epsilon=1, delta="1e-6", survival=SURVIVAL).fit_across(
            sites, DOMAIN, arguments.pop("aggregator"), **arguments
        )
    assert all(not charges(book) for book in books.values())


def test_no_book_is_charged_if_a_later_one_is_none(books: dict[str, pets.Ledger]):
    few = {name: frame[["site", "stage"]] for name, frame in DEALT.items()}
    with pytest.raises(InvalidArgument, match=r"ledger\.US"):
        MST(epsilon=1, delta="1e-6").fit_across(
            few,
            DOMAIN.select(["site", "stage"]),
            MASKED,
            ledger=books | {"US": "us.sqlite"},  # type: ignore[dict-item]
        )
    assert all(not charges(book) for book in books.values())


def test_a_site_that_is_missing_from_one_total_ends_the_fit(monkeypatch: pytest.MonkeyPatch):
    from pets.synthetic.across import sums as module

    class Deaf(module.InProcess):
        def __init__(self, *arguments: Any, **more: Any) -> None:
            super().__init__(*arguments, **more, drop={"US": "input"})

    monkeypatch.setattr(module, "InProcess", Deaf)
    four = DEALT | {"IT": ROWS[:50]}
    with pytest.raises(ProtocolAbort, match="missing from the total"):
        drawn(Independent, four, pets.mpc.MaskedSum())


def test_noise_is_called_noise_here_too(book: pets.Ledger):
    sites = {name: frame[["site", "stage"]] for name, frame in DEALT.items()}
    few = DOMAIN.select(["site", "stage"])
    model = Independent(rho="1e-7").fit_across(sites, few, MASKED, ledger=book)
    assert model.notes[0].startswith("Do not release")
    prior = Prior({("stage",): [500, 300, 100]}, declared_by="a report")
    for made in (Independent(rho="1e-6", rows=900), Independent(rho="1e-6", rows=900, prior=prior)):
        if made.prior is None:
            with pytest.raises(InvalidArgument, match="too small"):
                made.fit_across(sites, few, MASKED, ledger=book)
        else:
            assert made.fit_across(sites, few, MASKED, ledger=book).rows == 900


@pytest.mark.parametrize("noise_at", ["curator", "sites"])
def test_a_number_of_rows_that_needs_too_wide_noise_is_refused_before_it_is_paid(books: Any, noise_at: Any):
    with pytest.raises(InvalidArgument, match="2\\*\\*40"):
        Independent(epsilon="1e-11").fit_across(
            DEALT, DOMAIN, MASKED if noise_at == "sites" else pets.Plain(), ledger=books, noise_at=noise_at
        )
    assert all(not charges(book) for book in books.values())
    with pytest.raises(InvalidArgument, match="2\\*\\*40"):
        Independent(epsilon="1e-11").fit(ROWS, DOMAIN, books["FR"])
    assert not charges(books["FR"])


def test_what_more_rows_would_ask_is_refused_before_it_is_paid():
    """At few rows Adaptive looks at no contrasts; at as many as there are it does, and then numbers have a sign."""
    made, question = Adaptive(epsilon=1), Encoding.of(DOMAIN)
    seen: list[bool] = []

    class Watched(pets.mpc.MaskedSum):
        def parties(self, spec: Any) -> Any:
            seen.append(spec.lower != 0)
            return super().parties(spec)

    arrangement = Arrangement.of(question, Watched(), tuple(DEALT), "sites", None, None)
    assert not plan_across(made, question, made.budget, 50, arrangement).contrasts
    JointFit(made, question, arrangement).check()
    assert set(seen) == {False, True}


def test_rows_made_together_keep_the_rules_and_the_columns(book: pets.Ledger):
    model = AIM(rho=20, survival=SURVIVAL).fit_across(DEALT, DOMAIN, MASKED, ledger=book)
    rows = model.sample(1000, seed=2)
    assert not ((rows.site == "brain") & rows.stage.isin(["II", "III"])).any()
    for name in ("stage", "relapse", "dead"):
        gap = rows[name].value_counts(normalize=True) - ROWS[name].value_counts(normalize=True)
        assert gap.abs().max() < 0.1
