"""The Model Context Protocol, served: `/mcp`, `/servers/{id}/mcp` and `/rpc`, in both eras of the protocol.

- `endpoint`: from an HTTP request to a message; `legacy` and `modern`: what a message means in either era.
- `view`: what a client sees of a catalogue; lists are bytes, made once.
- `bridge`: one request of a client, run on an upstream of either era; `asking`: what upstreams ask of clients.
- `answers`: how a response gets to the client: one JSON object, or a stream of events.
- `sessions`: the sessions of legacy clients; `relay`: how workers hand messages to each other.
"""
