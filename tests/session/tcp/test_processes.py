"""Separate processes over loopback: the exact total, whoever dies when, and nobody says two things in one place."""

from __future__ import annotations

import random
import shutil
import time

import numpy as np
import pytest

from pets.mpc import AdditiveSharing, ShamirSharing
from pets.plain import Plain
from tests.session.tcp.harness import SITES, VALUES, Kill, expected


def finish(run, *names):
    for name in ("server", *(names or SITES)):
        assert run.wait_for(name) == 0, f"{name}:\n{run.log(name)}\n--- server\n{run.log('server')}"
    run.assert_nothing_said_twice()


def die_and_go_on(run, name, kill):
    """Return whether the process died of it; it was started again then, and all ended well."""
    run.start(name, kill)
    run.start_all()
    died = run.wait_for(name) == -9
    if died:
        run.start(name)
    else:
        run.pids.pop("server", None)
    finish(run) if died else [run.wait_for(other) for other in set(run.pids)]
    assert run.total()[:2] == [expected(*SITES), list(SITES)]
    return died


def test_three_sites_give_the_exact_total_and_nothing_stays(study):
    run = study()
    run.start_all()
    finish(run)
    assert run.total()[:2] == [expected(*SITES), list(SITES)]
    assert not list(run.folder.glob("*/*.journal"))
    for secret in run.folder.glob("*/*"):
        assert secret.stat().st_mode & 0o077 == 0


def test_the_second_session_needs_no_new_keys(study):
    run = study()
    for run.number in (1, 2):
        run.start_all()
        finish(run)
        assert run.total()[0] == expected(*SITES)
    for name in ("server", *SITES):
        assert run.log(name).count("agreeing on keys") == 1


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("event", range(1, 7))
def test_a_site_killed_at_any_journal_event_goes_on(study, event, after):
    assert die_and_go_on(study(), "UK", Kill(event, after=after))


def test_a_site_killed_in_the_middle_of_a_write_goes_on(study):
    for event in (1, 2, 4, 6):
        assert die_and_go_on(study(), "FR", Kill(event, torn=True))


@pytest.mark.parametrize("frame", range(1, 11))
def test_a_site_killed_at_any_frame_goes_on_also_while_keys_are_agreed(study, frame):
    died = die_and_go_on(study(), "US", Kill(frame, frames=True))
    assert died == (frame < 10)  # READY, two of the agreement, READY, HAVE and four messages


@pytest.mark.parametrize("event", range(1, 17))
def test_the_collector_killed_at_any_journal_event_goes_on(study, event):
    # keys, start, three stages of three messages each, the release
    assert die_and_go_on(study(), "server", Kill(event, after=event % 2 == 0)) == (event <= 15)


def test_the_collector_killed_while_keys_are_agreed(study):
    for frame in (2, 5, 8):
        assert die_and_go_on(study(), "server", Kill(frame, frames=True))


def test_the_release_is_drawn_once_whenever_the_collector_dies(study):
    run = study()
    run.start("server", Kill(15, after=True))  # the release is in the journal, and nowhere else
    run.start_all()
    assert run.wait_for("server") == -9
    assert not (run.folder / "total.json").exists()
    run.start("server", Kill(1, frames=True))
    assert run.wait_for("server") in (-9, 0)
    first = run.total()
    run.start("server")
    finish(run)
    assert run.total() == first and run.total()[0] == expected(*SITES)


@pytest.mark.slow
def test_all_processes_killed_at_random_times(study):
    chance = random.Random(7)
    for _ in range(25):
        run = study(deadline=20)
        run.start_all()
        for _ in range(chance.randrange(1, 6)):
            time.sleep(chance.random() * 0.25)
            name = chance.choice(list(run.pids)) if run.pids else "server"
            if name in run.pids:
                if run.wait_or_kill(name) == 0:
                    break
                run.start(name)
        for name in list(run.pids):
            run.wait_for(name)
        if not (run.folder / "total.json").exists():
            continue
        assert run.total()[:2] == [expected(*SITES), list(SITES)]
        run.assert_nothing_said_twice()


# ------------------------------------------------------------------------------------------------ drop-outs


def test_a_site_that_never_comes_is_left_out_at_the_deadline(study):
    run = study()
    run.start_all()
    finish(run)
    run.number, run.wait = 2, 4.0
    run.names = ("server", "FR", "UK", "US")
    for name in ("server", "FR", "US"):
        run.start(name)
    # Two of three are fewer than this sum needs: it stops, and says so to all.
    assert run.wait_for("server") == 1 and "TooFewSites" in run.log("server")
    assert run.wait_for("FR") == 1 and "2 sites are left" in run.log("FR")


def test_one_of_four_that_never_comes(study):
    sites = (*SITES, "DE")
    run = study(*sites, sites=sites)
    run.start_all()
    finish(run, *sites)
    run.number, run.wait = 2, 4.0
    for name in ("server", *SITES):
        run.start(name)
    finish(run)
    assert run.total()[:2] == [expected(*SITES), list(SITES)]


def test_one_that_is_late_is_told_and_the_rest_go_on(study):
    sites = (*SITES, "DE")
    run = study(*sites, sites=sites, deadline=4.0)
    run.start("DE", Kill(2, after=True))  # it has begun, and answers no more
    run.start("UK", Kill(3))
    run.start_all()
    assert run.wait_for("DE") == -9
    run.wait_for_line("server", "left out: DE")
    run.start("DE")
    assert run.wait_for("UK") == -9
    assert run.wait_for("DE") == 1 and "was late" in run.log("DE")
    run.start("UK")
    finish(run)
    assert run.total()[:2] == [expected(*SITES), list(SITES)]


def test_without_common_keys_everybody_must_come(study):
    run = study(wait=4.0)
    run.start("server")
    run.start("FR")
    assert run.wait_for("server") == 1
    assert "Missing: UK, US" in run.log("server")


def test_a_site_that_refuses_does_not_hold_up_the_others(study):
    sites = (*SITES, "DE")
    run = study(*sites, sites=sites)
    run.start("DE", values=np.full(3, 1))  # no such table: it fails after the keys are agreed
    run.start_all()
    finish(run)
    assert run.total()[:2] == [expected(*SITES), list(SITES)]
    assert run.wait_for("DE") == 1 and "DE stops" in run.log("server")


# ------------------------------------------------------------------------------------------------ other protocols


@pytest.mark.parametrize(
    "aggregator", [AdditiveSharing(2), AdditiveSharing(("FR", "UK")), ShamirSharing(SITES), Plain()]
)
def test_protocols_whose_parties_send_to_each_other(study, aggregator):
    helpers = ("helper-1", "helper-2") if aggregator == AdditiveSharing(2) else ()
    run = study(*SITES, *helpers, aggregator=aggregator)
    run.start_all()
    finish(run, *SITES, *helpers)
    assert run.total()[:2] == [expected(*SITES), list(SITES)]


def test_a_helper_is_killed_and_goes_on(study):
    for event in (1, 3, 5):
        run = study(*SITES, "helper-1", "helper-2", aggregator=AdditiveSharing(2))
        run.start("helper-2", Kill(event))
        run.start_all()
        assert run.wait_for("helper-2") == -9
        run.start("helper-2")
        finish(run, *SITES, "helper-1", "helper-2")
        assert run.total()[0] == expected(*SITES)


def test_the_collector_forgets_what_it_carried_and_gets_it_again(study):
    run = study(*SITES, "helper-1", "helper-2", aggregator=AdditiveSharing(2))
    run.start("server", Kill(12, frames=True))
    run.start_all()
    assert run.wait_for("server") == -9
    run.start("server")
    finish(run, *SITES, "helper-1", "helper-2")
    assert run.total()[0] == expected(*SITES)


# ------------------------------------------------------------------------------------------------ journals


def stop_in_the_middle(run):
    """All are killed while the sum is at its third stage; return a site's journal of an earlier instant."""
    run.start("FR", Kill(3, after=True))
    run.start_all()
    assert run.wait_for("FR") == -9
    (journal,) = (run.folder / "FR").glob("*.journal")
    older = journal.read_bytes()
    run.start("FR", Kill(3, after=True))
    assert run.wait_for("FR") == -9
    return journal, older


def test_a_journal_that_was_rolled_back_is_refused(study):
    run = study()
    journal, older = stop_in_the_middle(run)
    assert len(journal.read_bytes()) > len(older)
    journal.write_bytes(older)
    run.start("FR")
    assert run.wait_for("FR") == 1
    assert "rolled back" in run.log("FR") and "FR stops" in run.log("server")


def test_a_session_whose_journal_is_gone_is_refused(study):
    run = study()
    journal, _ = stop_in_the_middle(run)
    journal.unlink()
    run.start("FR")
    assert run.wait_for("FR") == 1
    assert "SessionReused" in run.log("FR")


def test_a_collector_whose_journal_was_rolled_back_is_refused(study):
    run = study()
    run.start("server", Kill(5, after=True))
    run.start_all()
    assert run.wait_for("server") == -9
    (journal,) = (run.folder / "server").glob("*.journal")
    older = journal.read_bytes()
    run.start("server", Kill(4, after=True))
    assert run.wait_for("server") == -9
    journal.write_bytes(older)
    run.start("server")
    for name in SITES:
        assert run.wait_for(name) == 1
        assert "the collector has forgotten" in run.log(name) or "stops" in run.log("server")


def test_a_changed_journal_is_refused(study):
    run = study()
    journal, _ = stop_in_the_middle(run)
    content = bytearray(journal.read_bytes())
    content[100] ^= 1
    journal.write_bytes(content)
    run.start("FR")
    assert run.wait_for("FR") == 1
    assert "JournalError" in run.log("FR")


def test_two_processes_cannot_share_a_folder(study):
    run = study()
    store = run.store("FR")
    with store.locked():
        run.pids.clear()
        from pets.errors import JournalError

        with pytest.raises(JournalError, match="another process"), run.store("FR").locked():
            pass
    with store.locked():
        pass


def test_new_keys_do_not_bring_old_numbers_back(study):
    """A lost folder makes all agree anew; a number that a site has used stays used."""
    run = study()
    run.start_all()
    finish(run)
    shutil.rmtree(run.folder / "server")
    run.wait = 4.0
    run.start_all()
    assert run.wait_for("FR") == 1 and "session 1 are used up" in run.log("FR")
    assert run.wait_for("server") == 1
    for name in list(run.pids):
        run.wait_or_kill(name)
    run.number, run.wait = 2, 8.0
    run.start_all()
    finish(run)
    assert run.total()[0] == expected(*SITES)


def test_values_larger_than_a_socket_buffer(study, monkeypatch):
    from tests.session.tcp import harness

    large = {name: np.arange(300_000, dtype=np.int64) % 1000 for name in SITES}
    monkeypatch.setattr(harness, "SIZE", 300_000)
    monkeypatch.setattr(harness, "VALUES", VALUES | large)
    run = study(deadline=20)
    run.start_all()
    finish(run)
    assert run.total()[0] == (3 * large["FR"]).tolist()
