"""A disturbance as other work makes it: cores that are busy, on and off."""

import contextlib
import random
import subprocess
import threading

BUSY = ("stress-ng", "--quiet", "--timeout", "60")
FIRST_CORE = ("--cpu", "1", "--taskset", "0")
TWO_CORES = ("--cpu", "2")


@contextlib.contextmanager
def disturbance(seed, cores=FIRST_CORE):
    """Keep cores busy meanwhile, on and off for 1 to 10 s at random."""
    ended = threading.Event()

    def disturb():
        chance = random.Random(seed)
        while not ended.wait(chance.uniform(1, 10)):
            seconds = chance.uniform(1, 10)
            with subprocess.Popen([*BUSY, *cores]) as busy:
                ended.wait(seconds)
                busy.terminate()

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
