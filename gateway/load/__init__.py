"""The gateway under load: `make prove-gateway`, and what a request costs it: `make bench-gateway`."""
