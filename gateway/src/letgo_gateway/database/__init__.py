"""The database: its engine (`engine`), units of work (`work`), how workers learn of changes (`changes`), migrations.

A handler never sees a session. It hands a function to `Database.read` or `Database.write` and gets plain data back,
when the transaction has ended and the connection is in its pool again.
"""
