"""An MCP gateway in which no handler can hold a database transaction.

It is letgo's reference system: `letgo check` reads it, the guard watches it and `letgo prove` loads it. Of letgo it
imports `letgo.runtime` and nothing else.
"""
