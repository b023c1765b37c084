"""Python's own pools, for benches/compare.sh: one measurement, its figure on stderr.

pools.py KIND WORK WORKERS ITEMS CHUNK

KIND   pool (multiprocessing.Pool) or executor (concurrent.futures.ProcessPoolExecutor)
WORK   processes  ITEMS times /bin/true: a second
       items      ITEMS numbers squared, CHUNK to a message, all results received: a second
       trips      one item in flight: microseconds
       lines      ITEMS lines from stdin to the workers and back to stdout, in order: a second
       start      a pool, ITEMS items, its end: no figure, the caller takes the time

A pool is warm before the clock starts, except in `start`.
"""

import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import Pool


def square(number):
    return number * number


def same(line):
    return line


def run_true(number):
    return subprocess.run(["/bin/true", str(number)], check=False).returncode


class OfPool:
    def __init__(self, workers):
        self.pool = Pool(workers)

    def each(self, function, items, chunk):
        return self.pool.imap_unordered(function, items, chunk)

    def in_order(self, function, items, chunk):
        return self.pool.imap(function, items, chunk)

    def one(self, function, item):
        return self.pool.apply(function, (item,))

    def close(self):
        self.pool.close()
        self.pool.join()


class OfExecutor:
    def __init__(self, workers):
        self.executor = ProcessPoolExecutor(workers)

    def each(self, function, items, chunk):
        return self.executor.map(function, items, chunksize=chunk)

    in_order = each

    def one(self, function, item):
        return self.executor.submit(function, item).result()

    def close(self):
        self.executor.shutdown()


def measure(pool, work, items, chunk):
    """The seconds that the work took."""
    for _ in pool.each(square, range(64), 1):
        pass
    started = time.perf_counter()
    if work == "processes":
        assert not any(pool.each(run_true, range(items), chunk))
    elif work == "items":
        expected = (items - 1) * items * (2 * items - 1) // 6
        assert sum(pool.each(square, range(items), chunk)) == expected
    elif work == "trips":
        for number in range(items):
            assert pool.one(square, number) == number * number
    elif work == "lines":
        for line in pool.in_order(same, sys.stdin, chunk):
            sys.stdout.write(line)
        sys.stdout.flush()
    return time.perf_counter() - started


def main():
    kind, work = sys.argv[1], sys.argv[2]
    workers, items, chunk = (int(word) for word in sys.argv[3:6])
    pool = {"pool": OfPool, "executor": OfExecutor}[kind](workers)
    if work == "start":
        assert len(list(pool.each(square, range(items), 1))) == items
        pool.close()
        return
    seconds = measure(pool, work, items, chunk)
    pool.close()
    print(seconds * 1e6 / items if work == "trips" else items / seconds, file=sys.stderr)


if __name__ == "__main__":
    main()
