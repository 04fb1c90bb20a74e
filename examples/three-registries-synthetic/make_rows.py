"""Turn the released tables into a model and artificial rows. Reads the release and nothing else; costs nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pets
from pets.synthetic import Survival, from_release


def main(folder: Path) -> None:
    """Read release.json in `folder`; write model.pets and synthetic.csv beside it."""
    release = pets.Release.from_json((folder / "release.json").read_text(encoding="utf-8"))
    model = from_release(release, survival=[Survival("time", "status")])
    model.save(folder / "model.pets")
    rows = model.sample()
    rows.to_csv(folder / "synthetic.csv", index=False)
    sys.stdout.write(f"{model.explain()}\n{rows.head().to_string(index=False)}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
