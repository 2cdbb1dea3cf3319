"""The rules for a person at a terminal: a list, and the page of one."""

from letgo.picture.look import Look
from letgo.rules.pages import page
from letgo.rules.registry import RULES
from letgo.rules.rule import Rule


def render_page(rule: Rule, look: Look) -> str:
    """The page of a rule: set out by rich where there are colours, as Markdown elsewhere."""
    text = page(rule)
    if not look.color:
        return text
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console(width=look.width, force_terminal=True, legacy_windows=False)
    with console.capture() as captured:
        console.print(Markdown(text))
    return captured.get()


def render_list(look: Look) -> str:
    """Codes, names and what each rule finds, by group."""
    lines: list[str] = []
    width = max(len(rule.name) for rule in RULES)
    for number, rule in enumerate(RULES):
        if number == 0 or RULES[number - 1].group != rule.group:
            lines += ["", look.paint(rule.group.value.capitalize(), bold=True)]
        off = look.paint(f" ({rule.default.replace('`', '')})", dim=True) if rule.default != "on" else ""
        name = f"{rule.name:{width}}"
        lines.append(f"  {look.paint(rule.code, fg='red', bold=True)}  {name}  {look.paint_code(rule.summary)}{off}")
    return "\n".join((*lines[1:], "", "`letgo explain CODE` shows a page of each.", ""))
