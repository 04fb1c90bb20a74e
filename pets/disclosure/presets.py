"""Published rules by name, each with where it comes from and how far that was checked.

A preset is a starting point, not legal advice: the rule that binds a registry is the one in its own policy.
"""

from __future__ import annotations

from dataclasses import dataclass

from pets.disclosure.rules import Dominance, MinimumFrequency, PercentRule, Rule
from pets.errors import InvalidArgument, did_you_mean


@dataclass(frozen=True, slots=True)
class Preset:
    """A published rule.

    Attributes
    ----------
    name
        By which :func:`preset` finds it.
    summary
        The rule in one sentence.
    rules
        Which cells are sensitive; none where the rule is not about cells of tables.
    rounding
        Base to which what is shown is rounded afterwards; 0 where it is not.
    k
        Smallest group of records that look alike in microdata; 0 where the rule does not say.
    source, url
        Where the rule is stated.
    checked
        What of it was read there, and what was not.
    """

    name: str
    summary: str
    rules: tuple[Rule, ...]
    source: str
    url: str
    checked: str
    rounding: int = 0
    k: int = 0

    @property
    def minimum(self) -> int:
        """Smallest count that is shown; 0 where the rule is not about counts."""
        return next((rule.minimum for rule in self.rules if isinstance(rule, MinimumFrequency)), 0)

    def __str__(self) -> str:
        return f"{self.name}: {self.summary} [{self.source}]"


PRESETS: dict[str, Preset] = {
    found.name: found
    for found in (
        Preset(
            "fewer-than-5",
            "Counts from 1 to 4 are hidden.",
            (MinimumFrequency(5),),
            "BINOCAR Management Committee, Dissemination of Health Statistics: The BINOCAR Risk Assessment, 2011",
            "https://studylib.net/doc/10000394/dissemination-of-health-statistics",
            "Read in a copy of the paper: a 'rule of thumb' that cells of less than 5 need extra care; no law.",
        ),
        Preset(
            "fewer-than-6",
            "Counts from 1 to 5 are hidden, and others with them so that they cannot be worked out.",
            (MinimumFrequency(6),),
            "NHS Digital, disclosure control for Hospital Episode Statistics as it was before September 2018",
            "https://digital.nhs.uk/data-and-information/data-tools-and-services/data-services/hospital-episode-"
            "statistics/change-to-disclosure-control-methodology-for-hes-and-ecds-from-september-2018",
            "Read there: 1 to 5 were replaced by '*', with secondary suppression by hand. A user reports the same rule "
            "for Manitoba (ddsjoberg/gtsummary issue 1691). North American cancer registries are said to use it too; "
            "we found no document of theirs that says so.",
        ),
        Preset(
            "opensafely",
            "Counts from 1 to 7 are hidden, all others rounded to the nearest 5.",
            (MinimumFrequency(8),),
            "OpenSAFELY documentation, statistical disclosure control",
            "https://docs.opensafely.org/sdc/",
            "Read there: outputs based on counts of 7 or fewer must be redacted. Rounding to 5 read in the pull "
            "request opensafely-core/ehrql 1746. The platform also treats 0 as redacted; here it is shown.",
            rounding=5,
        ),
        Preset(
            "nhs-hes",
            "Below national level: counts from 1 to 7 are hidden, all others rounded to the nearest 5.",
            (MinimumFrequency(8),),
            "NHS Digital, disclosure control for Hospital Episode Statistics from September 2018",
            "https://digital.nhs.uk/data-and-information/data-tools-and-services/data-services/hospital-episode-"
            "statistics/change-to-disclosure-control-methodology-for-hes-and-ecds-from-september-2018",
            "The range 1 to 7, that values are rounded, and that national counts are left alone was read in copies of "
            "the text; the base of 5 was not seen.",
            rounding=5,
        ),
        Preset(
            "cms",
            "Counts from 1 to 10 are hidden, and nothing is shown from which one can be derived.",
            (MinimumFrequency(11),),
            "ResDAC, CMS Cell Size Suppression Policy, version of 26 January 2024",
            "https://resdac.org/node/1506",
            "Read there: no cell of 1 to 10 may be reported or be derivable; zeros may be.",
            k=11,
        ),
        Preset(
            "us-cancer-statistics",
            "Counts below 16 are not shown.",
            (MinimumFrequency(16),),
            "CDC, United States Cancer Statistics, technical notes, suppression of rates and counts",
            "https://cdc.gov/united-states-cancer-statistics/technical-notes/suppression.html",
            "Read there: below 16, first for the reliability of rates, second for confidentiality. It does not say "
            "that empty cells are hidden; here they are shown.",
        ),
        Preset(
            "ons-research-outputs",
            "Counts from 1 to 9 are hidden.",
            (MinimumFrequency(10),),
            "CeLSIUS, advice from the Office for National Statistics on outputs of the Longitudinal Study",
            "http://celsius.lshtm.ac.uk/onscell.html",
            "Read there: a threshold of 10 observations, as one part of an assessment by an officer.",
        ),
        Preset(
            "acro",
            "Fewer than 10 contributors, none included, two largest above 90 %, or the p % rule at 10 %.",
            (MinimumFrequency(10, zeros="suppress"), Dominance(2, 90.0), PercentRule(10.0)),
            "AI-SDC/ACRO, acro/default.yaml",
            "https://github.com/AI-SDC/ACRO/blob/main/acro/default.yaml",
            "Read there: safe_threshold 10, safe_nk_n 2, safe_nk_k 0.90, safe_pratio_p 0.10, zeros_are_disclosive.",
        ),
        Preset(
            "ema-0070",
            "Risk of re-identification of at most 9 %: groups of at least 11 or 12 records that look alike.",
            (),
            "EMA/90915/2016, External guidance on the implementation of Policy 0070; Health Canada, PRCI guidance",
            "https://rlsciences.com/the-ema-policy-0070-and-health-canada-public-release-of-clinical-information-prci-"
            "anonymization-report",
            "The figure of 9 % was read in that summary by a third party, not in the two guidances themselves. "
            "1/11 is 9.09 %, so a strict reading needs 12.",
            k=12,
        ),
        Preset(
            "hipaa-safe-harbor",
            "18 kinds of identifiers removed; ZIP to 3 digits if over 20,000 people; ages over 89 pooled, no dates.",
            (),
            "45 CFR 164.514(b)(2)",
            "https://www.ecfr.gov/current/title-45/section-164.514",
            "The list of identifiers, the 20,000 and the age of 90 were read in a state's reprint of the rule. It is "
            "about records: it sets no smallest count, and for rare diseases it leaves most records unique.",
        ),
    )
}
"""All presets by name."""


def preset(name: str) -> Preset:
    """Return a published rule by its name.

    Raises
    ------
    InvalidArgument
        There is none of that name.

    Examples
    --------
    >>> preset("cms").minimum
    11
    """
    if name not in PRESETS:
        raise InvalidArgument("preset", f"there is none called {name!r}", did_you_mean(str(name), PRESETS))
    return PRESETS[name]
