"""Models: exact conditioning, files of plain data, bounds that hold."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

import pets
from pets.errors import ConfigError, InvalidArgument
from pets.guarantee import NoFormalGuarantee
from pets.synthetic import AIM, MST, Independent, Model
from pets.synthetic.bounds import noise_quantile
from pets.synthetic.draws import Draws
from pets.synthetic.encoding import Encoding
from pets.synthetic.storage import packed, unpacked
from pets.synthetic.tables import count
from tests.synthetic.support import SURVIVAL, small_domain, small_rows

ENCODING = Encoding.of(small_domain(), SURVIVAL)
ROWS = small_rows(2000)
CODES = ENCODING.encode(ROWS)


@pytest.fixture(scope="module")
def model() -> Model:
    return AIM(epsilon=8, delta="1e-6", survival=SURVIVAL, rows=2000)._drawn(ENCODING, CODES, Draws.insecure(5))


def test_no_synthetic_row_is_impossible(model: Model):
    rows = model.sample(20_000, seed=1)
    assert not ((rows.site == "brain") & (rows.stage != "I")).any()
    assert (rows.death_time >= rows.relapse_time).all()
    censored = rows.relapse == "no"
    assert (rows.death_time[censored] == rows.relapse_time[censored]).all()
    assert ENCODING.encode(rows).shape[1] == 20_000


def test_conditional_rows_follow_the_conditional_distribution(model: Model):
    site, stage = ENCODING.names.index("site"), ENCODING.names.index("stage")
    joint = model.table((site, stage))
    rows = model.sample(4000, given={"stage": ["II", "III"], "relapse": "yes"}, seed=2)
    assert set(rows.stage) <= {"II", "III"} and set(rows.relapse) == {"yes"}
    rows = model.sample(4000, given={"stage": "III"}, seed=3)
    expected = joint[:, 2] / joint[:, 2].sum()
    found = [(rows.site == name).mean() for name in ("brain", "kidney", "liver")]
    np.testing.assert_allclose(found, expected[:3], atol=0.01)
    timed = model.sample(500, given={"relapse_time": "[1, 3)"}, seed=4)
    assert timed.relapse_time.between(1, 2.5).all()


@pytest.mark.parametrize(
    "given",
    [
        {"grade": 1},
        {"stage": "V"},
        {"site": "brain", "stage": "III"},
        {"death_time": "[0, 1)"},
        {"dead": True},
        "stage",
    ],
)
def test_impossible_conditions_are_refused(model: Model, given: object):
    with pytest.raises(InvalidArgument):
        model.sample(10, given=given)  # type: ignore[arg-type]


@pytest.mark.parametrize("arguments", [{"n": -1}, {"n": 1.5}, {"n": True}, {"seed": -1}, {"seed": "x"}])
def test_bad_numbers_are_refused(model: Model, arguments: dict[str, object]):
    with pytest.raises(InvalidArgument):
        model.sample(**arguments)  # type: ignore[arg-type]


def test_margins_of_the_model_are_those_of_its_rows(model: Model):
    rows = 200_000
    codes = ENCODING.encode(model.sample(rows, seed=6))
    for axes in [(0,), (2, 3), (0, 1, 5), (2, 5)]:
        expected = model.table(axes) / model.rows
        assert np.abs(count(codes, ENCODING.sizes, axes) / rows - expected).max() < 0.003
    frame = model.marginal(["site", "stage"])
    assert frame["count"].sum() == pytest.approx(2000) and len(frame) == 12


def test_equal_seeds_give_equal_rows_and_no_seed_gives_others(model: Model):
    assert model.sample(50, seed=3).equals(model.sample(50, seed=3))
    assert not model.sample(50).equals(model.sample(50))


def test_reproducible_noise_promises_nothing(model: Model):
    assert isinstance(model.guarantee, NoFormalGuarantee)
    assert not model.secure


def test_a_file_holds_everything_and_nothing_that_runs(model: Model, tmp_path: Path):
    path = tmp_path / "wilms.model"
    model.save(path)
    again = Model.load(path)
    assert again.to_bytes() == model.to_bytes() == path.read_bytes()
    assert again.sample(100, seed=1).equals(model.sample(100, seed=1))
    assert again.error_bounds() == model.error_bounds()
    with zipfile.ZipFile(path) as archive:
        assert {Path(name).suffix for name in archive.namelist()} == {".json", ".npy"}
        assert all(b"pickle" not in archive.read(name)[:200] for name in archive.namelist())


@pytest.mark.parametrize("place", [".", "nowhere/model.pets"])
def test_a_model_that_cannot_be_written_is_a_typed_error(model: Model, place: str, tmp_path: Path):
    with pytest.raises(ConfigError, match="cannot be written") as caught:
        model.save(tmp_path / place)
    assert caught.value.argument == "path"


def test_files_of_neighbours_have_the_same_form():
    """One patient more, with a label that nobody else has: same entries, same sizes, same columns."""
    base = CODES[:, CODES[1] != 2]
    more = np.column_stack([base, CODES[:, CODES[1] == 2][:, 0]])
    made = [
        Independent(epsilon=1, rows=1000, survival=SURVIVAL)._drawn(ENCODING, codes, Draws.insecure(2)).to_bytes()
        for codes in (base, more)
    ]
    forms = []
    for data in made:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            text = archive.read("model.json")
            forms.append([(e.filename, e.date_time) for e in archive.infolist()] + [text])
            assert json.loads(text)["domain"] == small_domain().to_dict()
    assert forms[0] == forms[1]


@pytest.mark.parametrize("how", ["empty", "cut", "text", "format", "shape", "nan", "label", "object"])
def test_broken_files_are_refused(model: Model, how: str, tmp_path: Path):
    data = model.to_bytes()
    document, arrays = unpacked(data)
    if how == "format":
        data = packed(document | {"format": "x"}, arrays)
    elif how == "shape":
        data = packed(document, arrays | {"table_0": np.zeros(2)})
    elif how == "nan":
        data = packed(document, arrays | {"factor_0": arrays["factor_0"] * np.nan})
    elif how == "label":
        data = packed(document | {"tables": [[["x"], "1", True]]}, arrays)
    elif how == "object":
        data = packed(document, arrays | {"rows": np.array(["1"])})
    else:
        data = {"empty": b"", "cut": data[:-100], "text": b"rows,columns"}[how]
    path = tmp_path / "broken"
    path.write_bytes(data)
    with pytest.raises(ConfigError):
        Model.load(path)
    with pytest.raises(ConfigError):
        Model.load(tmp_path / "nowhere")


def test_the_bounds_hold_at_least_as_often_as_they_say():
    """Each measured table of many fits: is the truth within its bound? Also at a level of one half."""
    fits = [
        MST(epsilon=1, delta="1e-6", survival=SURVIVAL)._drawn(ENCODING, CODES, Draws.insecure(s)) for s in range(9)
    ]
    for level in (0.5, 0.95):
        inside = total = 0
        for made in fits:
            groups = np.array([r.grouping.group[c] for r, c in zip(made.refinements, CODES, strict=True)])
            for table, bound in zip(made.tables, made.error_bounds(level), strict=True):
                codes, sizes = (groups, made.graph.sizes) if table.grouped else (CODES, ENCODING.sizes)
                model_table = made.table(table.axes, grouped=table.grouped)
                inside += np.abs(count(codes, sizes, table.axes) - model_table).sum() / 2 <= bound.rows
                total += 1
        assert inside / total >= level
    assert total > 80


@pytest.mark.parametrize("cells", [1, 2, 10, 300])
def test_the_quantile_of_the_noise_covers_and_is_not_far_off(cells: int):
    from pets.dp.samplers import discrete_gaussian

    drawn = np.abs(discrete_gaussian(20, (4000, cells), insecure_seed=cells)).sum(axis=1)
    bound = noise_quantile(cells, 20.0, 0.95)
    assert (drawn <= bound).mean() >= 0.945
    assert bound <= 1.35 * np.quantile(drawn, 0.95)


def test_planted_a_bound_that_knows_less_of_the_noise_is_seen(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pets.synthetic.model.noise_quantile", lambda cells, sigma, level: -0.5 * sigma * cells)
    with pytest.raises(AssertionError):
        test_the_bounds_hold_at_least_as_often_as_they_say()


def test_common_categories_stay_and_none_explodes():
    """Declared categories with four standard deviations or more stay; none exceeds its count by more than four."""
    counts = np.bincount(CODES[0], minlength=4)
    for seed in range(5):
        made = MST(epsilon=2, delta="1e-6", survival=SURVIVAL)._drawn(ENCODING, CODES, Draws.insecure(seed))
        sigma = next(b.sigma for b in made.error_bounds() if b.columns == ("site",))
        found = made.table((0,))
        assert np.all(found[counts >= 4 * sigma] > 0)
        assert np.all(found <= counts + 4 * sigma)


def test_the_model_says_what_it_is(model: Model):
    assert "tables were measured" in model.explain() and "2,000 rows (as declared)" in model.explain()
    assert repr(model).startswith("<Model of 6 columns")
    assert isinstance(model.promise, pets.ApproxDP)
