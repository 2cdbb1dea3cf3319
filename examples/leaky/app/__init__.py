"""The Leaky Bookshop: every way to hold a database transaction, one short handler each."""
