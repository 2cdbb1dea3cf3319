"""How long letgo takes, beside plain parsing and other tools: `python -m benchmarks`, or `make bench`."""
