#!/usr/bin/env python3
"""A worker for `supervisor --protocol json`, with nothing but the standard library: it squares numbers.

    seq 1000 | supervisor --protocol json -- python3 examples/worker.py

Copy it and change `work`. It may raise: the item fails then, and the worker goes on with the next one.
"""

import base64
import json
import sys

# The answers have stdout for themselves. What `work` prints goes to stderr.
answers, sys.stdout = sys.stdout, sys.stderr


class TryAgain(Exception):
    """Raise it if the same item may succeed later: it is tried again, up to --retries, or 3 times."""


def work(item):
    """The result for an item: text, a number, or whatever JSON can hold. `item` is str, or bytes if it is not UTF-8."""
    return int(item) ** 2


def say(**what):
    answers.write(json.dumps(what) + "\n")
    answers.flush()


def main():
    # Here goes what takes long, such as loading a model. With --wait-ready no item comes before this line.
    say(ready=True)
    for line in sys.stdin:
        order = json.loads(line)
        item = base64.b64decode(order["item_base64"]) if "item_base64" in order else order["item"]
        try:
            say(id=order["id"], result=work(item))
        except TryAgain as error:
            say(id=order["id"], error=str(error), retry=True)
        except Exception as error:
            say(id=order["id"], error=f"{type(error).__name__}: {error}")


main()
