"""The clocks that measuring uses: none of them is ever set back."""

import time

# Python 3.6 has the clocks in seconds only.
perf_counter_ns = getattr(time, "perf_counter_ns", lambda: int(time.perf_counter() * 1e9))
process_time_ns = getattr(time, "process_time_ns", lambda: int(time.process_time() * 1e9))


def wall_clock():
    """Return the time of day in UTC: for people, never for arithmetic."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
