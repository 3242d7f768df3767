"""Disturb measurements as other work would: keep cores busy, on and off."""

import contextlib
import random
import subprocess
import threading
import time

BUSY = ("stress-ng", "--quiet", "--timeout", "60")
FIRST_CORE = ("--cpu", "1", "--taskset", "0")
TWO_CORES = ("--cpu", "2")


@contextlib.contextmanager
def disturbance(seed, cores=FIRST_CORE):
    """Keep cores busy meanwhile, on and off for 1 to 10 s at random.

    Yields a list to which it adds when it was busy: start and end, in seconds since the epoch.
    """
    ended = threading.Event()
    phases = []

    def disturb():
        chance = random.Random(seed)
        while not ended.wait(chance.uniform(1, 10)):
            seconds = chance.uniform(1, 10)
            start = time.time()
            with subprocess.Popen([*BUSY, *cores]) as busy:
                ended.wait(seconds)
                busy.terminate()
            phases.append((start, time.time()))

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        yield phases
    finally:
        ended.set()
        thread.join()
