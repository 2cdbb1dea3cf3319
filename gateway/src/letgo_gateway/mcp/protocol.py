"""What the gateway says of itself, and the words of the two eras."""

from letgo_gateway.upstreams.calls import MODERN

SERVER_INFO = {"name": "letgo-gateway", "title": "letgo gateway", "version": "0.1.0"}

HEADER_MISMATCH = -32020
MISSING_CAPABILITY = -32021
UNSUPPORTED_VERSION = -32022
LEGACY_NOT_FOUND = -32002
"""A resource that is not there, in revisions up to 2025-11-25; since then it is `INVALID_PARAMS`."""
URL_ELICITATION_REQUIRED = -32042
"""Revision 2025-11-25 alone: go to this address first, then ask again."""

SERVED_LEGACY = ("2025-11-25", "2025-06-18")
SERVED = (MODERN, *SERVED_LEGACY)

HTTP_STATUS = {
    -32700: 400,
    -32600: 400,
    -32602: 400,
    HEADER_MISMATCH: 400,
    MISSING_CAPABILITY: 400,
    UNSUPPORTED_VERSION: 400,
    -32601: 404,
}
"""The status that a modern client gets with an error; all others come with 200."""

LISTS = frozenset({"tools/list", "prompts/list", "resources/list", "resources/templates/list"})
RUN = frozenset({"tools/call", "prompts/get", "resources/read", "completion/complete"})
"""The requests that lead to an upstream."""
MAY_ASK = frozenset({"tools/call", "prompts/get", "resources/read"})
"""Those in which an upstream may ask the client for input, in 2026-07-28."""
