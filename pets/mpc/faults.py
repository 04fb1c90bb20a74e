"""What the kernels raise when other parties' shares or messages do not hold together."""

from __future__ import annotations

from pets.errors import MessageRejected, PetsError


class SharesDisagree(PetsError):
    """Shares of one value contradict each other, so that no value was taken from them.

    Attributes
    ----------
    suspects
        Who gave wrong shares: the evaluation points (Shamir) or places 0, 1, 2 (replicated sharing) concerned.
        Empty when nobody can be singled out.
    """

    def __init__(self, problem: str, suspects: tuple[int, ...] = ()) -> None:
        self.problem = problem
        self.suspects = suspects
        named = f" (suspects: {', '.join(map(str, suspects))})" if suspects else ""
        super().__init__(f"{problem}{named}. Nothing was taken from them.")


class BadMessage(MessageRejected):
    """A neighbour in the three-party ring sent bytes that cannot be its message of this round.

    Attributes
    ----------
    sender
        Place of the neighbour in the ring: 0, 1 or 2.
    """

    def __init__(self, sender: int, problem: str) -> None:
        self.sender = sender
        super().__init__(f"of party {sender} {problem}")
