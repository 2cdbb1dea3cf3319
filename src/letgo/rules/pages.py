"""The pages of the rules, as Markdown: what `letgo explain` prints and what `docs/` holds."""

from letgo.rules.registry import RULES
from letgo.rules.rule import Rule
from letgo.rules.shop import SHOP

AFTER_THE_EXAMPLES = "## Known problems"


def page(rule: Rule) -> str:
    """A rule's page: its docstring, with its first bad and good example in the middle."""
    what, _, problems = rule.page.partition(AFTER_THE_EXAMPLES)
    summary, _, sections = what.partition("\n")
    return f"""\
# {rule.name} ({rule.code})

{summary}

Group: {rule.group}. Default: {rule.default}.

{sections.strip()}

## Example
```python
{_shown(rule.bad[0])}
```

Use instead:
```python
{_shown(rule.good[0])}
```

{AFTER_THE_EXAMPLES}
{problems.strip()}
"""


def index() -> str:
    """The list of all rules, and the module that the examples share."""
    rows = "\n".join(_row(rule) for rule in RULES)
    return f"""\
# Rules

| Code | Name | What it finds | Default |
|---|---|---|---|
{rows}

## The module of the examples
The example of every rule is a whole program, and they all import this one, `shop.py`:

```python
{SHOP.strip()}
```
"""


def documents() -> dict[str, str]:
    """The files of `docs/` that are made of the rules, by their path in it."""
    return {"rules.md": index(), **{f"rules/{rule.code}.md": page(rule) for rule in RULES}}


def _row(rule: Rule) -> str:
    return f"| [{rule.code}](rules/{rule.code}.md) | {rule.name} | {rule.summary} | {rule.default} |"


def _shown(program: str) -> str:
    return program.strip().replace("# expect: ", "# ")
