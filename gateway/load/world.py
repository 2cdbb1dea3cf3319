"""The world that the load meets, as values: who is there, what is registered, and where the upstream listens.

Everything has an id that can be computed, so that users know their token and the tools without asking.
"""

import os
from collections.abc import Mapping

USERS = int(os.environ.get("LOAD_USERS", "4000"))
REST_TOOLS, MCP_TOOLS = 50, 50
RESOURCES, PROMPTS, SERVERS = 40, 20, 20
UPSTREAM = f"{1:032x}"
ADMINISTRATOR = f"{2:032x}"
PORT = int(os.environ.get("LOAD_UPSTREAM_PORT", "4455"))
ADDRESS = f"http://127.0.0.1:{PORT}"
SETTINGS: Mapping[str, str] = {
    "GATEWAY_SECRET_KEY": "the key of a database that lives as long as its load",
    "GATEWAY_ALLOWED_UPSTREAMS": "127.0.0.1",
    "GATEWAY_POOL_TIMEOUT": "4",
    "GATEWAY_POOL_WAITING": "2000",
}
"""What the gateway is told. Four thousand users on two cores would rather wait for some seconds than hear 503; all else
is as it comes, with its guard, its logs and its metrics."""


def user_id(number: int) -> str:
    return f"{number + (1 << 32):032x}"


def token(number: int) -> str:
    """The API token of a user; what stands in the database is its digest."""
    return f"lgw_load-{number:05}"


ADMINISTRATORS_TOKEN = "lgw_load-administrator"


def tool_id(number: int) -> str:
    """Of a REST tool; the upstream's get theirs when they are discovered."""
    return f"{number + (2 << 32):032x}"


def server_id(number: int) -> str:
    return f"{number + (3 << 32):032x}"


def rest_tool(number: int) -> str:
    return f"rest_echo_{number % REST_TOOLS}"


def mcp_tool(number: int) -> str:
    return f"echo_{number % MCP_TOOLS}"


def resource_uri(number: int) -> str:
    return f"load://resource/{number % RESOURCES}"


def prompt(number: int) -> str:
    return f"prompt_{number % PROMPTS}"
