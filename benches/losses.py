#!/usr/bin/env python3
"""What becomes of the items of other pools when a worker process is killed.

Usage: losses.py

Eight items of 0.5 s for two workers; item 3 kills its own process by SIGKILL. Prints for each pool how many items came back
done, and how the caller learned of the death. A pool that does not return within 10 s is ended. `supervisor` is run if it
is in PATH.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import Pool

ITEMS = range(8)
POISON = 3
PATIENCE = 10


def work(item):
    time.sleep(0.5)
    if item == POISON:
        os.kill(os.getpid(), signal.SIGKILL)
    return item * item


def of_pool():
    with Pool(2) as pool:
        waiting = [pool.apply_async(work, (item,)) for item in ITEMS]
        end = time.monotonic() + PATIENCE
        done = 0
        for result in waiting:
            try:
                result.get(max(0, end - time.monotonic()))
                done += 1
            except Exception as error:  # TimeoutError: the item never comes back
                said = type(error).__name__
        return done, f"no exception; get() without a timeout never returns ({said} after {PATIENCE} s)"


def of_executor():
    with ProcessPoolExecutor(2) as executor:
        waiting = [executor.submit(work, item) for item in ITEMS]
        done, errors = 0, {}
        for future in waiting:
            try:
                future.result(PATIENCE)
                done += 1
            except Exception as error:
                name = type(error).__name__
                errors[name] = errors.get(name, 0) + 1
        return done, ", ".join(f"{name} for {count} items" for name, count in errors.items())


def of_commands(*runner):
    script = f'sleep 0.5; if [ "$1" = {POISON} ]; then kill -KILL $$; fi; echo "$1"'
    items = "\n".join(map(str, ITEMS)) + "\n"
    ended = subprocess.run([*runner, "sh", "-c", script, "sh"], input=items, text=True, capture_output=True)
    return len(ended.stdout.split()), f"exit {ended.returncode}: {ended.stderr.strip()}"


def of_xargs():
    return of_commands("xargs", "-P2", "-n1")


def of_supervisor():
    return of_commands("supervisor", "-j2", "--summary", "never", "--")


if __name__ == "__main__":
    print(f"Python {sys.version.split()[0]}, {len(ITEMS)} items, item {POISON} kills its process")
    pools = [("multiprocessing.Pool", of_pool), ("ProcessPoolExecutor", of_executor), ("xargs -P2", of_xargs)]
    if shutil.which("supervisor"):
        pools.append(("supervisor -j2", of_supervisor))
    for name, run in pools:
        done, said = run()
        print(f"{name}: {done} of {len(ITEMS)} done; {said}")
