"""The clocks that measuring uses: none of them is ever set back."""

import time

# Python 3.6 has the clocks in seconds only.
perf_counter_ns = getattr(time, "perf_counter_ns", lambda: int(time.perf_counter() * 1e9))
process_time_ns = getattr(time, "process_time_ns", lambda: int(time.process_time() * 1e9))


STEPS = 100
"""Of a clock of 15.6 ms, the coarsest of common ones, they take 1.6 s; of others next to nothing."""


def resolution_ns(clock=perf_counter_ns, reported=None):
    """Return the resolution of the clock that samples are timed with, in ns.

    The smallest step that it was seen to make, or what the system reports of it where that is more.
    """
    steps = [step_ns(clock) for _ in range(STEPS)]
    if reported is None:
        reported = time.get_clock_info("perf_counter").resolution
    return max(1, min(steps), int(reported * 1e9 + 0.5))


def step_ns(clock):
    """Return how far a clock advances the next time that it does."""
    start = clock()
    while True:
        now = clock()
        if now != start:
            return now - start


def wall_clock():
    """Return the time of day in UTC: for people, never for arithmetic."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
