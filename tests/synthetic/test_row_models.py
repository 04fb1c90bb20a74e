"""Models of exact rows: trees, their files, and what they may never do."""

from __future__ import annotations

import importlib
import io
import json
import zipfile
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pets
from pets.errors import ConfigError, DataError, IncompatibleGuarantees, InvalidArgument, MissingExtra, PairingRefused
from pets.synthetic.cart import CART, Tree, visiting
from pets.synthetic.encoding import Encoding
from pets.synthetic.pool import Pool
from pets.synthetic.row_file import load_rows, read, write
from pets.synthetic.row_model import RowModel, fine_encoding
from tests.synthetic.cohorts import DOMAIN, SURVIVAL, cohort

ROWS = cohort(600)


@pytest.fixture(scope="module")
def model():
    pytest.importorskip("sklearn")
    return CART(survival=SURVIVAL, insecure_seed=3).fit(ROWS, DOMAIN)


def assert_possible(rows):
    assert not ((rows.site == "brain") & rows.stage.isin(["III", "IV"])).any()
    assert (rows.death_time >= rows.relapse_time - 1e-9).all()
    together = rows.relapse == "no"
    assert np.allclose(rows.death_time[together], rows.relapse_time[together])
    assert set(rows.columns) == set(DOMAIN.names)


def test_no_row_breaks_a_rule(model):
    assert_possible(model.sample(5_000, seed=1))
    assert model.broken < 0.3


def test_trees_keep_tables_and_missing_values(model):
    made = model.sample(20_000, seed=1)
    for names in (["site"], ["site", "sex"], ["stage", "relapse"], ["relapse", "dead"]):
        real = ROWS.fillna("?").value_counts(names, normalize=True)
        found = made.fillna("?").value_counts(names, normalize=True).reindex(real.index, fill_value=0)
        assert np.abs(real - found).sum() / 2 < 0.05
    assert 0.01 < made.stage.isna().mean() < 0.06


def test_the_same_seeds_give_the_same_rows_and_others_do_not(model):
    again = CART(survival=SURVIVAL, insecure_seed=3).fit(ROWS, DOMAIN)
    pd.testing.assert_frame_equal(model.sample(200, seed=5), again.sample(200, seed=5))
    assert not model.sample(200, seed=5).equals(model.sample(200, seed=6))
    assert not model.sample(200).equals(model.sample(200))


def test_a_reloaded_model_draws_the_same_rows(model, tmp_path):
    model.save(tmp_path / "m.pets")
    found = load_rows(tmp_path / "m.pets")
    pd.testing.assert_frame_equal(found.sample(300, seed=2), model.sample(300, seed=2))
    assert found.guarantee == model.guarantee and "exact counts" in found.guarantee.explain()


def test_a_file_holds_json_and_plain_arrays_only(model):
    with zipfile.ZipFile(io.BytesIO(write(model))) as archive:
        names = archive.namelist()
        assert all(name == "model.json" or name.endswith(".npy") for name in names)
        json.loads(archive.read("model.json"))
        for name in names[1:]:
            np.lib.format.read_array(io.BytesIO(archive.read(name)), allow_pickle=False)


def test_a_tree_file_that_would_loop_or_point_outside_is_refused(model):
    drawer = model.drawer

    def with_tree(**parts):
        tree = Tree(**{**drawer.trees[-1].__dict__, **parts})
        trees = type(drawer)(drawer.encoding, drawer.order, (*drawer.trees[:-1], tree))
        return write(RowModel(model.encoding, model.guarantee, model.settings, trees, 0.0))

    last = drawer.trees[-1]
    inner = last.left >= 0
    for parts in (
        {"left": np.where(inner, 0, -1)},
        {"right": np.where(inner, len(inner), -1)},
        {"counts": -last.counts},
        {"counts": last.counts[:, :-1]},
        {"leaf": np.where(inner, -1, len(last.counts))},
    ):
        with pytest.raises(ConfigError):
            read(with_tree(**parts))


@given(st.binary(max_size=200))
def test_no_other_bytes_are_a_model(data):
    with pytest.raises(ConfigError):
        read(data)


def test_a_pool_gives_each_row_once():
    encoding = Encoding.of(pets.Domain(x=pets.Integer(0, 999)))
    pool = RowModel(encoding, pets.NoFormalGuarantee("a test"), {"type": "sdv_x"}, Pool(np.arange(1000)[None]))
    assert sorted(pool.sample(1000).x) == list(range(1000))
    assert len(set(pool.sample(400).x)) == 400
    with pytest.raises(PairingRefused, match="pool of 1,000"):
        pool.sample(1001)


def test_a_ledger_records_exact_information_only_when_told(tmp_path):
    pytest.importorskip("sklearn")
    ledger = pets.Ledger(tmp_path / "l.sqlite", limit=pets.PureDP(1))
    with pytest.raises(IncompatibleGuarantees):
        CART().fit(ROWS, DOMAIN, ledger)
    assert len(ledger.entries()) == 1
    CART().fit(ROWS, DOMAIN, ledger, allow_exact=True)
    assert "cart" in ledger.entries()[-1].note
    ledger.close()


def test_bad_rows_are_refused_before_anything_is_recorded(tmp_path):
    pytest.importorskip("sklearn")
    ledger = pets.Ledger(tmp_path / "l.sqlite", limit=pets.PureDP(1))
    for frame, error in (
        (ROWS.assign(name="x"), InvalidArgument),
        (ROWS.drop(columns="sex"), DataError),
        (ROWS.head(1), DataError),
        (ROWS.assign(sex=None), DataError),
        (17, InvalidArgument),
    ):
        with pytest.raises(error):
            CART().fit(frame, DOMAIN, ledger, allow_exact=True)
    assert len(ledger.entries()) == 1
    ledger.close()


@pytest.mark.parametrize("n", [-1, 1.5, True, "7", 10**9])
def test_a_wrong_number_of_rows_is_refused(model, n):
    with pytest.raises(InvalidArgument):
        model.sample(n)


def test_missing_libraries_name_the_extra_and_read_nothing(monkeypatch):
    from pets.synthetic.sdv import SDV

    def absent(name, *rest):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    for synthesizer in (CART(), SDV("gaussian_copula"), SDV("hma")):
        with pytest.raises(MissingExtra, match=r"pets\[synthetic\]"):
            synthesizer.fit(object(), DOMAIN)


def test_numbers_are_cut_finer_except_where_a_rule_names_their_bins():
    ruled = pets.Domain(
        age=pets.Integer(0, 99, bins=[0, 1, 50, 99]),
        size=pets.Numeric(0, 10, resolution="0.01", bins=[0, 5, 10]),
        site=["a", "b"],
        impossible=[{"age": "0", "site": "a"}],
    )
    fine = fine_encoding(ruled, ()).domain
    assert fine["age"].bins == (0, 1, 50, 99)
    assert len(fine["size"].bins) == 513 and {0, 5, 10} <= set(fine["size"].bins)
    assert all(b > a for a, b in pairwise(fine["size"].bins))
    assert fine.impossible == ruled.impossible


def test_events_are_drawn_before_their_times_and_earlier_clocks_first():
    names = [Encoding.of(DOMAIN, SURVIVAL).names[i] for i in visiting(Encoding.of(DOMAIN, SURVIVAL))]
    assert names[-4:] == ["relapse", "relapse_time", "dead", "death_time"]
    assert len(set(names)) == len(DOMAIN.names)


class Careless:
    """Draws any codes, undeclared ones too."""

    def __init__(self, encoding, only=None):
        self.encoding, self.only = encoding, only

    def draw(self, rows, source):
        sizes = np.array(self.encoding.sizes, dtype=np.uint64)[:, None]
        codes = (source.words(rows * len(sizes)).reshape(len(sizes), rows) % sizes).astype(np.int64)
        codes[0, ::5] = -1
        if self.only is not None:
            codes[: len(self.only)] = np.array(self.only)[:, None]
        return codes

    def check(self, rows):
        pass


def test_what_a_careless_model_draws_is_checked_by_the_rules():
    encoding = Encoding.of(DOMAIN, SURVIVAL)
    model = RowModel(encoding, pets.NoFormalGuarantee("a test"), {"type": "careless"}, Careless(encoding)).tried()
    assert 0.5 < model.broken < 0.95
    made = model.sample(1_000, seed=1)
    assert len(made) == 1_000
    assert_possible(made)


def test_a_model_that_only_breaks_rules_gives_up_with_a_reason():
    encoding = Encoding.of(DOMAIN, SURVIVAL)
    stuck = Careless(encoding, only=(1, 3))  # a brain tumour of stage IV
    model = RowModel(encoding, pets.NoFormalGuarantee("a test"), {"type": "careless"}, stuck)
    with pytest.raises(PairingRefused, match="keep the rules"):
        model.sample(10)
