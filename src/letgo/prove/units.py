"""Numbers as people read them."""


def seconds(value: float) -> str:
    """Three significant digits in the unit that suits: 812 us, 4.2 ms, 1.30 s."""
    if value < 0.001:
        return f"{value * 1e6:.0f} us"
    if value < 1:
        return f"{value * 1e3:.3g} ms"
    return f"{value:.2f} s" if value < 100 else f"{value:.0f} s"


def count(value: float) -> str:
    """Whole above ten, with one digit below."""
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def share(value: float) -> str:
    return f"{value * 100:.2f} %" if 0 < value < 0.1 else f"{value * 100:.0f} %"


def of_kind(value: float | None, kind: str) -> str:
    """A metric's value; a dash where nothing was measured."""
    if value is None:
        return "–"
    return {"seconds": seconds, "share": share}.get(kind, count)(value)


def size(value: float) -> str:
    return f"{value / 2**30:.0f} GiB"
