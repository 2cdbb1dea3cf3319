"""`python stdio_upstream.py BEHAVIOUR SECONDS`: an upstream on stdio. Its child `sleep SECONDS` would outlive it."""

import importlib.util
import itertools
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

found = importlib.util.spec_from_file_location("behaving", Path(__file__).with_name("behaving.py"))
assert found is not None and found.loader is not None
behaving = importlib.util.module_from_spec(found)
found.loader.exec_module(behaving)


def write(line: bytes) -> None:
    os.write(1, line)


def main() -> None:
    behaviour = sys.argv[1]
    subprocess.Popen(["sleep", sys.argv[2]])
    turns = itertools.count(os.getpid())
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        if asked.get("method") != "tools/call":
            if (result := behaving.usual(asked, f"{behaviour}_stdio")) is not None:
                write(behaving.response(asked, result) + b"\n")
            continue
        match behaviour:
            case "slow":
                answer = behaving.response(asked, behaving.done()) + b"\n"
                threading.Timer(behaving.SLOW_SECONDS, write, (answer,)).start()
            case "hang":
                pass
            case "die":
                write(b'{"jsonrpc":')
                os._exit(1)
            case "garbage":
                nonsense = behaving.garbage(asked)
                write(nonsense[next(turns) % len(nonsense)] + b"\n")


if __name__ == "__main__":
    main()
