"""`python -m benchmarks [--tree PATH]`: prints the comparison and, with `--write`, puts it and the chart into docs/."""

import argparse
import os
import platform
from collections.abc import Sequence
from pathlib import Path

from benchmarks.chart import Line, draw
from benchmarks.contenders import BASELINE, letgo, others, parsing
from benchmarks.timing import Measured, side_by_side
from benchmarks.trees import Edited, copied, lines_in, made_up

BUILD = Path("build/benchmarks")
SIZES = (10_000, 50_000, 100_000, 200_000, 400_000)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--tree", type=Path, default=os.environ.get("LETGO_BENCH_TREE"), help="measure on this tree")
    parser.add_argument("--lines", type=int, default=100_000, help="size of the tree that is made up without --tree")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is run")
    parser.add_argument("--limit", type=float, default=120, help="seconds after which another tool is given up")
    parser.add_argument("--alone", action="store_true", help="leave the other tools out")
    parser.add_argument("--no-growth", action="store_true", help="leave out how time grows with size")
    parser.add_argument("--write", type=Path, metavar="DIRECTORY", help="write speed.md and speed.svg there")
    given = parser.parse_args()

    place, source = BUILD.resolve() / "tree", given.tree and Path(given.tree).resolve()
    # Under its own name, by which its modules import each other: else most calls could not be followed.
    tree = copied(source, place / source.name) if source else made_up(place / "code", given.lines)
    contenders = [*parsing(), *letgo(tree, Edited(tree))]
    compared = side_by_side(contenders, tree, given.rounds)
    if not given.alone:
        compared += side_by_side(list(others(BUILD.resolve() / "tools", given.limit)), tree, min(given.rounds, 2))
    text = [f"{lines_in(tree):,} lines in {sum(1 for _ in tree.rglob('*.py')):,} files, {machine()}.", ""]
    text += table(compared)
    print("\n".join(text))

    if not given.no_growth:
        rows = [(size, *grown(size)) for size in SIZES]
        text += ["", *growth_table(rows)]
        print("\n".join(["", *growth_table(rows)]))
        if given.write:
            lines = [
                Line("letgo check, cold", [(size / 1000, cold) for size, _, cold in rows]),
                Line(BASELINE, [(size / 1000, parsed) for size, parsed, _ in rows]),
            ]
            (given.write / "speed.svg").write_text(draw("How time grows with the size of the code", lines))
    if given.write:
        (given.write / "speed.md").write_text(page(text, bool(given.tree)))


def grown(size: int) -> tuple[float, float]:
    """Seconds that plain parsing and a cold check take on a made-up tree of so many lines."""
    tree = made_up(BUILD.resolve() / "growth" / "code", size)
    baseline, *_ = parsing()
    _, cold, *_ = letgo(tree, Edited(tree))
    parsed, checked = side_by_side([baseline, cold], tree, 3)
    return parsed.wall or 0.0, checked.wall or 0.0


def table(measured: Sequence[Measured]) -> list[str]:
    unit = next(each.wall for each in measured if each.name == BASELINE) or 1.0
    rows = ["| | seconds | min–max | to parsing | processor | memory |", "|---|--:|--:|--:|--:|--:|"]
    for each in measured:
        if each.wall is None:
            rows.append(f"| {each.name} | > {each.limit:.0f} | | > {each.limit / unit:.0f} | | |")
            continue
        walls = [run.wall for run in each.runs]
        memory = max(run.memory for run in each.runs) / 2**20
        rows.append(
            f"| {each.name} | {each.wall:.2f} | {min(walls):.2f}–{max(walls):.2f} | {each.wall / unit:.2f} "
            f"| {each.cpu:.2f} s | {memory:.0f} MB |"
        )
    return rows


def growth_table(rows: Sequence[tuple[int, float, float]]) -> list[str]:
    head = ["| lines | ast.parse | letgo check, cold | per 1,000 lines |", "|--:|--:|--:|--:|"]
    return head + [
        f"| {size:,} | {parsed:.2f} s | {cold:.2f} s | {cold / size * 1e6:.1f} ms |" for size, parsed, cold in rows
    ]


def machine() -> str:
    """What it was measured on, without names."""
    return f"{os.cpu_count()} {platform.machine()} cores, Python {platform.python_version()}, {platform.system()}"


def page(text: Sequence[str], real: bool) -> str:
    of_what = "a real FastAPI code base" if real else "a made-up FastAPI code base"
    return "\n".join(
        (
            "# How fast it is",
            "",
            f"`make bench` measures this on {of_what}, in turns and in one run. Seconds are medians, memory is that",
            "of the largest process. *Cold* means that a cache is made; *touched* that a function of one file has one",
            "more line than in the run before.",
            "",
            *text,
            "",
            "![How time grows with the size of the code](speed.svg)",
            "",
        )
    )


if __name__ == "__main__":
    main()
