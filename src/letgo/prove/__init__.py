"""`letgo prove`: load, a Postgres that is watched meanwhile, and a verdict. A scenario imports its words from here."""

from letgo.prove.scenario import Request, Response, User, Visit, delete, get, patch, post, put, request

__all__ = ["Request", "Response", "User", "Visit", "delete", "get", "patch", "post", "put", "request"]
