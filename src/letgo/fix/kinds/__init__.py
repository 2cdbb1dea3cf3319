"""The kinds of fix. Each file proposes repairs for one function, or says why a finding stays."""

from collections.abc import Callable

from letgo.fix.kinds import returns
from letgo.fix.patient import Patient
from letgo.fix.repair import Proposal

KINDS: tuple[Callable[[Patient], Proposal], ...] = (returns.propose,)
"""In the order of their precedence: where two would change the same lines, the first does."""
