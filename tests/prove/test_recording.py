"""Putting together what makers tell: nothing is lost, however long the run."""

from hypothesis import given
from hypothesis import strategies as st

from letgo.prove import recording as module
from letgo.prove.recording import Recording
from letgo.prove.ticks import STEP, RouteTick, Tick


def tick(maker: int, number: int, requests: int, errors: int = 0) -> Tick:
    route = RouteTick(requests, {100: requests}, {}, {"status 500": errors} if errors else {})
    return Tick(maker, number * STEP, 10, 0.1 * number, 0.0, {"GET /": route})


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 50), st.integers(0, 9)), max_size=60), st.integers(1, 20))
def test_totals_do_not_depend_on_how_coarse_the_steps_have_become(
    ticks: list[tuple[int, int, int]], steps: int
) -> None:
    before, module.STEPS = module.STEPS, steps
    try:
        recording = Recording((0, 100))
        for maker, number, requests in ticks:
            recording.take(tick(maker, number, requests))
    finally:
        module.STEPS = before
    assert len(recording.steps) <= steps
    assert sum(step.requests for step in recording.steps) == recording.requests == sum(each[2] for each in ticks)


def test_users_of_all_makers_are_added_up() -> None:
    recording = Recording((0, 1))
    for maker in range(3):
        recording.take(tick(maker, 1, 5))
    assert sum(recording.steps[0].users.values()) == 30
    assert recording.steps[0].requests == 15


def test_only_good_answers_of_the_hold_count_for_the_rate() -> None:
    recording = Recording((1.0, 2.0))
    for number, (requests, errors) in enumerate([(5, 0), (5, 0), (7, 2), (8, 0), (100, 0)], start=1):
        recording.take(tick(0, number, requests, errors))
    assert recording.good_in_hold == 5 + 8
    assert recording.seconds_in_hold() == 1.0
