"""A bar that shows how much of a search is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[int, int], None]
"""Called with what is done and what there is at most."""

_STEPS = 200


@contextmanager
def counting(progress: bool | Progress, total: int) -> Iterator[Callable[[], None]]:
    """Give a function to be called for each thing done; it reports some 200 times in all, and at the end."""
    done = 0

    def count(report: Progress) -> Callable[[], None]:
        def one() -> None:
            nonlocal done
            done += 1
            if done % max(1, total // _STEPS) == 0:
                report(done, total)

        return one

    if progress is False:
        yield count(lambda _done, _total: None)
    elif progress is True:
        from rich.progress import Progress as Bar

        with Bar(transient=True) as bar:
            task = bar.add_task("recodings", total=total)
            yield count(lambda now, _: bar.update(task, completed=now))
    else:
        yield count(progress)
        progress(total, total)
