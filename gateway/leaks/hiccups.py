"""`python -m gateway.leaks.hiccups CPU`: when this core ran nothing, though there was work, until its input ends.

The host of a virtual machine gives its cores to others now and then, and whatever is asked meanwhile waits. A process
that does nothing but sleep wakes late then (the idea of jHiccup, https://github.com/giltene/jHiccup), and if it stays
on one core and goes before all others there, only then. Prints all such moments as JSON: when (seconds since 1970), and
how long in seconds. Prints none where the system does not let it go before others: then it could be our own load.
"""

import json
import os
import select
import sys
import time

PAUSE = 0.002
NOTED = 0.01


def main() -> None:
    os.sched_setaffinity(0, {int(sys.argv[1])})
    found: list[tuple[float, float]] = []
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(os.sched_get_priority_min(os.SCHED_FIFO)))
    except PermissionError:
        sys.stdin.read()
    began = time.time()
    while not select.select([sys.stdin], [], [], PAUSE)[0]:
        late = time.time() - began - PAUSE
        if late > NOTED:
            found.append((began, late))
        began = time.time()
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
