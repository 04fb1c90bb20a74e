"""The commands ``pets tune`` and ``pets verify``."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pets.errors import InvalidArgument, KeyFileError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pets.identity import Identity, PublicIdentity
    from pets.tuning import Given, TuningPlan

_MOST = 8 * 2**20
_SHOWN = 12


class Missing(StrEnum):
    """What a cell without a line means."""

    refuse = "refuse"
    zero = "zero"


def tune(
    plan: Annotated[
        Path | None,
        typer.Argument(
            metavar="[PLAN]",
            help="A plan file as 'pets run' takes it, or a plan that a page has exported. Left out: the columns of the "
            "planning file are the table.",
            show_default=False,
        ),
    ] = None,
    planning: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Public counts to plan with: a CSV file with a column for each attribute, one of 'count', 'expected' "
            "or 'rate_per_million', and 'person_years' if rates are wanted; or an earlier release of pets (.json).",
            show_default=False,
        ),
    ] = None,
    source: Annotated[
        str,
        typer.Option(metavar="TEXT", help="Where these counts come from; it stands on the page.", show_default=False),
    ] = "",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write the page here (.html).", show_default=False),
    ] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Use the shipped public counts; writes tune.html.")] = False,
    epsilon: Annotated[
        str | None,
        typer.Option(metavar="EPSILON", help="Where the slider starts, 0.05 to 10.", show_default=False),
    ] = None,
    sites: Annotated[
        int | None,
        typer.Option(metavar="N", help="How many registries there are, if the plan does not say.", show_default=False),
    ] = None,
    missing: Annotated[
        Missing, typer.Option(help="A cell without a line is a mistake, or has no case.")
    ] = Missing.refuse,
    confidential: Annotated[
        bool, typer.Option("--confidential", help="The counts are true counts of patients. Needs --internal.")
    ] = False,
    internal: Annotated[bool, typer.Option("--internal", help="Mark every page as internal, not for release.")] = False,
    title: Annotated[str, typer.Option(metavar="TEXT", help="Heading of the page.", show_default=False)] = "",
    language: Annotated[
        str, typer.Option(metavar="CODE", help="Language of the page: en or de.", show_default=False)
    ] = "",
    built: Annotated[
        str, typer.Option(metavar="DATE", help="Date on the page instead of today's.", show_default=False)
    ] = "",
    export_to: Annotated[
        Path | None,
        typer.Option(
            "--export",
            metavar="FILE",
            help="Write the tuning plan (.toml), if the budget allows it.",
            show_default=False,
        ),
    ] = None,
    sign: Annotated[
        Path | None,
        typer.Option(
            metavar="KEY", help="Sign the page with these keys ('pets keys new'); writes FILE.sig.", show_default=False
        ),
    ] = None,
    passphrase_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File whose first line is the passphrase.", show_default=False)
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print all numbers of the page as one JSON document.")
    ] = False,
) -> None:
    """See what each epsilon would cost: one page that opens offline, for the people who decide.

    Reads no confidential data and spends nothing. It works from counts that are public already: last year's
    published table, expected counts (rates x population), or an earlier release.

    Try it:            pets tune --demo

    Your own table:    pets tune --planning last_year.csv --source "Annual report 2024, table 3" -o tune.html

    With your plan:    pets tune plan.toml --planning last_year.csv --source "..." -o tune.html

    Again:             pets tune exported.toml -o tune.html     (the page that exported it, byte for byte)

    The page has a slider for epsilon and says, cell by cell and rarest first, what would be published, which cells
    stay usable by your own rule, what an attacker gains, and what is left for the years to come.

    Exit code: 0 done, 1 something does not fit, 2 wrong usage, 3 over budget (with --export: nothing is written).
    """
    from pets.tuning import Given, demo_plan, load

    _check_files(plan, planning, {"--output": output, "--export": export_to})
    given = Given(
        source=source, confidential=confidential, internal=internal, missing=missing.value, epsilon=epsilon,
        sites=sites, title=title, language=language, built=built,
    )  # fmt: skip
    if demo:
        if plan is not None or planning is not None:
            raise InvalidArgument("--demo", "has its own plan and counts", "Leave PLAN and --planning out.")
        found = _demo(given, demo_plan())
        output = output or (None if as_json else Path("tune.html"))
    elif plan is None and planning is None:
        raise InvalidArgument(
            "PLAN", "and --planning are missing", "Try 'pets tune --demo', or give a table: --planning last_year.csv."
        )
    else:
        found = load(plan, planning, given)
        _ask_for_a_source(found)
    if sign is not None and output is None:
        raise InvalidArgument("--sign", "has no page to sign", "Say where to write it: -o tune.html.")
    _write(found, output, export_to, sign, passphrase_file)
    if as_json:
        from pets.tuning import numbers_of

        sys.stdout.write(json.dumps(numbers_of(found), ensure_ascii=False, allow_nan=False) + "\n")
    else:
        _summary(found)


def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The report, for example tune.html.")],
    by: Annotated[
        Path,
        typer.Option(metavar="KEYS", help="Public keys (.public.toml) or roster of who should have signed it."),
    ],
    signature: Annotated[
        Path | None,
        typer.Option(metavar="SIG", help="The signature; FILE.sig if left out.", show_default=False),
    ] = None,
) -> None:
    """Check that a report is the one that was signed, and by whom.

    The signature lies beside the report and is by Ed25519 and ML-DSA-65 together; both must verify. Compare the
    fingerprint of the keys over the telephone once: 'pets keys show'.

    Exit code: 0 it is, 4 it is not, 1 it could not be checked.
    """
    from pets.tuning import Signature
    from pets.tuning.signing import ENDING

    content, beside = _bytes(file), signature or file.with_name(file.name + ENDING)
    if signature is None and not beside.exists():
        raise InvalidArgument(
            "--signature", f"is missing, and there is no {beside.name!r} beside the report",
            "Say where the signature is: --signature FILE. 'pets tune --sign KEY' writes one.",
        )  # fmt: skip
    found = Signature.from_toml(_bytes(beside))
    found.verify(content, _signer(by, found.name))
    typer.echo(f"OK. {file.name} was signed by {found.name} ({found.fingerprint}).")
    typer.echo(f"SHA-256 of the report: {found.sha256}")


def _ask_for_a_source(plan: TuningPlan) -> None:
    """Say what the page will say of counts that nobody has given a source."""
    from pets.tuning.building import UNNAMED

    if UNNAMED in plan.source.text:
        words = f"The page says of the planning counts: {plan.source.text}. Name their source with --source."
        Console(stderr=True).print(words, highlight=False, markup=False)


def _check_files(plan: Path | None, planning: Path | None, written: Mapping[str, Path | None]) -> None:
    """Refuse a table in the place of a plan, and outputs that have no folder or would replace a file that is read."""
    if plan is not None and plan.suffix.lower() in (".csv", ".tsv", ".txt"):
        raise InvalidArgument("PLAN", f"{plan.name!r} is no plan", f"A table of counts goes to --planning {plan.name}.")
    taken = {path.resolve() for path in (plan, planning) if path is not None}
    for option, path in written.items():
        if path is None:
            continue
        if not path.resolve().parent.is_dir():
            raise InvalidArgument(option, "is in a folder that does not exist", "Make the folder first.")
        if path.resolve() in taken:
            raise InvalidArgument(option, f"would replace {path.name!r}, which is needed", "Name another file.")
        taken.add(path.resolve())


def _demo(given: Given, plan: TuningPlan) -> TuningPlan:
    from pets.tuning.building import changed

    if given.source or given.confidential:
        raise InvalidArgument("--demo", "has its own source", "Leave --source and --confidential out.")
    return changed(plan, given)


def _write(
    plan: TuningPlan, output: Path | None, export_to: Path | None, sign: Path | None, passphrase_file: Path | None
) -> None:
    """Write what was asked for; all that can be refused is refused before the first file is written."""
    from pets.config import write_atomic
    from pets.tuning import Signature, export, page_of
    from pets.tuning.signing import ENDING

    log = Console(stderr=True)
    exported = None if export_to is None else export(plan)
    signer = None if sign is None else _identity(sign, passphrase_file)
    if output is not None:
        page = page_of(plan)
        write_atomic(output, page)
        log.print(f"page:      {output}", highlight=False)
        if signer is not None:
            beside = output.with_name(output.name + ENDING)
            write_atomic(beside, Signature.of(page.encode("utf-8"), signer).to_toml())
            log.print(f"signature: {beside}", highlight=False)
    if export_to is not None and exported is not None:
        write_atomic(export_to, exported)
        log.print(f"plan:      {export_to}", highlight=False)


def _identity(path: Path, passphrase_file: Path | None) -> Identity:
    from pets.identity import Identity

    passphrase = None
    if passphrase_file is not None:
        lines = _bytes(passphrase_file).decode("utf-8", "replace").splitlines()
        passphrase = lines[0] if lines else None
    return Identity.load(path, passphrase)


def _signer(path: Path, name: str) -> PublicIdentity:
    from pets.errors import ConfigError
    from pets.identity import PublicIdentity, Roster

    content = _bytes(path)
    try:
        return PublicIdentity.from_toml(content)
    except ConfigError:
        return Roster.from_file(path)[name]


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(_MOST)
    except OSError as error:
        raise KeyFileError(path, f"cannot be read: {error.strerror}", "Check the path.") from None


def _summary(plan: TuningPlan) -> None:
    """Print the answer in short: what the rule becomes, what is usable, what is left, what is advised."""
    from pets.tuning import recommend
    from pets.tuning.account import budget_of
    from pets.tuning.staircase import headline, usable_shares
    from pets.tuning.words import assumed_words, plain_words

    console = Console()
    if plan.internal:
        console.print(Text("INTERNAL - NOT FOR RELEASE", style="bold red"))
    table = Table(title=Text(plan.title), title_justify="left", caption=Text(f"planning counts: {plan.source.text}"))
    table.add_column("epsilon", justify="right")
    for line in headline(plan)[:_SHOWN]:
        table.add_column(Text(f"{line['table']}: {line['without_noise']} cases become"), justify="right")
    shares = usable_shares(plan)
    for bucket in shares:
        table.add_column(f"usable cells of {bucket['bucket']} cases", justify="right")
    for i, epsilon in enumerate(point["epsilon"] for point in shares[0]["by_epsilon"]):
        counts = [str(line["by_epsilon"][i]["count"]) for line in headline(plan)[:_SHOWN]]
        table.add_row(f"{epsilon:g}", *counts, *(_percent(bucket["by_epsilon"][i]["cells"]) for bucket in shares))
    console.print(table)
    console.print(Text(plain_words(plan)["sentence"] + f" (epsilon = {float(plan.privacy.epsilon):g})"))
    account = budget_of(plan)
    over = " This plan is OVER the budget: it cannot be exported." if account["over"] else ""
    budget = "Budget (assumed, since no account was given)" if plan.budget.assumed else "Budget"
    console.print(Text(f"{budget}: {account['left']:g} of {account['total']:g} left after this plan.{over}"))
    console.print(Text(recommend(plan).words))
    if assumed_words(plan):
        console.print(Text(f"Assumed, since nobody has said otherwise: {assumed_words(plan)}."))


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f} %"
