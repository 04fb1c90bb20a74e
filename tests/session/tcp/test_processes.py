"""Separate processes over loopback: the exact total, whoever dies when."""

from __future__ import annotations

import pytest

from pets.mpc import AdditiveSharing
from tests.session.tcp.harness import SITES, Kill, expected


def finish(run, *names):
    for name in ("server", *names):
        assert run.wait_for(name) == 0, f"{name}:\n{run.log(name)}\n--- server\n{run.log('server')}"
    run.assert_nothing_said_twice()


def test_three_sites_give_the_exact_total_and_nothing_stays(study):
    run = study()
    run.start_all()
    finish(run, *SITES)
    assert run.total()[:2] == [expected(*SITES), list(SITES)]
    assert not list(run.folder.glob("*/*.journal"))


def test_the_second_session_needs_no_new_keys(study):
    run = study()
    run.start_all()
    finish(run, *SITES)
    run.number = 2
    run.start_all()
    finish(run, *SITES)
    assert run.total()[0] == expected(*SITES)
    for name in ("server", *SITES):
        assert run.log(name).count("agreeing on keys") == 1


def die_and_go_on(run, name, kill):
    run.start(name, kill)
    run.start_all()
    status = run.wait_for(name)
    if status == 0:  # it had no such event any more
        for other in set(run.pids):
            assert run.wait_for(other) == 0
        return False
    assert status == -9, run.log(name)
    run.start(name)
    finish(run, *[other for other in SITES])
    assert run.total()[:2] == [expected(*SITES), list(SITES)]
    return True


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("event", range(1, 7))
def test_a_site_killed_at_any_journal_event_goes_on(study, event, after):
    assert die_and_go_on(study(), "UK", Kill(event, after=after))
