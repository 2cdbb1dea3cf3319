"""What the guard knows at this moment, in values that become JSON: who holds what, the worst places, the pools."""

import os
from time import monotonic
from typing import Any

from letgo.runtime.guard import pools
from letgo.runtime.guard.recorder import Place, Recorder, shortened
from letgo.runtime.guard.tracking import Open, opened

SHOWN = 50


def snapshot(recorder: Recorder) -> dict[str, Any]:
    """Times are seconds. It is of this process alone: with several workers each has its own."""
    now = monotonic()
    open_now = sorted((_open(found, now) for found in list(opened.values())), key=lambda one: -one["idle"])
    places, routes = recorder.worst()
    return {
        "process": os.getpid(),
        "mode": recorder.settings.mode,
        "open": open_now[:SHOWN],
        "more_open": max(0, len(open_now) - SHOWN),
        "places": [_place(place) for place in places[:SHOWN]],
        "more_places": max(0, len(places) - SHOWN) + recorder.unplaced,
        "routes": [
            {
                "route": name,
                "requests": route.requests,
                "transactions": route.transactions,
                "idle": round(route.idle, 3),
                "holds": sum(route.holds.values()),
                "leaks": route.leaks,
                "lost": route.lost,
                "exhausted": route.exhausted,
            }
            for name, route in routes[:SHOWN]
        ],
        "pools": [state._asdict() for state in pools.states()],
    }


def _open(found: Open, now: float) -> dict[str, Any]:
    return {
        "route": found.watch.route(),
        "opened": found.watch.place_of(found),
        "statement": shortened(found.statement),
        "state": "active" if found.busy else "idle",
        "waits_for": found.pending.what if found.pending is not None else "",
        "idle": round(found.idle_for(now), 3),
        "held": round(now - found.began, 3),
    }


def _place(place: Place) -> dict[str, Any]:
    finding = place.seen.finding
    return {
        "code": finding.code,
        "rule": finding.rule,
        "route": place.seen.route,
        "place": f"{finding.site.path}:{finding.site.line}",
        "function": finding.handler.function,
        "message": finding.message,
        "help": finding.help,
        "count": place.count,
        "idle": round(place.idle, 3),
        "longest": round(place.longest, 3),
        "last": round(place.last, 3),
    }
