"""The census as a Markdown report that a team can put into an issue and tick off."""

from collections.abc import Iterable, Sequence

from letgo.holds import Hold, Site
from letgo.lifetime.categories import Category
from letgo.lifetime.census import Census, Handler, Tally, tally
from letgo.lifetime.convention import Verdict
from letgo.report.audit_text import hotspots
from letgo.report.audit_words import CATEGORY, CURE, VERDICT, belief, shown_verdicts

HOTSPOTS = 5
TOLD = 3
"""How many holds of one handler are told; the JSON and HTML reports have them all."""


def render_markdown(census: Census) -> str:
    """The census in GitHub's Markdown: totals, files, a fix plan by category, and every handler with its place."""
    title = f"# Database sessions of `{escape(census.root.name)}`\n"
    if not census.handlers:
        return f"{title}\nNo handler has a session injected.\n"
    parts = [
        title,
        summary(census),
        "## By file\n\n" + file_table(census),
        "## Fix plan\n\n" + plan_table(census),
        *(section(category, handlers) for category, handlers in census.by_category().items() if handlers),
        differing("Correct, but holding", census.correct_but_holding, "still hold a transaction on some path"),
        differing("Missing a call, but holding nothing", census.missing_but_clean, "were not seen to hold anything"),
        exceptions(census),
    ]
    return "\n".join(part for part in parts if part)


def summary(census: Census) -> str:
    total = census.total
    rows = [
        [VERDICT[v], str(total.verdicts[v]), str(total.holding[v]), str(total.verdicts[v] - total.holding[v])]
        for v in shown_verdicts(total.verdicts)
    ]
    held = total.holding.total()
    rows.append(["**Handlers**", f"**{total.handlers}**", f"**{held}**", f"**{total.handlers - held}**"])
    lead = (
        f"{total.handlers} handlers have a session injected. {total.missing} of them don't commit and close it "
        f"themselves; {held} hold a transaction open on some path while they do something else.\n\n"
    )
    return lead + markdown_table(["", "Count", "Hold on some path", "Hold nothing"], rows)


def file_table(census: Census) -> str:
    shown = shown_verdicts(census.total.verdicts)
    heads = ["File", "Handlers", *(VERDICT[verdict] for verdict in shown), "Hold on some path"]
    rows = [file_row(code(path), tally(handlers), shown) for path, handlers in census.by_file().items()]
    return markdown_table(heads, [*rows, file_row("**Total**", census.total, shown)])


def file_row(title: str, counted: Tally, shown: Iterable[Verdict]) -> list[str]:
    return [
        title,
        str(counted.handlers),
        *(str(counted.verdicts[verdict]) for verdict in shown),
        str(counted.holding.total()),
    ]


def plan_table(census: Census) -> str:
    rows = []
    for category, handlers in census.by_category().items():
        most = ", ".join(f"{code(path)} {count}" for path, count in hotspots(handlers)[:HOTSPOTS])
        rows.append([f"{category} {CATEGORY[category]}", str(len(handlers)), most, CURE[category] if handlers else ""])
    return markdown_table(["Category", "Handlers", "Hotspots", "What to do"], rows)


def section(category: Category, handlers: Sequence[Handler]) -> str:
    """One category as a list to tick off, folded away."""
    items = "\n".join(f"- [ ] {item(handler)}" for handler in handlers)
    head = f"<details><summary><b>{category}: {CATEGORY[category]}</b>, {len(handlers)} handlers</summary>"
    return f"{head}\n\n{items}\n\n</details>\n"


def item(handler: Handler) -> str:
    more = len(handler.holds) - TOLD
    held = "; ".join(told(hold) for hold in handler.holds[:TOLD]) + (f"; and {more} more holds" if more > 0 else "")
    others = [category.value for category in handler.categories if category is not handler.category]
    also = f", also {', '.join(others)}" if others else ""
    return f"{named(handler)}: {VERDICT[handler.verdict].lower()}, {belief(handler)}{also}{f'. {held}' if held else ''}"


def told(hold: Hold) -> str:
    waits = ", ".join(f"{code(wait.what)} at {place(wait.site)}" for wait in hold.waits)
    end = f"let go at {place(hold.released)}" if hold.released else "not let go before it is left"
    return f"Opens at {place(hold.opened)}, waits for {waits}, {end}"


def differing(title: str, handlers: Sequence[Handler], what: str) -> str:
    if not handlers:
        return ""
    items = "\n".join(f"- {named(handler)}: {belief(handler)}" for handler in handlers)
    count = f"<details><summary>{len(handlers)} handlers {what}</summary>"
    return f"## {title}\n\n{count}\n\n{items}\n\n</details>\n"


def exceptions(census: Census) -> str:
    handlers = [handler for handler in census.handlers if handler.verdict is Verdict.EXCEPTION]
    if not handlers:
        return ""
    items = "\n".join(f"- {named(handler)}: {handler.reason}" for handler in handlers)
    return f"## Exceptions\n\n<details><summary>{len(handlers)} handlers</summary>\n\n{items}\n\n</details>\n"


def named(handler: Handler) -> str:
    return f"{code(handler.site.function)} {place(handler.site)}"


def place(site: Site) -> str:
    return code(f"{site.path}:{site.line}")


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rule = ["---", *("---:" if head in RIGHT else "---" for head in heads[1:])]
    lines = ["| " + " | ".join(cells) + " |" for cells in (heads, rule, *rows)]
    return "\n".join(lines) + "\n"


RIGHT = frozenset({"Handlers", "Count", "Hold on some path", "Hold nothing", *VERDICT.values()})
"""Columns of numbers."""


def code(text: str) -> str:
    """`text` as a code span that no content can break out of: not with backticks, pipes or line ends."""
    flat = " ".join(text.split()).replace("|", "\\|") or "?"
    longest = max((len(run) for run in ticks(flat)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {flat} {fence}" if longest else f"{fence}{flat}{fence}"


def ticks(text: str) -> list[str]:
    return "".join(letter if letter == "`" else " " for letter in text).split()


def escape(text: str) -> str:
    return " ".join(text.split()).replace("`", "'")
