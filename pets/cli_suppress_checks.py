"""Options of ``pets suppress`` that are refused before any file is read."""

from __future__ import annotations

from pathlib import Path

from pets.errors import InvalidArgument


def check_rounding(name: str | None, no_rounding: bool) -> None:
    """Refuse a preset that rounds, unless rounding is done elsewhere."""
    from pets.disclosure.presets import preset

    base = 0 if name is None else preset(name).rounding
    if base and not no_rounding:
        problem = f"{name!r} also rounds to the nearest {base}, which this command does not do"
        raise InvalidArgument("--preset", problem, "Round the result elsewhere and say so with --no-rounding.")
    if no_rounding and not base:
        raise InvalidArgument("--no-rounding", "goes with a --preset that rounds")


def check_symbol(symbol: str) -> None:
    """Refuse what `pets audit` would not read back, and what tells of a value: complementary cells carry it too."""
    from pets.disclosure.printed import parse_mark

    try:
        float(symbol)
    except ValueError:
        mark = parse_mark(symbol)
        if mark is not None and mark.hidden and mark.low == 0 and mark.high == float("inf"):
            return
        problem = "says something of the value" if mark is not None else "is no mark that pets audit reads"
        raise InvalidArgument("--symbol", problem, "Take one of: * x c s - -- .. : #") from None
    raise InvalidArgument("--symbol", "looks like a number", "Take a text, for example * or x.")


def check_reading(count: str | None, rows: bool, no_totals: bool, missing: str | None) -> None:
    """Refuse options that contradict each other."""
    if rows and count is not None:
        raise InvalidArgument("--rows", "and --count cannot both be given")
    if no_totals and count is None:
        raise InvalidArgument("--no-totals", "goes with --count")
    if missing is not None and not missing.strip():
        raise InvalidArgument("--missing", "is empty", "Give a code, for example unknown.")


def check_options(file: Path, output: Path | None, as_json: bool, attacker: str, time_limit: float) -> None:
    """Refuse what can be refused before any file is read."""
    from pets.disclosure.attacker import Attacker

    Attacker.of(None if attacker == "default" else attacker)
    if not 0 < time_limit < 1e6:
        raise InvalidArgument("--time-limit", "must be a positive number of seconds")
    if output is None and as_json:
        raise InvalidArgument("--json", "needs --output", "The table itself goes to the screen otherwise.")
    if output is not None and output.resolve() == file.resolve():
        raise InvalidArgument("--output", "is the input file, which holds the true counts", "Give another name.")
    if output is not None and not output.resolve().parent.is_dir():
        raise InvalidArgument(
            "--output", f"is in a folder that does not exist: {output.parent}", "Make the folder first."
        )
