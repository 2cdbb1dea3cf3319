"""The kinds of fix. Each file proposes repairs for one function, or says why a finding stays."""

from collections.abc import Callable

from letgo.fix.kinds import closing, commits, dependencies, openers, returns, streams, tasks, unused, waits
from letgo.fix.patient import Patient
from letgo.fix.repair import Proposal

KINDS: tuple[Callable[[Patient], Proposal], ...] = (
    openers.propose,
    closing.propose,
    dependencies.propose,
    streams.propose,
    tasks.propose,
    waits.propose,
    returns.propose,
    commits.propose,
    unused.propose,
)
"""In the order of their precedence: where two would change the same lines, the first does."""
