"""Names for findings that survive an edit elsewhere in the file."""

import hashlib
from collections import Counter
from collections.abc import Iterable

from letgo.holds import Finding


def fingerprints(findings: Iterable[Finding]) -> tuple[str, ...]:
    """One for each finding, in order: made of path, function, code, and the how-manieth of these it is. No lines."""
    seen: Counter[tuple[str, str, str]] = Counter()
    result = []
    for finding in findings:
        key = (finding.handler.path, finding.handler.function, finding.code)
        text = "\0".join((*key, str(seen[key])))
        seen[key] += 1
        result.append(hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32])
    return tuple(result)
