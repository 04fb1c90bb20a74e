"""Keys and people: who takes part, how they know each other's voice, and which secrets they share.

An :class:`Identity` is a party's secret keys, its :class:`PublicIdentity` what others hold of it, and a
:class:`Roster` the public identities that people compared and pinned. :class:`StudySetup` agrees on pair keys once
for a study; :class:`StudyKeys` hands out :class:`SessionKeys`, each session's own, and forgets them.
"""

from pets.identity.in_process import agree_in_process, run_setups
from pets.identity.public import PublicIdentity
from pets.identity.roster import Roster
from pets.identity.secret import Identity
from pets.identity.session_keys import SessionKeys, SessionVoices
from pets.identity.setup import SetupTurn, StudySetup, study_id
from pets.identity.study_keys import StudyKeys

__all__ = [
    "Identity",
    "PublicIdentity",
    "Roster",
    "SessionKeys",
    "SessionVoices",
    "SetupTurn",
    "StudyKeys",
    "StudySetup",
    "agree_in_process",
    "run_setups",
    "study_id",
]
