"""The same app, with one line more."""

from app import app
from letgo.runtime import install

install(app)
