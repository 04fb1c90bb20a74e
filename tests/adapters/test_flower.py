"""Flower's own messages, mods and app, in one process; runs where Flower is installed (scripts/platforms.sh)."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pets
from pets.adapters import Collector, Parcel
from pets.adapters.flower import (
    AuditMod,
    BudgetMod,
    FlowerExchange,
    GuardMod,
    InProcessGrid,
    SecureSumMod,
    TrainingMod,
    ask,
    client_app,
    collector,
    give_tally,
)
from pets.adapters.flower.client import converse
from pets.errors import KeyFileError, ProtocolAbort, TooFewSites

flwr_app = pytest.importorskip("flwr.app")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

NODES = {11: {"site": "FR"}, 12: {"site": "UK"}, 13: {"site": "US"}}


def asking(world: Any, app: Any = None) -> Collector:
    grid = InProcessGrid(app or client_app(lambda context: world.site(context.node_config["site"])), NODES)
    made: Collector = world.collector
    made.exchange = FlowerExchange(grid, timeout=5)
    return made


def exact(world: Any, *by: str) -> np.ndarray:
    return np.asarray(pets.Count(by=list(by)).bind(world.domain).tally(world.pooled()).values)


class TestQuestions:
    def test_count_crosstab_rate_survival_and_model(self, world: Any) -> None:
        world.limit = 2_000
        made = asking(world)
        count = ask(made, {"ask": "count", "epsilon": 200})
        assert [row["value"] for row in count["result"]] == [900]
        assert count["sites"] == ["FR", "UK", "US"]
        table = ask(made, {"ask": "crosstab", "by": ["sex", "age_group"], "epsilon": 200})
        assert [row["value"] for row in table["result"]] == exact(world, "sex", "age_group")[:6].tolist()
        years = [2e6, 2.1e6, 2.2e6]
        rate = ask(made, {"ask": "rate", "by": "age_group", "person_years": years, "standard": "segi_1960",
                          "epsilon": 200})  # fmt: skip
        cases, weights = exact(world, "age_group")[:3], np.array([12, 10, 9])
        expected = 1e6 * (cases / np.array(years) * weights).sum() / weights.sum()
        assert rate["result"]["standardised"]["value"] == pytest.approx(expected, rel=1e-9)
        curve = ask(made, {"ask": "survival", "time": "months", "event": "status", "epsilon": 200})
        with pets.Ledger(world.folder / "pooled.sqlite", limit=pets.PureDP(200)) as ledger:
            pipeline = pets.Pipeline(pets.EventTable("months", "status"), world.domain, None,
                                     pets.dp.DiscreteLaplace(epsilon=200), ledger)  # fmt: skip
            pooled = pets.epi.kaplan_meier(pipeline.run({"all": world.pooled()})).curves[0]
        assert curve["result"][0]["value"] == pytest.approx(list(pooled.value), abs=1e-9)
        model = ask(made, {"ask": "model", "outcome": "status", "on": ["sex"], "epsilon": 200})
        cells = exact(world, "sex", "status")[:4].reshape(2, 2)
        odds = np.log(cells[:, 1] / cells[:, 0])
        found = {line["term"]: line["coefficient"] for line in model["result"]}
        assert list(found.values()) == pytest.approx([odds[0], odds[1] - odds[0]], abs=1e-6)
        json.dumps(model)

    def test_noise_of_all_sites_is_inside(self, world: Any) -> None:
        answer = asking(world).ask(world.question(epsilon=1))
        columns = answer.release.to_columns()
        assert np.all(np.abs(columns["value"] - exact(world, "sex", "age_group")[:6]) < 60 * columns["stderr"])
        # three shares of which two are enough: half as much variance again as from one curator
        assert columns["stderr"][0] ** 2 == pytest.approx(1.5 * 2 * np.e / (np.e - 1) ** 2, rel=1e-6)


class TestRefusals:
    def test_a_site_whose_ledger_refuses_is_left_out_by_a_typed_error(self, world: Any) -> None:
        world.policy["fewest_sites"] = 2
        uk = world.site("UK")
        uk.ledger.charge(pets.PureDP(world.limit), dataset="registry", unit=str(world.domain.unit))
        uk.ledger.close()
        two = {"aggregator": {"type": "masked_sum", "min_sites": 2}}
        answer = asking(world).ask(world.question(**two))
        assert answer.release.provenance.sites == ("FR", "US")
        assert answer.refused["UK"].startswith("budget: ")
        assert world.read == ["FR", "US"]

    def test_when_too_few_are_left_there_is_no_total(self, world: Any) -> None:
        world.policy["queries"] = ["event_table"]
        with pytest.raises(TooFewSites) as caught:
            asking(world).ask(world.question())
        assert any("query: 'count' may not be asked here" in note for note in caught.value.__notes__)
        assert world.read == []

    @pytest.mark.parametrize(
        "mods",
        [
            [BudgetMod(), SecureSumMod()],
            [GuardMod(), SecureSumMod()],
            [GuardMod(), BudgetMod()],
            [],
        ],
        ids=["no guard", "no budget", "no sum", "bare handler"],
    )
    def test_no_step_can_be_left_out(self, world: Any, mods: list[Any]) -> None:
        from flwr.clientapp import ClientApp

        app, audit = ClientApp(), AuditMod(lambda context: world.site(context.node_config["site"]))
        app.query("sum", mods=[audit, *mods])(give_tally)
        for kind in ("hello", "agree", "end"):
            app.query(kind, mods=[audit])(converse)
        with pytest.raises(ProtocolAbort) as caught:
            asking(world, app).ask(world.question())
        assert all(": steps" in note for note in caught.value.__notes__)

    def test_an_app_that_fails_says_nothing_of_why(self, world: Any) -> None:
        asked = world.question()
        made = asking(world)
        world.frames = {**world.frames, "FR": "no frame, but a secret"}
        world.policy["fewest_sites"] = 2
        with pytest.raises(ProtocolAbort) as caught:
            made.ask(asked)
        assert "FR: failed" in caught.value.__notes__[0]
        assert "secret" not in str(caught.value.__notes__)

    def test_a_site_that_cannot_be_opened_says_so_at_home_only(
        self, world: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def broken(context: Any) -> Any:
            raise KeyFileError("/registry/FR.key", "is not there", "Make one.")

        replies = FlowerExchange(InProcessGrid(client_app(broken), NODES), timeout=5)._carry({11: Parcel("hello")})
        assert "FR.key" not in str(replies[11])
        assert replies[11].head["code"] == "failed"
        assert "FR.key" in capsys.readouterr().err


class TestFiles:
    def test_a_node_finds_its_site_by_the_file_in_its_configuration(self, world: Any, site_files: Any) -> None:
        nodes = {number: {"site": str(site_files[name])} for number, name in enumerate(("FR", "UK", "US"), start=5)}
        made = collector(InProcessGrid(client_app(), nodes), site_files["server"], timeout=5)
        answer = ask(made, {"ask": "crosstab", "by": ["sex"], "epsilon": "1/2"})
        assert set(answer["audit"]) == {"FR", "UK", "US"}
        for name in ("FR", "UK", "US"):
            log = pets.guards.AuditLog(Path(site_files[name]).parent / "audit.jsonl")
            assert [entry.verdict for entry in log.entries()] == ["answered", "finished"]
            assert log.verify(answer["audit"][name]) == 2


def trained(world: Any, *, rounds: int, wrap: Any = None, fail: str = "", **options: Any) -> tuple[Any, Any]:
    """Train a mean by Flower's own FedAvg; return the model and the strategy's result."""
    from flwr.clientapp import ClientApp
    from flwr.serverapp.strategy import FedAvg

    def open_site(context: Any) -> Any:
        return world.site(context.node_config["site"])

    app = ClientApp(mods=[TrainingMod(open_site, **options)])

    @app.train()
    def train(message: Any, context: Any) -> Any:
        site = open_site(context)
        rows = site.rows()
        if fail == "raises":
            raise ValueError(f"row {rows.iloc[0].to_dict()}")
        if fail == "error":
            return flwr_app.Message(flwr_app.Error(0, "row of a female"), reply_to=message)
        if fail == "nothing":
            return flwr_app.Message(flwr_app.RecordDict({}), reply_to=message)
        model = message.content["arrays"].to_numpy_ndarrays()
        target = float((rows.sex == "female").mean())
        moved = [array + (target - array) for array in model]
        if fail:
            moved[0] = {"shape": np.zeros(7), "text": np.full((2, 3), "female"), "nan": np.full((2, 3), np.nan)}[fail]
        content = {
            "model": flwr_app.ArrayRecord(moved),
            "told": flwr_app.MetricRecord({"num-examples": len(rows), "loss": 0.125}),
        }
        return flwr_app.Message(flwr_app.RecordDict(content), reply_to=message)

    @app.evaluate()
    def evaluate(message: Any, context: Any) -> Any:
        content = {"told": flwr_app.MetricRecord({"num-examples": 1, "loss": 0.125})}
        return flwr_app.Message(flwr_app.RecordDict(content), reply_to=message)

    strategy = FedAvg(fraction_evaluate=1.0, min_available_nodes=3)
    strategy = wrap(strategy) if wrap else strategy
    start = flwr_app.ArrayRecord([np.zeros((2, 3), np.float32), np.zeros(4)])
    result = strategy.start(InProcessGrid(app, NODES), start, num_rounds=rounds)
    return result.arrays.to_numpy_ndarrays(), result


class TestTraining:
    def test_each_round_is_charged_and_the_model_is_the_mean_and_noise(self, world: Any) -> None:
        world.limit, world.currency = "1/2", pets.ZeroConcentratedDP
        model, result = trained(world, rounds=3, clip=2, multiplier=100)
        assert [array.dtype for array in model] == [np.float32, np.float64]
        assert [array.shape for array in model] == [(2, 3), (4,)]
        for name in ("FR", "UK", "US"):
            site = world.site(name)
            charges = [entry for entry in site.ledger.entries() if entry.kind == "charge"]
            assert [entry.guarantee.rho for entry in charges] == [Fraction(2, 100**2)] * 3
            log = [(entry.verdict, entry.code) for entry in site.log.entries()]
            assert log == [("finished", "trained"), ("refused", "form")] * 3  # an evaluation would be exact
            assert site.guard.answered() == ()
        assert sorted(world.read) == sorted(["FR", "UK", "US"] * 3)
        assert not any("loss" in str(metrics) for metrics in result.train_metrics_clientapp.values())

    def test_with_little_noise_it_is_the_mean_of_the_clipped_updates(self, world: Any) -> None:
        world.limit, world.currency = 10**12, pets.ZeroConcentratedDP
        expected = np.mean([float((frame.sex == "female").mean()) for frame in world.frames.values()])
        model, _ = trained(world, rounds=1, clip=100, multiplier="1/1024")
        # noise of 100 / 1024 from each of three sites
        assert model[1] == pytest.approx(np.full(4, expected), abs=6 * 100 / 1024 / np.sqrt(3))
        model, _ = trained(world, rounds=1, clip="1/10", multiplier="1/1024")
        size = np.sqrt(sum((array**2).sum() for array in model))
        assert size == pytest.approx(0.1, abs=0.002)

    def test_flowers_own_differential_privacy_goes_around_it(self, world: Any) -> None:
        from flwr.serverapp.strategy import DifferentialPrivacyServerSideFixedClipping as FixedClipping

        world.limit, world.currency = 10**12, pets.ZeroConcentratedDP
        model, _ = trained(
            world, rounds=2, clip=1, multiplier="1/1024",
            wrap=lambda within: FixedClipping(within, noise_multiplier=1e-6, clipping_norm=10, num_sampled_clients=3),
        )  # fmt: skip
        assert np.isfinite(model[0]).all() and np.abs(model[1]).max() < 2
        assert sum(entry.kind == "charge" for entry in world.site("FR").ledger.entries()) == 2

    def test_a_ledger_that_is_spent_stops_before_a_row_is_read(self, world: Any) -> None:
        world.limit, world.currency = Fraction(3, 100**2), pets.ZeroConcentratedDP
        trained(world, rounds=2, clip=1, multiplier=100)
        assert sorted(world.read) == ["FR", "UK", "US"]
        log = [(entry.verdict, entry.code) for entry in world.site("FR").log.entries() if entry.code != "form"]
        assert log == [("finished", "trained"), ("refused", "budget")]

    @pytest.mark.parametrize("how", ["raises", "error", "shape", "nothing", "text", "nan"])
    def test_whether_a_training_failed_is_not_told(
        self, world: Any, how: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """An error in place of a noisy model told exactly whether the row that breaks the training is there."""
        world.limit, world.currency = 10**12, pets.ZeroConcentratedDP
        replies: list[Any] = []
        deliver = InProcessGrid._deliver

        def kept(self: Any, message: Any, number: int) -> Any:
            replies.append(deliver(self, message, number))
            return replies[-1]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(InProcessGrid, "_deliver", kept)
            model, _ = trained(world, rounds=1, clip="1/100", multiplier="1/1024", fail=how)
        trainings = [reply for reply in replies if reply.metadata.message_type.startswith("train")]
        assert len(trainings) == 3 and not any(reply.has_error() for reply in trainings)
        assert {tuple(sorted(reply.content)) for reply in trainings} == {("arrays", "metrics")}
        assert max(np.abs(array).max() for array in model) < 10 / 100 / 1024  # noise around what was sent
        site = world.site("FR")
        assert sum(entry.kind == "charge" for entry in site.ledger.entries()) == 1
        log = [(entry.verdict, entry.code) for entry in site.log.entries() if entry.code != "form"]
        assert log == [("finished", "trained")]  # its hash leaves with later answers
        said = capsys.readouterr().err
        assert ("training failed" in said) == (how != "nan") and "female" not in said

    def test_a_model_that_is_not_of_numbers_is_refused_before_it_is_paid_for(self, world: Any) -> None:
        from flwr.clientapp import ClientApp

        world.currency = pets.ZeroConcentratedDP
        app = ClientApp(mods=[TrainingMod(lambda _: world.site("FR"), clip=1, multiplier=1)])
        app.train()(lambda message, _: message)
        grid = InProcessGrid(app, {11: {"site": "FR"}})
        record = flwr_app.ArrayRecord({"a": flwr_app.Array(np.array([1j]))})
        message = flwr_app.Message(flwr_app.RecordDict({"arrays": record}), dst_node_id=11, message_type="train")
        (reply,) = grid.send_and_receive([message])
        assert reply.has_error() and "real numbers" in reply.error.reason
        assert not any(entry.kind == "charge" for entry in world.site("FR").ledger.entries())

    def test_a_query_that_the_other_mods_have_not_answered_does_not_leave(self, world: Any) -> None:
        """A handler of the app's own would answer with rows, uncharged, through the mod that is said to refuse it."""
        from flwr.clientapp import ClientApp

        def answer(message: Any, _: Any) -> Any:
            return flwr_app.Message(flwr_app.RecordDict({"m": flwr_app.MetricRecord({"rows": 7})}), reply_to=message)

        app = ClientApp(mods=[TrainingMod(lambda _: world.site("FR"), clip=1, multiplier=1)])
        app.query()(answer)
        asked = flwr_app.Message(flwr_app.RecordDict({}), dst_node_id=11, message_type="query")
        (reply,) = InProcessGrid(app, {11: {"site": "FR"}}).send_and_receive([asked])
        assert reply.has_error() and "only questions of pets" in reply.error.reason
