"""Site and collector together, over no platform: the answer is right, and nothing else can be seen on the way."""

from __future__ import annotations

from typing import Any

import numpy as np

import pets
from pets.adapters import Parcel


def table(world: Any) -> np.ndarray:
    """The pooled table, counted by pandas."""
    pooled = world.pooled()
    return np.array([
        int(((pooled.sex == sex) & (pooled.age_group == age)).sum())
        for sex in ("female", "male") for age in ("0-4", "5-9", "10-14")
    ])  # fmt: skip


def test_the_answer_is_the_pooled_table_with_noise_of_the_stated_size(world: Any) -> None:
    world.limit = 200
    answer = world.collector.ask(world.question(epsilon=100))
    # at epsilon 100 the noise is zero but for one draw in e^100
    assert answer.release.parts[0].values[:6].tolist() == table(world).tolist()
    assert answer.release.provenance.sites == ("FR", "UK", "US")
    assert answer.refused == {}


def test_noise_of_the_stated_size_is_inside(world: Any) -> None:
    by = ["diagnosis", "sex", "age_group", "months", "status"]
    answer = world.collector.ask(world.question(epsilon=0.2, query={"type": "count", "by": by}))
    truth = pets.Count(by=by).bind(world.domain).tally(world.pooled()).values
    columns = answer.release.to_columns()
    ratio = np.mean((columns["value"] - truth[: len(columns["value"])]) ** 2) / columns["stderr"][0] ** 2
    # a mean over 100 cells or so, whose standard error is about 0.2
    assert 0.2 < ratio < 2.4
    assert isinstance(answer.release.guarantee, pets.PureDP)


def test_every_reply_is_unreadable_to_the_platform(world: Any) -> None:
    """Two runs over different rows give bodies of the same lengths, and heads that say nothing of rows."""
    world.collector.ask(world.question())
    before = [(name, reply.kind, [len(body) for body in reply.bodies]) for name, reply in world.replies]
    heads = [set(reply.head) for _, reply in world.replies]
    world.replies.clear()
    world.frames = {name: frame.head(3) for name, frame in world.frames.items()}
    world.collector.ask(world.question())
    after = [(name, reply.kind, [len(body) for body in reply.bodies]) for name, reply in world.replies]
    # the agreement on keys comes in the first run only
    assert [item for item in before if item[1] == "sum"] == [item for item in after if item[1] == "sum"]
    assert {frozenset(head) for head in heads} <= {
        frozenset({"name", "roster", "epoch", "study", "next"}), frozenset(), frozenset({"audit"}),
    }  # fmt: skip


def test_the_masked_table_of_one_site_looks_uniform(world: Any) -> None:
    """What a site sends as its input has no byte that depends visibly on its rows: chi-squared over all bytes."""
    domain_question = world.question(query={"type": "count", "by": ["diagnosis", "sex", "age_group", "months"]})
    sent: list[bytes] = []
    for _ in range(3):
        world.replies.clear()
        world.collector.ask(domain_question)
        sums = [reply.bodies[0] for name, reply in world.replies if name == "FR" and reply.kind == "sum"]
        sent.append(sums[1][100:])  # the second turn: the input, after the header
    observed = np.bincount(np.frombuffer(b"".join(sent), np.uint8), minlength=256)
    expected = observed.sum() / 256
    statistic = ((observed - expected) ** 2 / expected).sum()
    assert observed.sum() > 500
    assert abs(statistic - 255) < 7 * np.sqrt(2 * 255)


def test_a_site_falling_silent_leaves_the_total_of_the_rest(world: Any) -> None:
    world.policy["fewest_sites"] = 2
    world.limit = 300
    calls = {"US": 0}

    def silent(name: str, parcel: Parcel) -> Parcel | None:
        if name == "US" and parcel.kind == "sum":
            calls["US"] += 1
            return Parcel("silent") if calls["US"] >= 3 else None  # its table is in, and then it is gone
        return None

    world.intercept = silent
    two = {"aggregator": {"type": "masked_sum", "min_sites": 2}}
    answer = world.collector.ask(world.question(epsilon=200, **two))
    assert answer.release.provenance.sites == ("FR", "UK", "US")  # masked input was sent: the others unmask it
    assert answer.refused == {"US": "silent"}
    assert answer.release.parts[0].values[:6].tolist() == table(world).tolist()
    calls["US"] = 2  # silent from the start
    answer = world.collector.ask(world.question(epsilon=90, **two))
    assert answer.release.provenance.sites == ("FR", "UK")


def test_keys_are_agreed_once_and_again_when_a_site_has_lost_them(world: Any) -> None:
    world.collector.ask(world.question())
    agreed = sum(parcel.kind == "agree" for _, parcel in world.asked)
    world.collector.ask(world.question())
    assert sum(parcel.kind == "agree" for _, parcel in world.asked) == agreed == 9
    for path in (world.folder / "UK" / "state").glob("study-*"):
        path.unlink()
    world.collector.ask(world.question())
    assert sum(parcel.kind == "agree" for _, parcel in world.asked) == 18


def test_what_the_agreement_wrote_is_gone_when_it_is_over(world: Any) -> None:
    seen = []

    def look(name: str, parcel: Parcel) -> None:
        path = world.folder / name / "state" / "agreement.state"
        if path.exists():
            seen.append(path.read_bytes())

    world.intercept = look
    world.collector.ask(world.question())
    assert len(seen) >= 6
    assert all(b"prekey" not in content for content in seen)  # locked, not plain
    assert list(world.folder.rglob("agreement.state")) == []
    assert list(world.folder.rglob("*.journal")) == []


def test_a_cohort_is_counted_at_every_site(world: Any) -> None:
    world.policy |= {"filters": ["diagnosis"], "complete": ["diagnosis"], "planning": "plan.csv"}
    world.policy.pop("expected")
    for name in ("FR", "UK", "US"):
        (world.folder / name).mkdir(exist_ok=True)
        (world.folder / name / "plan.csv").write_text("diagnosis,expected\nliver,150\nkidney,150\n")
    world.limit = 300
    answer = world.collector.ask(world.question(epsilon=100, where={"diagnosis": ["liver"]}))
    pooled = world.pooled()
    world.frames = {"all": pooled[pooled.diagnosis == "liver"]}
    assert answer.release.parts[0].values[:6].tolist() == table(world).tolist()
    assert answer.release.provenance.dataset == "registry, diagnosis in (liver)"
