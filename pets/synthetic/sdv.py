"""SDV 2.0 behind the `synthetic` extra: declared metadata, codes instead of values, no pickle.

What SDV is told is derived from the :class:`pets.Domain` alone. Its auto-detection reads minima, maxima and categories
from the rows (and took a registry's diagnosis codes for numbers); it is never called here. What SDV is *shown* are
codes: bins of a public grid, numbers of categories. So its metadata, which it fills, and its models, which clip to what
they saw, hold nothing finer than a code. Its log, in which it counts rows, is switched off while it works.
"""

from __future__ import annotations

import importlib
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, overload

import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource, secure_random
from pets.domain import Domain
from pets.errors import InvalidArgument, MissingExtra, PairingRefused, did_you_mean
from pets.ledger import Ledger
from pets.synthetic.encoding import Encoding, Survival
from pets.synthetic.encoding.columns import CodedColumn, Codes
from pets.synthetic.pool import Pool
from pets.synthetic.row_model import RowModel, RowSynthesizer, seed_of

if TYPE_CHECKING:
    import pandas as pd

    from pets.synthetic.sdv_linked import LinkedModel

SINGLE = {"gaussian_copula": "GaussianCopulaSynthesizer", "ctgan": "CTGANSynthesizer", "tvae": "TVAESynthesizer"}
"""Models of one table with independent rows."""

LINKED = ("par", "hma")
"""Models of several rows per patient: sequences, and tables with child tables."""

NEURAL = ("ctgan", "tvae", "par")
_FAILURES = (ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError, ArithmeticError, AssertionError)


@dataclass(frozen=True, init=False)
class SDV(RowSynthesizer):
    """A synthesizer of the Synthetic Data Vault, without a proof.

    Parameters
    ----------
    model
        ``'gaussian_copula'``, ``'ctgan'`` or ``'tvae'`` for one table; ``'par'`` for several rows per patient,
        ``'hma'`` for a table of patients with child tables, see :mod:`pets.synthetic.sdv_linked`.
    survival, insecure_seed
        See :class:`~pets.synthetic.row_model.RowSynthesizer`. Fits of the Gaussian copula repeat exactly under a seed,
        those of networks up to the machine's floating-point arithmetic.
    epochs
        For networks, SDV's own default if left out.
    pool
        Rows that :meth:`~pets.synthetic.row_model.RowModel.save` writes: SDV can only pickle a model, which may run
        code when it is opened and holds what was learnt from the rows. The file gets artificial rows instead.

    Guarantee
    ---------
    None.

    Raises
    ------
    InvalidArgument
        The model is unknown or a number out of range.

    References
    ----------
    Patki N, Wedge R, Veeramachaneni K (2016). The Synthetic Data Vault. DSAA.

    Xu L, Skoularidou M, Cuesta-Infante A, Veeramachaneni K (2019). Modeling tabular data using conditional GAN.
    NeurIPS.
    """

    model: str = ""
    epochs: int | None = None
    pool: int = 10_000
    why: ClassVar[str] = (
        "an SDV model is fitted to the exact rows without noise: it bounds nothing, and copies what it saw in as far "
        "as it learnt it"
    )

    def __init__(
        self,
        model: str,
        *,
        survival: Sequence[Survival] | Survival = (),
        insecure_seed: int | None = None,
        epochs: int | None = None,
        pool: int = 10_000,
    ) -> None:
        if model not in (*SINGLE, *LINKED):
            raise InvalidArgument("model", "is not known", did_you_mean(str(model), (*SINGLE, *LINKED)))
        for name, value, most in (("epochs", epochs, 10**5), ("pool", pool, 10**6)):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most):
                raise InvalidArgument(name, f"must be a whole number from 1 to {most:,}")
        if epochs is not None and model not in NEURAL:
            raise InvalidArgument("epochs", f"mean nothing to {model}", "Leave them out.")
        fields: dict[str, Any] = {"survival": survival, "insecure_seed": insecure_seed}
        fields |= {"model": model, "epochs": epochs, "pool": pool}
        for name, field in fields.items():
            object.__setattr__(self, name, field)
        self.__post_init__()

    @property
    def settings(self) -> dict[str, Any]:
        """The settings as plain data."""
        epochs = {} if self.epochs is None else {"epochs": self.epochs}
        return {"type": f"sdv_{self.model}", "pool": self.pool} | epochs

    @overload
    def fit(
        self, frame: Mapping[str, object], domain: Mapping[str, Domain], ledger: Ledger | None = None, *,
        dataset: str = "default", allow_exact: bool = False,
    ) -> LinkedModel: ...  # fmt: skip
    @overload
    def fit(
        self, frame: object, domain: Domain, ledger: Ledger | None = None, *,
        dataset: str = "default", allow_exact: bool = False,
    ) -> RowModel: ...  # fmt: skip
    def fit(
        self,
        frame: Any,
        domain: Any,
        ledger: Ledger | None = None,
        *,
        dataset: str = "default",
        allow_exact: bool = False,
    ) -> RowModel | LinkedModel:
        """Fit the model to confidential rows; parameters and errors are those of :meth:`RowSynthesizer.fit`.

        For ``'hma'`` `frame` and `domain` map names of tables to frames and domains, patients first; every domain names
        the same identifier as its privacy unit. ``'par'`` needs a domain whose unit has an identifier.
        """
        if self.model in LINKED:
            from pets.synthetic.sdv_linked import fit_linked

            return fit_linked(self, frame, domain, ledger, dataset=dataset, allow_exact=allow_exact)
        return super().fit(frame, domain, ledger, dataset=dataset, allow_exact=allow_exact)

    def require(self) -> None:
        """Look for SDV."""
        package("sdv.metadata")

    def fitted(self, codes: Codes, encoding: Encoding, seed: int) -> SDVDrawer:
        """Return the fitted model."""
        names = coded_names(encoding)
        metadata = package("sdv.metadata").Metadata()
        declare(metadata, "rows", encoding)
        extra = {} if self.epochs is None else {"epochs": self.epochs}
        with controlled(seed, self.model):
            network = {"enable_gpu": False} if self.model in NEURAL else {}
            synthesizer = getattr(package("sdv.single_table"), SINGLE[self.model])(metadata, **extra, **network)
            synthesizer.fit({"rows": shown(codes, encoding, names)})
        return SDVDrawer(synthesizer, encoding, self.model, self.pool)


@dataclass(frozen=True, eq=False)
class SDVDrawer:
    """A fitted SDV model of codes."""

    synthesizer: Any
    encoding: Encoding
    model: str
    pool: int

    def draw(self, rows: int, source: RandomSource) -> Codes:
        """Return codes of drawn rows."""
        seed = source.bits(32)
        with controlled(seed, self.model):
            reseed(self.synthesizer, seed)
            frame = self.synthesizer.sample(num_rows=rows)["rows"]
        return understood(frame, self.encoding, coded_names(self.encoding))

    def check(self, rows: int) -> None:
        """Any number of rows can be drawn."""

    def portable(self, model: RowModel) -> Pool:
        """Return a pool of artificial rows: the model itself can only be pickled."""
        return Pool(model.codes(self.pool, secure_random()))

    def record(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Refuse: a fitted SDV model has no form as data.

        Raises
        ------
        PairingRefused
            Always.
        """
        raise PairingRefused(
            "a fitted SDV model can only be pickled, which runs code when it is opened. Save its rows."
        )


def coded_names(encoding: Encoding) -> list[str]:
    """Return the names under which SDV sees the columns: numbers, so that no name means anything to it."""
    return [f"c{i}" for i in range(len(encoding.columns))]


def declare(metadata: Any, table: str, encoding: Encoding) -> None:
    """Declare the columns of a table, with all their codes, from the encoding alone."""
    metadata.add_table(table)
    for name, column in zip(coded_names(encoding), encoding.columns, strict=True):
        if column.ordered:
            top = len(column.attribute.labels) - 1
            nullable = column.missing or column.after is not None
            metadata.add_column(
                name, table_name=table, sdtype="numerical", range_min=0, range_max=top, range_is_nullable=nullable,
                decimal_places=0,
            )  # fmt: skip
        else:
            values = [f"v{code}" for code in range(column.size)]
            metadata.add_column(
                name, table_name=table, sdtype="categorical", range_values=values, range_is_nullable=False
            )


def shown(codes: Codes, encoding: Encoding, names: Sequence[str]) -> pd.DataFrame:
    """Return the frame that SDV sees."""
    import pandas as pd

    columns = zip(names, encoding.columns, codes, strict=True)
    return pd.DataFrame({name: _shown(column, values) for name, column, values in columns})


def _shown(column: CodedColumn, codes: Codes) -> NDArray[Any]:
    if not column.ordered:
        return np.array([f"v{code}" for code in range(column.size)], dtype=object)[codes]
    shift = int(column.after is not None)
    known = codes - shift
    # Stopped together with the clock before, and missing, are no numbers; which of the two follows from its event.
    return np.where((known < 0) | (known >= len(column.attribute.labels)), np.nan, known.astype(np.float64))


def understood(frame: pd.DataFrame, encoding: Encoding, names: Sequence[str]) -> Codes:
    """Return the codes of a frame that SDV made; -1 where it made nothing that is declared."""
    codes = np.full((len(names), len(frame)), -1, dtype=np.int64)
    for i, (name, column) in enumerate(zip(names, encoding.columns, strict=True)):
        if not column.ordered:
            places = {f"v{code}": code for code in range(column.size)}
            codes[i] = [places.get(value, -1) for value in frame[name]]
    clocks = {pair.time: encoding.names.index(pair.event) for pair in encoding.survival}
    for i, (name, column) in enumerate(zip(names, encoding.columns, strict=True)):
        if column.ordered:
            earlier = None if column.after is None else codes[encoding.names.index(column.after[1])]
            codes[i] = _understood(frame[name].to_numpy(dtype=np.float64, na_value=np.nan), column, earlier)
            if earlier is not None and not column.missing:
                _lend(codes[i], codes[clocks[column.name]])
    return codes


def _understood(values: NDArray[np.float64], column: CodedColumn, earlier: Codes | None) -> Codes:
    known = len(column.attribute.labels)
    absent = column.size - 1 if column.missing else -1
    numbers = np.clip(np.rint(np.nan_to_num(values)), 0, known - 1).astype(np.int64)
    if earlier is None:
        return np.where(np.isfinite(values), numbers, absent)
    return np.where(earlier == 0, 0, np.where(np.isfinite(values), numbers + 1, absent))


def _lend(times: Codes, events: Codes) -> None:
    """Give rows that lack the time after an earlier event that of another drawn row with the same own event.

    SDV decides by itself whether there is such a time, and mostly gets it wrong: most rows have none. Left as they are,
    these rows would be refused, and with them most of those to whom the earlier event happened.
    """
    for event in np.unique(events[times < 0]):
        lacking = np.flatnonzero((times < 0) & (events == event))
        lenders = np.flatnonzero((times > 0) & (events == event))
        if len(lenders):
            times[lacking] = times[lenders[np.arange(len(lacking)) % len(lenders)]]


@contextmanager
def controlled(seed: int, model: str) -> Iterator[None]:
    """Fix the generators that SDV shares with the whole process, put them back, and keep its logs and warnings silent.

    Raises
    ------
    PairingRefused
        SDV failed. What it said is left out: it may quote values.
    """
    shared, torch = package("sklearn.utils").check_random_state(None), package("torch")
    before, silent = shared.get_state(), logging.root.manager.disable
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        shared.seed(seed)
        torch.manual_seed(seed)
        try:
            yield
        except _failures() as error:
            raise PairingRefused(
                f"SDV's {model} failed on these rows ({type(error).__name__}). Its own message is withheld, as it may "
                "quote values: run it on made-up rows of this domain to see it, or take another model."
            ) from None
        finally:
            logging.disable(silent)
            shared.set_state(before)


def reseed(synthesizer: Any, seed: int) -> None:
    """Make a fitted synthesizer draw from `seed` on.

    By itself SDV begins every run from one constant, so that the samples of two runs would be the same rows, and has no
    public way to change it. PAR follows the shared generators, and its model of patients this one.
    """
    inner = getattr(synthesizer, "_context_synthesizer", synthesizer)
    inner.reset_sampling()
    if hasattr(inner, "_numpy_seed"):
        inner._numpy_seed = seed
    for one in getattr(inner, "_table_synthesizers", {"": inner}).values():
        if getattr(one, "_model", None):
            one._set_random_state(seed)


def package(name: str) -> Any:
    """Return a module that the extra brings.

    Raises
    ------
    MissingExtra
        It is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        raise MissingExtra("sdv", "synthetic") from None


def _failures() -> tuple[type[Exception], ...]:
    found = vars(package("sdv.errors")).values()
    return (*_FAILURES, *(kind for kind in found if isinstance(kind, type) and issubclass(kind, Exception)))


def fit_seed(synthesizer: SDV) -> int:
    """Return the seed of a fit."""
    return seed_of(synthesizer.insecure_seed)
