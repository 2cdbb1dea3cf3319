"""`python -m gateway.leaks.probing PORT TOKEN`: asks `/health` and `GET /tools` in turn until its input ends.

A process of its own, so that what is measured is the gateway and not who makes the load. Prints all samples as JSON:
when (seconds since 1970), the path, the status (0: no answer) and how long it took in seconds.
"""

import http.client
import json
import sys
import threading
import time

PATHS = ("/health", "/tools")
PAUSE = 0.01
PATIENCE = 60.0


def main() -> None:
    port, token = int(sys.argv[1]), sys.argv[2]
    ended = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    samples: list[tuple[float, str, int, float]] = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    while not ended.is_set():
        for path in PATHS:
            began, clock = time.time(), time.perf_counter()
            try:
                connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
                response = connection.getresponse()
                response.read()
                status = response.status
            except (OSError, http.client.HTTPException):
                connection.close()
                status = 0
            samples.append((began, path, status, time.perf_counter() - clock))
            time.sleep(PAUSE)
    json.dump(samples, sys.stdout)


if __name__ == "__main__":
    main()
