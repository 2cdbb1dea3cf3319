"""What is behind the gateway: MCP servers over streamable HTTP and stdio, REST endpoints, A2A agents.

- `messages`, `events`, `calls`: what goes over the wire, passed on in the words of its sender.
- `http`, `addresses`: connections, and where they may lead.
- `legacy`, `modern`, `stdio`: how an upstream of each kind is called; `exchanges`: a call that is under way.
- `upstream`: one upstream with its sessions, limits and health; `fleet`: all of them, discovered and watched.
- `rest`, `a2a`: what is no MCP server, called as a tool.
"""
