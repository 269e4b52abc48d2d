"""What an orchestrator calls is checked too, with the way that leads there."""

from __future__ import annotations

import pytest

from .sources import Sources

FLOW = "\n@app.orchestrator\nasync def flow(ctx, value=None):\n    "


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("def stamp():\n    return time.time()", "stamp()"),
        ("async def stamp(ctx):\n    return time.time()", "await stamp(ctx)"),
        ("async def stamp(ctx):\n    return time.time()", "await asyncio.gather(stamp(ctx), stamp(ctx))"),
        ("def stamp(item):\n    return time.time()", "sorted(value, key=stamp)"),
        ("def stamp(item):\n    return time.time()", "list(map(stamp, value))"),
        ("def stamp(failure):\n    return time.time() > 3", "df.RetryPolicy(retry_if=stamp)"),
        ("class Clock:\n    def stamp(self):\n        return time.time()", "Clock().stamp()"),
        ("class Clock:\n    def stamp(self):\n        return time.time()", "c = Clock()\n    c.stamp()"),
        ("class Clock:\n    @staticmethod\n    def stamp():\n        return time.time()", "Clock.stamp()"),
        ("class Clock:\n    @property\n    def stamp(self):\n        return time.time()", "Clock().stamp"),
        ("class Clock:\n    def __init__(self):\n        self.x = time.time()", "Clock()"),
        ("class Old:\n    def stamp(self):\n        return time.time()\nclass Clock(Old): ...", "Clock().stamp()"),
        (
            "class Clock:\n    def stamp(self):\n        return self.inner()\n"
            "    def inner(self):\n        return time.time()",
            "Clock().stamp()",
        ),
        ("def make() -> 'Clock': ...\nclass Clock:\n    def stamp(self):\n        time.time()", "make().stamp()"),
        ("def stamp():\n    return time.time()\nalias = stamp", "alias()"),
        ("class Clock:\n    def stamp(self):\n        time.time()", "with Clock() as clock:\n        clock.stamp()"),
        ("class Clock:\n    time = 3\n    def stamp(self):\n        time.time()", "Clock().stamp()"),
        ("def stamp(ctx):\n    yield time.time()", "list(stamp(ctx))"),
    ],
)
def test_a_call_is_followed(text: str, call: str, sources: Sources) -> None:
    findings = sources.findings(f"import time\n{text}\n{FLOW}{call}")
    assert [finding.code for finding in findings] == ["DX101"]
    assert findings[0].via[0].function == "flow"
    assert len(findings[0].via) > 1


def test_the_way_names_functions_files_and_lines(sources: Sources) -> None:
    sources.write("clock.py", "import time\n\n\ndef now():\n    return time.time()\n")
    text = "import clock\n\ndef stamp():\n    return clock.now()\n" + FLOW + "return stamp()"
    (finding,) = sources.findings(text)
    assert (finding.path, finding.line, finding.column) == ("clock.py", 5, 12)
    assert (finding.end_line, finding.end_column) == (5, 21)
    assert [(place.function, place.path) for place in finding.via] == [
        ("flow", "app.py"),
        ("stamp", "app.py"),
        ("now", "clock.py"),
    ]
    app = (sources.folder / "app.py").read_text().splitlines()
    assert [app[place.line - 1] for place in finding.via[:2]] == [
        "async def flow(ctx, value=None):",
        "def stamp():",
    ]


@pytest.mark.parametrize(
    ("files", "text", "call"),
    [
        ({"clock.py": "from time import time as now"}, "from clock import now", "now()"),
        ({"clock.py": "import time"}, "from clock import time as t", "t.time()"),
        (
            {"pkg/__init__.py": "", "pkg/clock.py": "import time\ndef now(): time.time()"},
            "import pkg.clock",
            "pkg.clock.now()",
        ),
        (
            {"pkg/__init__.py": "", "pkg/clock.py": "import time\ndef now(): time.time()"},
            "from pkg import clock",
            "clock.now()",
        ),
        (
            {"pkg/__init__.py": "from .clock import now", "pkg/clock.py": "from time import time as now"},
            "import pkg",
            "pkg.now()",
        ),
        ({"pkg/clock.py": "import time\ndef now(): time.time()"}, "from pkg.clock import now", "now()"),
        ({"pkg/clock.py": "import time\ndef now(): time.time()"}, "from pkg import clock", "clock.now()"),
        (
            {"src/pkg/__init__.py": "", "src/pkg/clock.py": "import time\ndef now(): time.time()"},
            "from pkg.clock import now",
            "now()",
        ),
        (
            {"a.py": "from b import now", "b.py": "from a import now\ndef now():\n    import time\n    time.time()"},
            "import a",
            "a.now()",
        ),
    ],
)
def test_imports_are_followed(files: dict[str, str], text: str, call: str, sources: Sources) -> None:
    for name, content in files.items():
        sources.write(name, content)
    assert sources.codes(f"{text}\n{FLOW}{call}") == ["DX101"]


def test_relative_imports_are_followed(sources: Sources) -> None:
    sources.write("pkg/__init__.py", "")
    sources.write("pkg/clock.py", "import time\ndef now():\n    return time.time()\n")
    sources.write("pkg/inner/__init__.py", "")
    imports = "from ..clock import now\nfrom .. import clock\n\n"
    sources.write("pkg/inner/flow.py", f"{imports}@bp.orchestrator\nasync def flow(ctx):\n    now()\n    clock.now()\n")
    assert [finding.path for finding in sources.report().findings] == ["pkg/clock.py"]


def test_a_module_of_the_library_is_not_mistaken_for_a_neighbour_in_a_package(sources: Sources) -> None:
    sources.write("pkg/__init__.py", "")
    sources.write("pkg/time.py", "def time():\n    return 3\n")
    sources.write("pkg/flow.py", "import time\n\n@bp.orchestrator\nasync def flow(ctx):\n    time.time()\n")
    assert [finding.code for finding in sources.report().findings] == ["DX101"]


def test_a_file_that_is_not_linted_is_not_followed(sources: Sources) -> None:
    sources.write("clock.py", "import time\ndef now():\n    return time.time()\n")
    app = sources.write("app.py", "import clock\n\n@app.orchestrator\nasync def flow(ctx):\n    clock.now()\n")
    assert sources.report(app).findings == ()
    assert len(sources.report().findings) == 1


@pytest.mark.parametrize(
    "call",
    [
        "await ctx.call_activity(stamp, 1)",
        "await ctx.call_activity('stamp', 1)",
        "await ctx.call_sub_orchestrator(stamp, 1)",
        "value.stamp()",
        "stamp = value\n    stamp()",
        "clock = Clock()\n    clock = value\n    clock.stamp()",
        "Clock.other(value)",
    ],
)
def test_what_runs_elsewhere_is_not_followed(call: str, sources: Sources) -> None:
    other = "    @staticmethod\n    def other(self):\n        self.stamp()\n"
    clock = f"class Clock:\n{other}    def stamp(self):\n        stamp(3)"
    text = f"import time\ndef stamp(value):\n    return time.time()\nALL = [stamp]\n{clock}\n{FLOW}{call}"
    assert sources.codes(text) == []


def test_a_function_that_calls_itself_ends(sources: Sources) -> None:
    text = "import time\nasync def again(ctx):\n    time.time()\n    await again(ctx)\n" + FLOW + "await again(ctx)"
    assert sources.codes(text) == ["DX101"]


def test_a_function_reached_from_several_is_reported_once(sources: Sources) -> None:
    text = (
        "import time\ndef now():\n    time.time()\n@app.orchestrator\nasync def other(ctx):\n    now()\n"
        + FLOW
        + "now()"
    )
    assert sources.codes(text) == ["DX101"]


def test_the_shortest_way_is_shown(sources: Sources) -> None:
    text = "import time\ndef now():\n    time.time()\ndef far():\n    now()\n" + FLOW + "far()\n    now()"
    (finding,) = sources.findings(text)
    assert [place.function for place in finding.via] == ["flow", "now"]


def test_what_is_defined_within_an_orchestrator_belongs_to_it(sources: Sources) -> None:
    text = "import time\n" + FLOW + "def now():\n        return time.time()\n    return now() + (lambda: time.time())()"
    findings = sources.findings(text)
    assert [finding.code for finding in findings] == ["DX101", "DX101"]
    assert {len(finding.via) for finding in findings} == {1}
