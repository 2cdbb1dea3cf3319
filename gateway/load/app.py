"""The gateway as `letgo prove` starts it: `load.app:app`, with settings from the environment."""

from letgo_gateway.cli import app_of_environment

app = app_of_environment()
