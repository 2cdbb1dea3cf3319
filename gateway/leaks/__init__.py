"""What is left open or stands still when upstreams, Postgres or workers have troubles: `make bench-gateway-leaks`."""
