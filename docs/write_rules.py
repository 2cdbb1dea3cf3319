"""Write `rules.md` and `rules/*.md` beside this file from the rules themselves: `python docs/write_rules.py`."""

from pathlib import Path

from letgo.rules.pages import documents

if __name__ == "__main__":
    docs = Path(__file__).parent
    (docs / "rules").mkdir(exist_ok=True)
    for path, text in documents().items():
        (docs / path).write_text(text, encoding="utf-8")
