"""Flower's own messages, mods and app, in one process; runs where Flower is installed (scripts/platforms.sh)."""

from __future__ import annotations

import json
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
