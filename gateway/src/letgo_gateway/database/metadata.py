"""All tables: each room's are known once it is imported."""

from letgo_gateway.database import changes
from letgo_gateway.database.base import Base
from letgo_gateway.identity import tables as identity
from letgo_gateway.registry import tables as registry

__all__ = ["Base", "changes", "identity", "registry"]

metadata = Base.metadata
