"""The command ``pets simulate``: files of registries that never were, to try a study out on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pets.errors import InvalidArgument

Output = Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder to write to; made if missing.")]
Sites = Annotated[int, typer.Option("--sites", "-s", help="How many registries, 1 to 1,000.")]
Like = Annotated[str, typer.Option("--like", help="Whose rates and sizes of registries: usa, europe or world.")]
Patients = Annotated[
    int | None,
    typer.Option("--patients", "-n", help="About how many in all. Without it: as many as the real registries have."),
]
Seed = Annotated[
    int | None, typer.Option("--insecure-seed", help="The same number gives the same patients. Without it: others.")
]


def simulate(
    output: Output = Path("simulated-registries"),
    sites: Sites = 5,
    like: Like = "usa",
    patients: Patients = None,
    insecure_seed: Seed = None,
) -> None:
    """Make the patient rows of childhood-cancer registries that never were, to practise on.

    Rates, sparsity and survival are the published ones; no row comes from a patient. Writes one CSV file for each
    registry, person-years.csv, and domain.toml with what is public about them: plan files and `pets run` take both.
    """
    from pets.datasets import simulate_registries

    registries = simulate_registries(
        sites,
        like=like,  # type: ignore[arg-type]
        patients=patients,
        insecure_seed=insecure_seed,
    )
    log = Console(stderr=True)
    try:
        output.mkdir(parents=True, exist_ok=True)
        if any(output.iterdir()):
            raise InvalidArgument("--output", f"{str(output)!r} is not empty", "Name a new folder.")
        registries.domain.to_file(output / "domain.toml")
        registries.person_years.to_csv(output / "person-years.csv", index=False)
        for name in registries:
            registries[name].to_csv(output / f"{re.sub(r'[^a-z0-9]+', '-', name.lower())}.csv", index=False)
    except OSError as error:
        raise InvalidArgument(
            "--output", f"{str(output)!r} cannot be written to: {error.strerror}", "Name a new folder."
        ) from None
    log.print(f"{registries!r}".strip("<>"), markup=False)
    Console().print(f"{output}", markup=False, highlight=False)
