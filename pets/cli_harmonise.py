"""The command ``pets harmonise``: a registry's records in, the one analysis table out."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from pets.config import write_atomic
from pets.errors import InvalidArgument, MissingExtra, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pets.epi.harmonise import Harmonised

_SHIPPED = ("naaccr", "osiris", "pcornet")
_MODELS = ("naaccr", "omop", "osiris", "pcornet")

File = Annotated[
    str | None, typer.Argument(help="File, folder or postgresql:// address of the records.", metavar="FILE")
]
Model = Annotated[
    str,
    typer.Option(help="naaccr, omop, osiris, pcornet, or a crosswalk file (.toml).", metavar="MODEL"),
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Where to write the table; .csv or .parquet.", metavar="FILE")
]
Concepts = Annotated[
    Path | None,
    typer.Option(help="OMOP: .csv of condition codes that are tumours, with their ICD-O-3 codes.", metavar="FILE"),
]
Stages = Annotated[
    Path | None, typer.Option(help="OMOP: .csv of measurement concepts that are stages.", metavar="FILE")
]


def harmonise(
    file: File = None,
    model: Model = "naaccr",
    output: Output = None,
    region: Annotated[
        str, typer.Option(help="NAACCR: item that becomes the region.", metavar="ITEM")
    ] = "addrAtDxState",
    concepts: Concepts = None,
    stages: Stages = None,
    schema: Annotated[str, typer.Option(help="OMOP: schema of the tables in a database.")] = "",
    iccc: Annotated[str, typer.Option(help="Version of ICCC-3: IARC 2017, or WHO 2008 for older codes.")] = "",
    domain: Annotated[
        Path | None, typer.Option(help="Also write the table's public domain here; needs --years.", metavar="FILE")
    ] = None,
    years: Annotated[str, typer.Option(help="First and last year of the study.", metavar="FIRST-LAST")] = "",
    show: Annotated[
        str | None, typer.Option(help="Print a crosswalk that comes with pets, to be changed.", metavar="MODEL")
    ] = None,
) -> None:
    """Bring a registry's records to one table: patient, diagnosis, age, sex, year, region, stage, time, event.

    - **`--model naaccr`**: NAACCR XML (.xml, .xml.gz; read as a stream), or a table of items by XML name or number.

    - **`--model omop`**: a folder of OMOP tables (.csv, .parquet), a .duckdb file, or `postgresql://host/database`.
      Tumours are conditions with an ICD-O-3 code, or those that `--concepts` lists.

    - **`--model osiris`** (folder of pivot files), **`--model pcornet`** (table TUMOR).

    - **`--model mine.toml`**: your own columns and codes. Start from `pets harmonise --show pcornet > mine.toml`.

    Diagnoses are classified by ICCC-3, stages collapsed to tier 1 of the Toronto guidelines. Codes without a place
    leave their cell empty and are listed in FILE.INTERNAL.csv beside the table; both stay inside. Nothing about the
    records is printed but the names of columns.

    Example: pets harmonise cases.xml --model naaccr -o analysis.csv --domain analysis.toml --years 2015-2019
    """
    if show is not None:
        sys.stdout.write(_crosswalk_text(show))
        return
    if file is None or output is None:
        missing = "FILE" if file is None else "--output"
        raise InvalidArgument(missing, "is missing", "For example: pets harmonise cases.xml -o analysis.csv")
    report = output.with_name(f"{output.stem}.INTERNAL.csv")
    _check_output(output)
    _check_files([file, model, concepts, stages], {"--output": [output, report], "--domain": [domain]})
    span = _years(years, domain)
    found = _harmonised(file, model, region, concepts, stages, schema, iccc)
    _write(found, output, report)
    if domain is not None and span is not None:
        from pets.epi.harmonise import analysis_domain

        analysis_domain(span).to_file(domain)
    _say(found, output, report, domain)


def _harmonised(
    file: str, model: str, region: str, concepts: Path | None, stages: Path | None, schema: str, iccc: str
) -> Harmonised:
    from pets.epi import harmonise as models

    version: Any = iccc or "IARC 2017"

    for option, value in (("--concepts", concepts), ("--stages", stages), ("--schema", schema or None)):
        if value is not None and model != "omop":
            raise InvalidArgument(option, f"means nothing to --model {model}", "Leave it out.")
    if region != "addrAtDxState" and model != "naaccr":
        raise InvalidArgument("--region", f"means nothing to --model {model}", "Name the column in the crosswalk.")
    if iccc and model not in ("naaccr", "omop"):
        raise InvalidArgument("--iccc", f"means nothing to --model {model}", "Set iccc in the crosswalk.")
    if model == "omop":
        lists: dict[str, Any] = {"concepts": concepts, "stages": stages}
        return models.harmonise_omop(_omop_source(file), **lists, schema=schema, iccc=version)
    if model == "naaccr":
        return models.harmonise_naaccr(file, region=region, iccc=version)
    if model in _SHIPPED:
        return models.harmonise(file, models.Crosswalk.shipped(model))
    if Path(model).suffix.lower() not in (".toml", ".json"):
        raise InvalidArgument("--model", f"{model!r} is not known", did_you_mean(model, _MODELS))
    return models.harmonise(file, models.Crosswalk.from_file(model))


def _omop_source(file: str) -> object:
    if not file.startswith(("postgresql://", "postgres://")):
        return Path(file)
    try:
        import psycopg
    except ImportError:
        raise MissingExtra("psycopg", "postgresql") from None
    try:
        connection = psycopg.connect(file)
        connection.read_only = True
    except psycopg.Error as error:
        problem = f"the server cannot be reached ({type(error).__name__})"
        raise InvalidArgument("FILE", problem, "Check host, name and the password file.") from None
    return connection


def _crosswalk_text(name: str) -> str:
    from pets.epi.harmonise import shipped_text

    if name not in _SHIPPED:
        raise InvalidArgument("--show", f"there is no crosswalk {name!r}", did_you_mean(name, _SHIPPED))
    return shipped_text(name)


def _check_output(output: Path) -> None:
    if output.suffix.lower() not in (".csv", ".parquet"):
        raise InvalidArgument("--output", "must end in .csv or .parquet", "Name it analysis.csv, for example.")


def _check_files(read: Sequence[str | Path | None], written: Mapping[str, Sequence[Path | None]]) -> None:
    """Refuse outputs that have no folder, or that would replace what is read or one another."""
    taken = {Path(path).resolve() for path in read if path is not None}
    inputs = {file for folder in taken if folder.is_dir() for file in folder.iterdir()}
    for option, path in ((option, path) for option, paths in written.items() for path in paths if path is not None):
        place = path.resolve()
        if not place.parent.is_dir():
            raise InvalidArgument(option, "is in a folder that does not exist", "Make the folder first.")
        if place in taken or place in inputs:
            raise InvalidArgument(option, f"would replace {path.name!r}, which is needed", "Name another file.")
        taken.add(place)


def _years(text: str, domain: Path | None) -> tuple[int, int] | None:
    if domain is None:
        if text:
            raise InvalidArgument("--years", "means nothing without --domain", "Leave it out.")
        return None
    match = re.fullmatch(r"(\d{4})(?:-(\d{4}))?", text, re.ASCII)
    if match is None:
        raise InvalidArgument("--years", "must be the first and last year of the study", "For example: 2015-2019.")
    first, last = int(match[1]), int(match[2] or match[1])
    if last < first:
        raise InvalidArgument("--years", "ends before it begins", "Give the first year first, e.g. 2015-2019.")
    return first, last


def _write(found: Harmonised, output: Path, report: Path) -> None:
    """Write the table and what was not understood, readable by their owner only."""
    try:
        for path in (output, report):
            path.touch(mode=0o600)
        if output.suffix.lower() == ".parquet":
            found.frame.to_parquet(output, index=False)
        else:
            found.frame.to_csv(output, index=False)
    except (OSError, ImportError) as error:
        raise InvalidArgument("--output", f"cannot be written ({type(error).__name__})") from None
    write_atomic(report, found.report.to_csv())


def _say(found: Harmonised, output: Path, report: Path, domain: Path | None) -> None:
    log = Console(stderr=True)
    log.print(Text(found.report.summary()))
    log.print(Text(f"table:    {output} (confidential)"))
    if domain is not None:
        log.print(Text(f"domain:   {domain} (public; check it before you declare it)"))
    log.print(Text(f"INTERNAL: {report} (codes and numbers of records; do not pass on)", style="red"))
