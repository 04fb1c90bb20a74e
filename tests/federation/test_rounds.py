"""Three registries, each a process, fit one model in rounds; they refuse, die, come back, and pay once."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import pets
from pets.csprng import InsecureRandom
from pets.errors import BadSignature, TranscriptInvalid
from pets.federation import StudyTranscript
from pets.federation.collecting import CollectorRounds
from pets.federation.study_state import CollectorState, SiteState
from pets.federation.taking_part import MemberRounds
from pets.identity import Identity
from pets.session.tcp.frames import Kind
from pets.session.tcp.link import Link
from pets.synthetic import AIM, MST, Model, aim, mst
from pets.synthetic.across import JointFit
from pets.synthetic.across.contrasts import Contrasts
from pets.synthetic.across.sums import Question, SiteSums
from tests.federation.harness import SITES, Parties
from tests.synthetic.support import SURVIVAL, small_domain, small_rows

ROWS = small_rows(900)
DEALT = {
    name: ROWS.iloc[rows, :4] for name, rows in (("FR", slice(200)), ("UK", slice(200, 350)), ("US", slice(350, None)))
}
FEW = {name: frame[["site", "stage", "relapse"]] for name, frame in DEALT.items()}
HELPERS = ("helper-1", "helper-2", "helper-3")
DOMAIN = small_domain().select(["site", "stage", "relapse"])
CLOCK = small_domain().select(["site", "stage", "relapse_time", "relapse"])


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """How well a model is fitted changes nothing here."""
    for module in (aim, mst):
        monkeypatch.setattr(module, "_TUNING", replace(module._TUNING, iterations=5, last=10, simulated=2000))


@pytest.fixture(scope="session")
def identities() -> dict[str, Identity]:
    return {name: Identity.new(name) for name in ("server", *SITES, *HELPERS)}


@pytest.fixture
def parties(tmp_path: Path, identities: dict[str, Identity]) -> Iterator[Callable[..., Parties]]:
    made: list[Parties] = []

    def make(synthesizer: Any = None, domain: Any = DOMAIN, rows: Any = None, **more: Any) -> Parties:
        chosen = MST(epsilon=3, delta="1e-6", rows=900) if synthesizer is None else synthesizer
        made.append(Parties(tmp_path, identities, chosen, domain, FEW if rows is None else rows, **more))
        return made[-1]

    yield make
    for each in made:
        each.kill_all()


def repeatable(self: Question, spec: Any, name: str, table: Any, source: Any) -> Any:
    """As the real one, with a share of the noise that depends on who draws it and in which round only."""
    seed = 1000 * self.round + sum(map(ord, name))
    return HONEST(self, spec, name, table, InsecureRandom(insecure_seed=seed))


HONEST = Question.contribution


def watched(run: Parties, name: str) -> None:
    """Make this process say how often it had paid when the first message of a sum left it."""
    honest, said = Link.send, []

    def send(self: Link, kind: Kind, *parts: bytes) -> None:
        if kind == Kind.MESSAGE and not said:
            said.append(len(run.charges(name)))
            run.say(name, f"paid {said[0]} before it said anything")
        honest(self, kind, *parts)

    Link.send = send  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("kind", "domain", "rows", "settings"),
    [
        (AIM, CLOCK, DEALT, {"survival": SURVIVAL[:1]}),  # with a noisy number of rows, strata, and contrasts
        (MST, DOMAIN, FEW, {"rows": 900}),
    ],
    ids=["aim", "mst"],
)
def test_processes_come_to_the_model_of_one_process_to_the_last_byte(
    kind: Any, domain: Any, rows: Any, settings: Any, parties: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Question, "contribution", repeatable)
    made = kind(epsilon=3, delta="1e-6", **settings)
    run = parties(made, domain, rows)
    run.start_all(**{name: partial(watched, run, name) for name in SITES})
    assert run.end_all() == dict.fromkeys(("server", *SITES), 0), run.log("server")
    assert all(run.log(name).count("paid 1 before it said anything") == 1 for name in SITES)
    joint = JointFit.of(made, domain, pets.mpc.MaskedSum(), SITES)
    sums = SiteSums(joint.arrangement, {name: joint.codes(name, rows[name]) for name in SITES}, facts=joint.facts)
    here = joint.run(sums)
    assert sums.asked > 4 and here.guarantee == made.guarantee(domain.unit)
    for name in ("server", *SITES):  # whoever has the published totals has the model
        assert run.model(name) == here.to_bytes()
    for name in SITES:
        assert run.charges(name) == [made.guarantee(domain.unit)]
    assert run.charges("server") == []
    assert "agrees" in run.log("FR") and "goes on" not in run.log("FR")
    check_record(run, here, sums.asked)


def check_record(run: Parties, model: Model, rounds: int) -> None:
    """A third party checks the record, and sees what does not belong to it."""
    found = run.transcript()
    assert len(found.rounds) == rounds and found.verify(run.roster, model) == SITES
    (first, record), second, *rest = found.rounds
    cut = [
        replace(found, rounds=found.rounds[:-1]),  # a table of the model is missing
        replace(found, rounds=(second, (first, record), *rest)),
        replace(found, rounds=((first.replace('"total":[', '"total":[1'), record), second, *rest)),
        replace(found, rounds=((first, second[1]), second, *rest)),
        replace(found, facts={**found.facts, "repeat": "another"}),
        replace(found, rounds=()),
    ]
    for changed in cut:
        with pytest.raises((TranscriptInvalid, BadSignature)):
            changed.verify(run.roster, model)
    other = replace(model, tables=(replace(model.tables[0], values=model.tables[0].values + 1), *model.tables[1:]))
    with pytest.raises(TranscriptInvalid, match="none of the totals"):
        found.verify(run.roster, other)
    with pytest.raises(TranscriptInvalid):
        StudyTranscript.from_json(b"{}")


@pytest.mark.slow
def test_parties_without_data_follow_all_rounds(parties: Any):
    run = parties(aggregator=pets.mpc.AdditiveSharing(), others=(*SITES, *HELPERS))
    run.start_all(**{"helper-1": partial(die, MemberRounds, "answered", 2)})
    assert run.end("helper-1") == -signal.SIGKILL
    run.start("helper-1")
    assert run.end_all() == dict.fromkeys(("server", *run.others), 0), run.log("server") + run.log("helper-1")
    assert len({run.model(name) for name in ("server", *run.others)}) == 1
    assert {name: len(run.charges(name)) for name in run.others} == dict.fromkeys(SITES, 1) | dict.fromkeys(HELPERS, 0)
    assert run.transcript().verify(run.roster) == ()  # sites sign nothing in this protocol


# ------------------------------------------------------------------------------------------------ refusals


def begun(run: Parties, name: str) -> int:
    """How many rounds a site has answered."""
    (path,) = (run.folder / name).glob("study-*-site.json")
    return len(SiteState(run.folder / name, json.loads(path.read_text())["study"]).begun)


def lies(lie: str) -> None:
    """Make this process a collector that asks what nobody agreed on."""
    honest = CollectorRounds._contract

    def contract(self: CollectorRounds, question: Question, number: int) -> Any:
        found = honest(self, question, number)
        if lie == "another answer" and question.round == 3:
            answers = [[value + 1 for value in answer] for answer in found.plan["answers"]]
            return replace(found, plan={**found.plan, "answers": answers})
        if lie == "less noise" and question.round == 1:
            return replace(found, spec=replace(found.spec, noise_bound=0))
        if lie == "another question" and question.round == 3:
            return replace(found, plan={**found.plan, "asked": {**found.plan["asked"], "table": [0]}})
        return found

    CollectorRounds._contract = contract  # type: ignore[method-assign]
    if lie == "another choice":
        best = Contrasts.best

        def second_best(self: Contrasts, weights: Any, *more: Any) -> Any:
            first = best(self, weights, *more)
            return best(self, {axes: weight for axes, weight in weights.items() if axes != first} or weights, *more)

        Contrasts.best = second_best  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("lie", "answered", "words"),
    [
        ("less noise", 0, "the noise"),
        ("another question", 2, "what is asked in this round"),
        ("another answer", 2, "the answers to earlier rounds"),
        ("another choice", 4, "what is asked in this round"),  # after three columns and the contrasts
    ],
)
def test_a_collector_that_asks_anything_else_is_refused_before_it_gets_it(
    lie: str, answered: int, words: str, parties: Any
):
    run = parties()
    run.start_all(server=partial(lies, lie))
    for name in SITES:
        assert run.end(name) == 1
        assert f"ContractDiffers: the collector's contract differs from the plan here in: {words}" in run.log(name)
        assert len(run.charges(name)) == (1 if answered else 0)
        if answered:
            assert begun(run, name) == answered
        else:
            assert not list((run.folder / name).glob("study-*-site.json"))
    assert f"round {answered + 1}: " in run.log("server") and f"round {answered + 2}: " not in run.log("server")


def test_a_site_that_cannot_pay_ends_it_before_anybody_has(parties: Any):
    run = parties(limits={"US": pets.ApproxDP(2, "1e-4")})
    run.start_all()
    assert run.end("US") == 1 and "BudgetExceeded" in run.log("US")
    run.kill("server")
    run.wait = 1.0
    run.start("server")
    assert run.end("server") == 1
    assert re.search(r"NotConnected: .*Missing: .*US.* No site was charged\.", run.log("server"))
    assert all(run.charges(name) == [] for name in ("server", *SITES))
    assert not [path for name in SITES for path in (run.folder / name).glob("study-*-site.json")]


def test_a_plan_that_differs_is_refused_with_what_differs(parties: Any):
    run = parties()
    run.start("server")
    run.start("FR", repeat="second", dataset="other")
    assert run.end("FR") == 1
    assert "the name of the data set; which repeat of the study it is" in run.log("FR")
    assert "agrees" not in run.log("FR") and run.charges("FR") == []


# ------------------------------------------------------------------------------------------------ kills


def die(owner: type, method: str, at: int, *, after: bool = True) -> None:
    """Make this process die of a signal right after (or before) so many calls of a method."""
    honest, count = getattr(owner, method), 0

    def deadly(*arguments: Any, **more: Any) -> Any:
        nonlocal count
        count += 1
        if count == at and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        found = honest(*arguments, **more)
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    setattr(owner, method, deadly)


def impatient(what: str, at: int) -> None:
    """Make this process a collector that gives parties three seconds to come, or for a stage, from some round on."""
    honest = CollectorRounds._hold

    def hold(self: CollectorRounds, question: Question) -> None:
        if question.round >= at:
            setattr(self, what, 3.0)
        honest(self, question)

    CollectorRounds._hold = hold  # type: ignore[method-assign]


SITE_DEATHS = {
    "before it charged": (SiteState, "begin", 1, True),
    "when it had charged": (pets.Ledger, "charge", 1, True),
    "between two rounds": (MemberRounds, "answered", 2, True),
    "before a round": (MemberRounds, "_take_part", 3, False),
    "after a round": (MemberRounds, "_take_part", 3, True),
}
COLLECTOR_DEATHS = {
    "between two rounds": (CollectorRounds, "answered", 2, True),
    "when it had a total": (CollectorState, "add", 3, True),
    "before it kept a total": (CollectorState, "add", 3, False),
    "when all was answered": (CollectorRounds, "transcript", 1, True),
}


def finished(run: Parties) -> bool:
    """Whether all have the same model, and each site has paid once."""
    models = {run.model(name) for name in ("server", *SITES)}
    paid = all(run.charges(name) == [run.synthesizer.guarantee(run.domain.unit)] for name in SITES)
    return (
        len(models) == 1 and paid and run.transcript().verify(run.roster, Model.load(run.folder / "FR.model")) == SITES
    )


SLOW = ("before it charged", "before a round", "after a round", "before it kept a total", "when all was answered")


def quickly(deaths: Any) -> list[Any]:
    """The deaths, of which some are left out where tests must be quick."""
    return [pytest.param(death, marks=pytest.mark.slow) if death in SLOW else death for death in deaths]


@pytest.mark.parametrize("death", quickly(SITE_DEATHS))
def test_a_site_that_is_killed_comes_back_and_pays_once(death: str, parties: Any):
    run = parties()
    run.start_all(UK=partial(die, *SITE_DEATHS[death][:3], after=SITE_DEATHS[death][3]))
    assert run.end("UK") == -signal.SIGKILL
    run.start("UK")
    assert run.end_all() == dict.fromkeys(("server", *SITES), 0), run.log("server") + run.log("UK")
    assert finished(run)


@pytest.mark.parametrize("death", quickly(COLLECTOR_DEATHS))
def test_a_collector_that_is_killed_goes_on_where_it_stood(death: str, parties: Any):
    run = parties()
    run.start_all(server=partial(die, *COLLECTOR_DEATHS[death][:3], after=COLLECTOR_DEATHS[death][3]))
    assert run.end("server") == -signal.SIGKILL
    run.start("server")
    assert run.end_all() == dict.fromkeys(("server", *SITES), 0), run.log("server") + run.log("UK")
    assert finished(run)


def test_a_site_that_stays_away_between_rounds_is_named_and_may_come_back(parties: Any):
    run = parties()
    run.start_all(server=partial(impatient, "wait", 3), UK=partial(die, MemberRounds, "answered", 2))
    assert run.end("UK") == -signal.SIGKILL
    assert run.end("server") == 1
    said = run.log("server")
    assert re.search("NotConnected: .*UK.* did not come, so nothing was asked of the others", said)
    assert "were charged epsilon = 3, delta = 1e-06 (approximate DP), the cost of all rounds" in said
    assert "run the same command again" in said
    run.start("server")
    run.start("UK")
    assert run.end_all() == dict.fromkeys(("server", *SITES), 0), run.log("server") + run.log("UK")
    assert finished(run) and "goes on" in run.log("UK")


def test_a_site_that_dies_within_a_round_ends_the_study_and_is_named(parties: Any):
    run = parties()
    run.start_all(server=partial(impatient, "deadline", 2), UK=partial(die, Question, "contribution", 2))
    assert run.end_all() == {"server": 1, "FR": 1, "UK": -signal.SIGKILL, "US": 1}
    said = run.log("server")
    assert re.search("ProtocolAbort: .*UK.* dropped out, and all sites must be in the total.* and it is spent", said)
    for name in ("FR", "US"):
        assert "ProtocolAbort" in run.log(name) and "is charged here and stays so" in run.log(name)
    run.start("server")  # it does not ask a second time what was begun
    assert run.end("server") == 1 and run.log("server").count("this study has ended: in round 2") == 1


def test_a_site_that_lost_its_record_answers_no_more(parties: Any):
    """What it has answered cannot be known, so nothing is answered for the old charge, nor for a new one."""
    run = parties()
    run.start_all(UK=partial(die, MemberRounds, "answered", 2))
    assert run.end("UK") == -signal.SIGKILL
    (path,) = (run.folder / "UK").glob("study-*-site.json")
    path.unlink()
    run.start("UK")
    assert run.end("UK") == 1
    assert "ContractDiffers" in run.log("UK") and len(run.charges("UK")) == 1
    path.write_text("{}")
    run.start("UK")
    assert run.end("UK") == 1 and "JournalError" in run.log("UK")


@pytest.mark.parametrize("cost", [pets.ApproxDP(1, "1e-6"), pets.ZeroConcentratedDP("0.1")], ids=str)
def test_an_older_copy_of_the_folder_answers_no_round_again(tmp_path: Path, cost: Any):
    """Its ratchets and its file of rounds are older, too: only the ledger remembers."""
    folder, older = tmp_path / "state", tmp_path / "older"
    folder.mkdir()
    drawn = []

    def answer(ledger: pets.Ledger, number: int, session: bytes) -> None:
        """Answer a round as a process that was just started."""
        site = object.__new__(MemberRounds)
        site.me, site.state, site.source = "FR", SiteState(folder, "ab" * 32), None  # type: ignore[assignment]
        site.joint = SimpleNamespace(facts={"study": 1}, sites=("FR", "UK"))  # type: ignore[assignment]
        unit = SimpleNamespace(unit="patient")
        site.study = SimpleNamespace(ledger=ledger, dataset="d", domain=unit, cost=cost, makes=str)  # type: ignore[assignment]
        asked = SimpleNamespace(round=number, contribution=lambda *_: drawn.append(number))
        site._contributed(SimpleNamespace(spec=SimpleNamespace(id=session)), asked, None)  # type: ignore[arg-type]

    with pets.Ledger(tmp_path / "book.sqlite", limit=cost) as ledger:
        answer(ledger, 1, b"first")
        shutil.copytree(folder, older)
        answer(ledger, 2, b"second")
        answer(ledger, 2, b"second")  # killed before it was sent
        assert drawn == [1, 2, 2] and ledger.spent("d", "patient") == cost
        for session in (b"second", b"third"):
            shutil.rmtree(folder)
            shutil.copytree(older, folder)
            with pytest.raises(pets.errors.JournalError, match="older copy"):
                answer(ledger, 2, session)
        assert drawn == [1, 2, 2] and ledger.spent("d", "patient") == cost


def test_no_round_is_answered_in_two_sessions(tmp_path: Path):
    state = SiteState(tmp_path, "ab" * 32)
    state.begin(1, "first")
    state.begin(1, "first")  # the same process, started again before anything was sent
    state.learn([[1, 2]])
    for number, session in ((1, "second"), (3, "third")):
        with pytest.raises(pets.errors.JournalError, match="othing was sent"):
            state.begin(number, session)
    for answers in ([[1, 3]], [], [[1, 2], [3]]):
        with pytest.raises(pets.errors.ContractDiffers):
            state.learn(answers)
    again = SiteState(tmp_path, "ab" * 32)
    assert (again.token, again.begun, again.answers) == (state.token, ["first"], [[1, 2]])
    assert SiteState(tmp_path, "cd" * 32).token != state.token
