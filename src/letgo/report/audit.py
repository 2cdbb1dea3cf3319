"""All formats of an audit, by name: `audit_<format>.py` holds each."""

from letgo.lifetime.census import Census


def render(census: Census, form: str, *, color: bool = False) -> str:
    """The census in the format called `form`; colours are for text alone."""
    match form:
        case "text":
            from letgo.report.audit_text import render_text

            return render_text(census, color=color)
        case "markdown":
            from letgo.report.audit_markdown import render_markdown

            return render_markdown(census)
        case "json":
            from letgo.report.audit_json import render_json

            return render_json(census)
        case "html":
            from letgo.report.audit_html import render_html

            return render_html(census)
        case _:
            raise ValueError(form)
