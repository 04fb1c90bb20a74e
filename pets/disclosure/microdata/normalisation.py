"""How identifiers are written before they are keyed: spelled out, because every difference makes another pseudonym."""

from __future__ import annotations

import unicodedata
from dataclasses import asdict, dataclass
from numbers import Integral
from typing import Any, Literal, get_args

from pets.errors import ConfigError, DataError, InvalidArgument

Form = Literal["none", "NFC", "NFKC"]
Case = Literal["keep", "upper", "lower"]


@dataclass(frozen=True)
class Normalisation:
    """What is done to an identifier, in this order.

    Parameters
    ----------
    form
        Unicode normal form; ``'NFKC'`` also makes full-width digits plain ones.
    strip
        Whether white space at both ends goes.
    remove
        Characters that go wherever they stand, e.g. ``" -./"``.
    case
        ``'keep'``, ``'upper'`` or ``'lower'``.
    width
        Zeros are put in front until the text has so many characters; 0 for none.

    Raises
    ------
    InvalidArgument
        A setting is not usable.

    Examples
    --------
    >>> Normalisation(remove=" -", case="upper", width=8).apply(" ab-12 ")
    '0000AB12'
    """

    form: Form = "NFC"
    strip: bool = True
    remove: str = ""
    case: Case = "keep"
    width: int = 0

    def __post_init__(self) -> None:
        if self.form not in get_args(Form):
            raise InvalidArgument("form", "must be 'none', 'NFC' or 'NFKC'")
        if self.case not in get_args(Case):
            raise InvalidArgument("case", "must be 'keep', 'upper' or 'lower'")
        if not isinstance(self.strip, bool) or not isinstance(self.remove, str):
            raise InvalidArgument("remove", "must be a text, and 'strip' True or False")
        if isinstance(self.width, bool) or not isinstance(self.width, int) or not 0 <= self.width <= 64:
            raise InvalidArgument("width", "must be a whole number from 0 to 64")

    def apply(self, text: str) -> str:
        """Return the identifier as it is keyed; empty if nothing is left of it."""
        if self.form != "none":
            text = unicodedata.normalize(self.form, text)
        text = text.strip() if self.strip else text
        text = text.translate({ord(character): None for character in self.remove})
        text = text.upper() if self.case == "upper" else text.lower() if self.case == "lower" else text
        return text.zfill(self.width) if text else ""

    def read(self, value: object, column: str) -> str | None:
        """Return the identifier of one cell; None if there is none.

        Whole numbers are read as their digits, also where a frame holds them as floats because others are missing.

        Raises
        ------
        DataError
            The cell holds something else than a text or a whole number.
        """
        if value is None or value != value:  # noqa: PLR0124 NaN
            return None
        if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
            value = int(value)
        if isinstance(value, Integral) and not isinstance(value, bool):
            value = str(int(value))
        if not isinstance(value, str):
            raise DataError(column, "holds something else than texts and whole numbers", "Convert it to text first.")
        return self.apply(value) or None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: object) -> Normalisation:
        """Return the settings in plain data.

        Raises
        ------
        ConfigError
            It holds something else.
        """
        if not isinstance(data, dict) or set(data) != set(cls().to_dict()):
            raise ConfigError("normalisation", "is not complete")
        try:
            return cls(**data)
        except InvalidArgument as error:
            raise ConfigError(f"normalisation.{error.argument}", error.problem) from None
