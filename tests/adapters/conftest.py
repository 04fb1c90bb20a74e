"""Three registries with identities, ledgers and policies, in folders of their own, and no platform between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets.adapters import Collector, Parcel, Site
from pets.domain import Domain
from pets.guards import AuditLog, Policy, Question
from pets.identity import Identity, Roster
from pets.session.tcp import Store

NAMES = ("FR", "UK", "US")
DOMAIN = {
    "schema": 1,
    "unit": {"id": "patient", "max_rows": 1},
    "attributes": {
        "diagnosis": {"type": "categorical", "categories": ["liver", "kidney"]},
        "sex": {"type": "categorical", "categories": ["female", "male"]},
        "age_group": {"type": "categorical", "categories": ["0-4", "5-9", "10-14"]},
        "months": {"type": "integer", "lower": 0, "upper": 60, "bins": [0, 12, 24, 36, 60], "invalid": "clamp"},
        "status": {"type": "categorical", "categories": ["alive", "died"]},
    },
}
POLICY: dict[str, Any] = {
    "schema": 1, "columns": ["diagnosis", "sex", "age_group", "months", "status"], "filters": [],
    "queries": ["count", "event_table"], "mechanisms": ["discrete_laplace"], "expected": 300.0,
}  # fmt: skip


def rows(seed: int, n: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({
        "patient": 1000 * seed + np.arange(n),
        "diagnosis": rng.choice(["liver", "kidney"], n),
        "sex": rng.choice(["female", "male"], n),
        "age_group": rng.choice(["0-4", "5-9", "10-14"], n),
        "months": rng.integers(0, 60, n),
        "status": rng.choice(["alive", "died"], n),
    })  # fmt: skip


@dataclass
class World:
    """Everything on one laptop."""

    folder: Path
    identities: Mapping[str, Identity]
    roster: Roster
    frames: Mapping[str, pd.DataFrame]
    domain: Domain
    asked: list[tuple[str, Parcel]] = field(default_factory=list)
    replies: list[tuple[str, Parcel]] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    policy: dict[str, Any] = field(default_factory=lambda: dict(POLICY))
    limit: Any = 5
    currency: Any = pets.PureDP
    forgotten: dict[str, str] = field(default_factory=dict)
    intercept: Callable[[str, Parcel], Parcel | None] | None = None

    def site(self, name: str) -> Site:
        """A new object for each message, as a platform that starts a process for each has it."""
        home = self.folder / name
        home.mkdir(exist_ok=True)

        def read() -> pd.DataFrame:
            self.read.append(name)
            return self.frames[name]

        return Site(
            Store(home / "state", self.identities[name], self.roster), self.domain,
            Policy.from_dict(self.policy, self.domain, folder=home),
            pets.Ledger(home / "budget.sqlite", limit=self.currency(self.limit)), read,
            AuditLog(home / "audit.jsonl"), "registry", self.forgotten.get(name),
        )  # fmt: skip

    def exchange(self, asked: Mapping[str, Parcel]) -> dict[str, Parcel]:
        replies = {}
        for name, parcel in asked.items():
            # through JSON, as a platform would carry it
            self.asked.append((name, Parcel.from_dict(parcel.to_dict())))
            reply = None if self.intercept is None else self.intercept(name, parcel)
            if reply is None:
                site = self.site(name)
                reply = site.answer(self.asked[-1][1])
                site.ledger.close()
            elif reply.kind == "silent":
                continue
            self.replies.append((name, reply))
            replies[name] = Parcel.from_dict(reply.to_dict())
        return replies

    @property
    def collector(self) -> Collector:
        store = Store(self.folder / "server", self.identities["server"], self.roster)
        return Collector(store, self.domain, self.exchange, dataset="registry")

    def question(self, epsilon: Any = 1, query: Any = None, **changes: Any) -> Question:
        asked = {
            "schema": 1, "query": query or {"type": "count", "by": ["sex", "age_group"]},
            "mechanism": {"type": "discrete_laplace", "epsilon": epsilon},
        }  # fmt: skip
        return Question.from_dict(asked | changes, self.domain)

    def pooled(self) -> pd.DataFrame:
        return pd.concat(self.frames.values(), ignore_index=True)


@pytest.fixture(scope="session")
def identities() -> dict[str, Identity]:
    return {name: Identity.new(name) for name in (*NAMES, "server")}


@pytest.fixture
def world(tmp_path: Path, identities: dict[str, Identity]) -> World:
    roster = Roster(identity.public for identity in identities.values())
    frames = {name: rows(seed) for seed, name in enumerate(NAMES)}
    return World(tmp_path, identities, roster, frames, Domain.from_dict(DOMAIN))


@pytest.fixture
def site_files(world: World) -> dict[str, Path]:
    """What administrators write: one folder for each party, with the file of the site or of the collector."""
    import tomli_w

    files = {}
    for name in (*NAMES, "server"):
        home = world.folder / f"{name}-files"
        home.mkdir()
        world.identities[name].save(home / "party.key")
        world.roster.to_file(home / "roster.toml")
        world.domain.to_file(home / "registry.toml")
        party: dict[str, Any] = {
            "schema": 1, "key": "party.key", "roster": "roster.toml", "state": "state", "domain": "registry.toml",
            "dataset": "registry",
        }  # fmt: skip
        if name != "server":
            world.frames[name].to_csv(home / "rows.csv", index=False)
            (home / "policy.toml").write_text(tomli_w.dumps(world.policy), encoding="utf-8")
            limit = {"type": "pure_dp", "epsilon": "5"}
            party |= {"data": "rows.csv", "policy": "policy.toml", "audit": "audit.jsonl",
                      "ledger": {"path": "budget.sqlite", "limit": limit}}  # fmt: skip
        files[name] = home / "party.toml"
        files[name].write_text(tomli_w.dumps(party), encoding="utf-8")
    return files
