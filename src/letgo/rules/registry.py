"""All rules, in the order of their codes."""

from letgo.rules import (
    convention,
    function_scope_escapes,
    generator_keeps_session,
    lost_on_exception,
    nested_session,
    never_closed,
    open_during_computation,
    open_during_external_call,
    open_during_subprocess,
    open_on_branch,
    open_while_rendering,
    open_while_serialising,
    open_while_sleeping,
    open_while_streaming,
    read_after_release,
    rearmed_after_commit,
    session_from_next,
    stalls_under_load,
    task_keeps_session,
    unused_session,
    used_after_close,
    write_never_committed,
)
from letgo.rules.rule import Rule

RULES: tuple[Rule, ...] = (
    open_while_serialising.RULE,
    open_while_rendering.RULE,
    open_on_branch.RULE,
    rearmed_after_commit.RULE,
    open_during_external_call.RULE,
    open_while_sleeping.RULE,
    open_during_subprocess.RULE,
    open_during_computation.RULE,
    open_while_streaming.RULE,
    generator_keeps_session.RULE,
    task_keeps_session.RULE,
    function_scope_escapes.RULE,
    used_after_close.RULE,
    read_after_release.RULE,
    never_closed.RULE,
    lost_on_exception.RULE,
    session_from_next.RULE,
    nested_session.RULE,
    write_never_committed.RULE,
    unused_session.RULE,
    stalls_under_load.RULE,
    convention.RULE,
)


KNOWN: tuple[str, ...] = tuple(name for rule in RULES for name in (rule.code, rule.name))
"""Every code and name, for settings and comments to be checked against."""


def rule_called(name: str) -> Rule | None:
    """The rule with this code or name, in whatever case it is written."""
    wanted = name.lower()
    return next((rule for rule in RULES if wanted in (rule.code.lower(), rule.name)), None)
