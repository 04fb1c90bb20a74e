"""What a collector, or somebody on the platform, cannot have of a site."""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping
from typing import Any

import pytest

import pets
from pets.adapters import Contract, Parcel
from pets.adapters.site import FAULTS
from pets.config import canonical_json
from pets.errors import IncompatibleTallies, QueryRefused, TooFewSites
from pets.guards import AuditLog
from pets.guards.anchor import newest_anchor
from pets.identity import Identity, Roster
from pets.session.tcp import Store


class Tap:
    """Keeps what is asked of one site in the first turn of a sum, and goes no further."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.kept: dict[str, Parcel] = {}

    def __call__(self, name: str, parcel: Parcel) -> Parcel | None:
        if parcel.kind == "sum":
            self.kept.setdefault(name, parcel)
            return Parcel("silent")
        return None


@pytest.fixture
def asked(world: Any) -> Parcel:
    """A signed first message to FR, which FR has not seen; keys are agreed."""
    tap = Tap(world)
    world.intercept = tap
    with pytest.raises(TooFewSites):
        world.collector.ask(world.question())
    world.intercept = None
    return tap.kept["FR"]


def code(reply: Parcel) -> Any:
    return reply.head["code"] if reply.kind == "refused" else reply.kind


def verdicts(world: Any, name: str = "FR") -> list[tuple[str, str]]:
    return [(entry.verdict, entry.code) for entry in AuditLog(world.folder / name / "audit.jsonl").entries()]


class TestWhoAsks:
    @pytest.mark.parametrize("key", ["question", "spec"])
    def test_what_the_collector_did_not_sign_costs_nothing(self, world: Any, asked: Parcel, key: str) -> None:
        changed = {**asked.head, key: {**asked.head[key], "purpose": "another"}}
        site = world.site("FR")
        assert code(site.answer(Parcel("sum", changed))) == "signature"
        assert len(site.ledger.entries()) == 1
        assert world.read == []
        assert verdicts(world) == [("refused", "signature")]

    def test_a_site_of_the_roster_cannot_ask_in_the_collectors_place(self, world: Any, asked: Parcel) -> None:
        question, uk = world.question(), world.identities["UK"]
        contract = Contract.make(
            question, world.domain, ("FR", "UK", "US"), number=1, roster=world.roster, dataset="registry"
        )
        assert code(world.site("FR").answer(Parcel("sum", contract.head(uk)))) == "signature"

    def test_a_contract_with_less_noise_or_other_sites_is_refused(self, world: Any, asked: Parcel) -> None:
        question, server = world.question(), world.identities["server"]
        good = Contract.make(
            question, world.domain, ("FR", "UK", "US"), number=1, roster=world.roster, dataset="registry"
        )
        for changes in ({"noise": {**good.spec.noise, "honest": 3}}, {"bound": 10}, {"sites": ("FR", "UK", "XX")}):
            spec = type(good.spec)(**{**{n: getattr(good.spec, n) for n in good.spec.to_dict()}, **changes})
            forged = Contract(question, spec, good.pipeline)
            assert code(world.site("FR").answer(Parcel("sum", forged.head(server)))) == "contract"
        assert world.read == []

    def test_the_asker_cannot_choose_with_how_few_accomplices_a_site_is_singled_out(self, world: Any) -> None:
        """Of five sites with a threshold of three, a lying collector needs one: 2 x 3 - 5."""
        names, server = ("FR", "UK", "US", "DE", "IT"), world.identities["server"]
        others = [Identity.new(name).public for name in ("DE", "IT")]
        world.roster = Roster([*world.roster.values(), *others])
        site = world.site("FR")
        for threshold, expected in ((3, "aggregator"), (4, None), (None, None)):
            question = world.question(aggregator={"type": "masked_sum", "threshold": threshold, "min_sites": 3})
            contract = Contract.make(question, world.domain, names, number=1, roster=world.roster, dataset="registry")
            read = site.contract(Parcel("sum", contract.head(server)))
            site.store.study = object()
            if expected is None:
                site.admit(read)
                continue
            with pytest.raises(QueryRefused, match="two thirds") as caught:
                site.admit(read)
            assert caught.value.code == expected

    def test_another_domain_is_found(self, world: Any, asked: Parcel) -> None:
        site = world.site("FR")
        site.domain = world.domain.with_unit(pets.PrivacyUnit())
        assert code(site.answer(asked)) == "contract"


class TestOnce:
    def test_the_same_message_again_gives_the_same_bytes_and_one_charge(self, world: Any, asked: Parcel) -> None:
        first, second = world.site("FR").answer(asked), world.site("FR").answer(asked)
        assert first.bodies == second.bodies
        assert world.read == ["FR"]
        assert [entry.kind for entry in world.site("FR").ledger.entries()] == ["limit", "charge", "answer"]
        assert verdicts(world) == [("answered", "")]

    def test_a_session_that_is_over_cannot_be_asked_again(self, world: Any, asked: Parcel) -> None:
        world.site("FR").answer(asked)
        assert world.site("FR").answer(Parcel("end", asked.head)).kind == "end"
        assert code(world.site("FR").answer(asked)) == "number"
        assert world.read == ["FR"]

    def test_a_collector_that_holds_more_than_was_said_is_refused(self, world: Any, asked: Parcel) -> None:
        world.site("FR").answer(asked)
        assert code(world.site("FR").answer(Parcel("sum", {**asked.head, "have": 9}))) == "journal"

    def test_a_message_while_another_is_answered_is_put_off(self, world: Any, asked: Parcel) -> None:
        site = world.site("FR")
        with site.store.locked():
            assert code(world.site("FR").answer(asked)) == "busy"

    @pytest.mark.parametrize("folders", ["one site object", "another folder, the same log"])
    def test_two_questions_at_once_cannot_both_be_judged_by_the_same_history(
        self, world: Any, asked: Parcel, folders: str
    ) -> None:
        """The second comes while the first reads its rows: the log does not hold that one yet."""
        first = world.site("FR")
        second, replies = first, []
        if folders != "one site object":
            second = world.site("FR")
            second.store = Store(world.folder / "FR" / "elsewhere", world.identities["FR"], world.roster)

        def rows() -> Any:
            thread = threading.Thread(target=lambda: replies.append(second.answer(asked)))
            thread.start()
            thread.join()
            return world.frames["FR"]

        first.rows = rows
        assert first.answer(asked).kind == "sum"
        assert [code(reply) for reply in replies] == ["busy"]
        assert verdicts(world) == [("answered", "")]
        assert [entry.kind for entry in first.ledger.entries()] == ["limit", "charge", "answer"]


class TestSteps:
    def test_a_table_without_guards_or_ledger_does_not_enter(self, world: Any, asked: Parcel) -> None:
        site = world.site("FR")
        contract = site.contract(asked)
        with site.store.locked():
            table = site.tally(contract)
            for steps in ((), (site.admit,), (site.pay,)):
                for step in steps:
                    step(contract)
                if steps == (site.pay,):
                    site._admitted.clear()
                with pytest.raises(QueryRefused, match="without the guards or the ledger"):
                    site.add(contract, asked, table)

    def test_one_charge_pays_for_one_share_of_noise(self, world: Any, asked: Parcel) -> None:
        site = world.site("FR")
        contract = site.contract(asked)
        with site.store.locked():
            site.admit(contract)
            site.pay(contract)
            table = site.tally(contract)
            site.add(contract, asked, table)
            with pytest.raises(QueryRefused, match="without the guards or the ledger"):
                site.add(contract, asked, table)

    def test_the_table_of_another_question_does_not_enter(self, world: Any, asked: Parcel) -> None:
        site = world.site("FR")
        contract = site.contract(asked)
        other = world.question(query={"type": "count", "by": ["sex"]}).pipeline(world.domain)
        with site.store.locked():
            site.admit(contract)
            site.pay(contract)
            with pytest.raises(IncompatibleTallies):
                site.add(contract, asked, other.bound.tally(world.frames["FR"]))


class TestRefusals:
    """The verdicts are the same whatever the rows are: here the true registry, an empty one, and one of one patient."""

    def replies(self, world: Any, rows: Mapping[str, Any]) -> list[str]:
        world.frames = rows
        found = []
        questions = [
            world.question(epsilon=1), world.question(query={"type": "marginals", "tables": [["sex"]]}),
            world.question(mechanism={"type": "discrete_gaussian", "rho": "1/8"}), world.question(epsilon=9),
            world.question(epsilon=4), world.question(epsilon=1),
        ]  # fmt: skip
        for question in questions:
            try:
                world.collector.ask(question)
                found.append("answered")
            except TooFewSites as error:
                found.append(error.__notes__[0].split(":")[1].strip())
        return found

    def test_verdicts_do_not_depend_on_the_rows(self, world: Any, tmp_path: Any) -> None:
        full = dict(world.frames)
        results = []
        for n in (300, 1, 0):
            world.folder = tmp_path / str(n)
            world.folder.mkdir()
            results.append(self.replies(world, {name: frame.head(n) for name, frame in full.items()}))
        assert results[0] == ["answered", "query", "mechanism", "budget", "answered", "budget"]
        assert results[1] == results[2] == results[0]

    def test_the_audit_log_holds_no_count_and_no_row(self, world: Any) -> None:
        world.frames = {name: frame.assign(sex="female") for name, frame in world.frames.items()}
        world.collector.ask(world.question())
        text = (world.folder / "FR" / "audit.jsonl").read_text()
        assert "300" not in text.replace('"time"', "").split('"question"')[1].split('"sequence"')[0]
        assert verdicts(world) == [("answered", ""), ("finished", "")]

    def test_a_fault_is_logged_and_not_explained(self, world: Any, asked: Parcel) -> None:
        world.frames = {**world.frames, "FR": "a secret that is no frame"}
        reply = world.site("FR").answer(asked)
        assert reply.head == {
            "code": "failed", "reason": "the site could not take part; only its own files say why",
        }  # fmt: skip
        assert verdicts(world) == [("failed", "failed")]
        kept = (world.folder / "FR" / "state" / "faults.log").read_text()
        assert "InvalidArgument: frame: " in kept
        assert "secret" not in kept

    def test_an_engine_that_breaks_is_a_fault_like_any_other(self, world: Any, asked: Parcel) -> None:
        site = world.site("FR")

        def breaks() -> object:
            raise ValueError("row 7: Mary")

        site.rows = breaks
        reply = site.answer(asked)
        assert code(reply) == "failed"
        assert "Mary" not in str(reply) + (world.folder / "FR" / "state" / "faults.log").read_text()

    @pytest.mark.parametrize("damage", ["changed", "no file"])
    def test_a_log_that_cannot_be_written_stops_every_answer_without_a_word(
        self, world: Any, asked: Parcel, damage: str
    ) -> None:
        log = world.folder / "FR" / "audit.jsonl"
        if damage == "changed":
            log.write_text("no entry\n")
        else:
            log.mkdir()
        assert world.site("FR").answer(asked).head == {
            "code": "failed", "reason": "the site could not take part; only its own files say why",
        }  # fmt: skip
        assert world.read == []
        assert "audit log" in (world.folder / "FR" / "state" / "faults.log").read_text()

    def test_a_question_too_long_for_the_log_is_refused(self, world: Any, asked: Parcel) -> None:
        head = {"question": {"schema": 1, "purpose": "x" * 2**21}, "spec": {}}
        signature = world.identities["server"].sign(canonical_json(head).encode(), "question over a platform")
        parcel = Parcel("sum", {**head, "signature": base64.b64encode(signature).decode()})
        assert code(world.site("FR").answer(parcel)) == "failed"

    def test_messages_that_are_none(self, world: Any) -> None:
        for parcel in (Parcel("other"), Parcel("sum"), Parcel("end"), Parcel("agree", {"epoch": "now"}),
                       Parcel("agree", {"epoch": 1}, (b"x",)), Parcel("agree", {"epoch": 10**12})):  # fmt: skip
            assert world.site("FR").answer(parcel).kind == "refused"
        assert all(verdict == "refused" for verdict, _ in verdicts(world))

    def test_a_sum_before_keys_are_agreed(self, world: Any) -> None:
        contract = Contract.make(
            world.question(), world.domain, ("FR", "UK", "US"), number=1, roster=world.roster, dataset="registry"
        )
        reply = world.site("FR").answer(Parcel("sum", contract.head(world.identities["server"])))
        assert code(reply) == "keys"
        assert world.read == []


class TestMemory:
    """A log that is gone would let the differencing check begin anew; the ledger remembers its newest line."""

    def test_a_site_without_its_log_refuses_until_the_operator_has_confirmed(self, world: Any) -> None:
        world.collector.ask(world.question())
        log = world.folder / "FR" / "audit.jsonl"
        lost = AuditLog(log).head
        kept = log.rename(log.with_suffix(".away"))
        for _ in range(2):  # the first refusal begins a new log, which does not heal it
            with pytest.raises(TooFewSites) as caught:
                world.collector.ask(world.question())
            assert any("FR" in note and "failed" in note for note in caught.value.__notes__)
            assert lost not in str(caught.value.__notes__)
        assert world.read.count("FR") == 1
        faults = (world.folder / "FR" / "state" / FAULTS).read_text()
        named = faults.split('forgotten = "')[1].split('"')[0]
        assert named == newest_anchor(world.site("FR").ledger, "registry")
        world.forgotten = {"FR": named}
        assert world.collector.ask(world.question()).release.provenance.sites == ("FR", "UK", "US")
        kept.replace(log)  # the old log lacks the newest answer
        with pytest.raises(TooFewSites):
            world.collector.ask(world.question())

    def test_a_log_that_was_cut_is_noticed(self, world: Any) -> None:
        world.collector.ask(world.question())
        log = world.folder / "FR" / "audit.jsonl"
        log.write_bytes(b"")
        with pytest.raises(TooFewSites):
            world.collector.ask(world.question())
        assert world.read.count("FR") == 1


class TestTwo:
    def test_of_two_registries_each_draws_noise_that_is_enough_against_the_other(self, world: Any) -> None:
        world.policy["fewest_sites"] = 2
        contract = Contract.make(
            world.question(), world.domain, ("FR", "UK"), number=1, roster=world.roster, dataset="registry"
        )
        assert contract.fewest_sites == 2
        assert contract.spec.noise["honest"] == 1
        three = Contract.make(
            world.question(), world.domain, ("FR", "UK", "US"), number=1, roster=world.roster, dataset="registry"
        )
        assert three.spec.noise["honest"] == 2

    def test_also_where_two_of_three_may_be_left(self, world: Any) -> None:
        question = world.question(aggregator={"type": "masked_sum", "min_sites": 2})
        contract = Contract.make(
            question, world.domain, ("FR", "UK", "US"), number=1, roster=world.roster, dataset="registry"
        )
        assert contract.fewest_sites == 2
        assert contract.spec.noise["honest"] == 1
