"""Every command and every block of Python in the pages does what the page says.

Each is run where it can be, in a scene of real sound, labels and servers (``doc_scene``). What
can't be is in ``NOT_RUN``, with the reason, and is held to what can be known of it: verbs, options,
scripts and their arguments, extras, targets. A command that is known in neither way fails, and so
does an entry of a table that speaks of no command.
"""

import os
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from doc_pages import ROOT, Code, Command, File, items, pages, read
from doc_run import Apart, LackingError, Reader, Rules, says_the_same
from doc_scene import Scene, World
from doc_seen import (
    see_debian,
    see_docker,
    see_launcher,
    see_names,
    see_nothing,
    see_packages,
    see_script,
    see_shell_script,
    see_target,
    see_tests,
    see_verb,
    see_verb_whole,
)
from hub_server import serving
from loopback import Server

NOT_RUN = (
    Apart(r"(sudo )?apt-get install ", "changes the machine", see_debian),
    Apart(r"apt-get download .*|dpkg-deb ", "asks Debian's servers for music", see_nothing),
    Apart(
        r"(\.venv/bin/)?pip install ", "benchmarks/install_matrix.py installs it all", see_packages
    ),
    Apart(r"python3 -m venv |python -m build|uv pip check", "the same", see_nothing),
    Apart(r"docker ", "needs an engine", see_docker),
    Apart(r"beet ", "tests/test_beets.py, with beets installed", see_nothing),
    Apart(r"make \w+$", "targets; continuous integration runs the first", see_target),
    Apart(r"python benchmarks/", "measures for minutes to hours", see_script),
    Apart(r"python \w+\.py ", "measures for hours (benchmarks/rendered)", see_script),
    Apart(r"python models/", "gathers and judges for hours", see_script),
    Apart(r"models/recipe/make.sh ", "teaches the shipped model for a day", see_shell_script),
    Apart(r"python docs/pictures/", "takes pictures in a browser", see_script),
    Apart(r"accelerate launch --multi_gpu ", "needs several GPUs", see_launcher),
    Apart(r"\.venv-dev/bin/python -m pytest ", "these tests run them all", see_tests),
    Apart(r"timbretree .*\bsolos", "tests/test_extend.py, with the plugin installed", see_verb),
    Apart(
        r"timbretree .*(softmax|tiny|clips\.jsonl|lrc)",
        "tests/test_contributing.py, with what the page adds installed",
        see_verb,
    ),
    Apart(r"timbretree .* --engine ray", "tests/test_cluster.py starts a Ray", see_verb_whole),
    Apart(r"(?s)from .*address=\"head:6379\"", "the same", see_names),
)  # fmt: skip

SMALL_STUDY = "--backbone mn04 --frozen --methods flat,resatt --lambdas .8 --seeds 1 --epochs 1"
ADDED = (
    (r"timbretree train (?!.*--frozen( |$))", "--epochs 1", "an epoch instead of thirty"),
    (r"timbretree reproduce ", SMALL_STUDY, "two rows of Table 1, a run each"),
    (r"timbretree reproduce .*(--back|--prec)", "--plan", "other lines run the same to its end"),
    (r"timbretree render ", "--clips 72 {fonts}", "as few, on SoundFonts of a few kilobytes"),
    (r"timbretree serve", "--port 0", "any port that is free"),
    (r"tensorboard ", "--port 0", "the same"),
    (r"python examples/make_example", "--soundfont {gm}", "a SoundFont of a few kilobytes"),
)
"""What is added to commands that are run, and why; the last word of an option counts."""

RULES = Rules(NOT_RUN, ADDED)
FOUND = {page.relative_to(ROOT).as_posix(): items(page) for page in pages()}
TEXTS = [item.text for found in FOUND.values() for item in found]
EACH = [
    pytest.param(page, place, id=f"{item.where} {getattr(item, 'text', '')[:40]!r}")
    for page, found in FOUND.items()
    for place, item in enumerate(found)
]

Outcomes = Callable[[str], list[Exception | None]]


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, mini_openmic: Callable[..., Path]
) -> Iterator[World]:
    with serving() as hub, Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        found = World(tmp_path_factory.mktemp("world"), server, hub)
        found.build(mini_openmic(train=24, test=12, seconds=1.0))
        yield found
        server.shutdown()


@pytest.fixture(scope="module")
def bare(world: World) -> Scene:
    return world.scene("bare")


@pytest.fixture(scope="module")
def outcomes(world: World, request: pytest.FixtureRequest) -> Iterator[Outcomes]:
    """What came of each thing on a page; those that are asked for are read two at a time."""
    told = [getattr(item, "callspec", None) for item in request.session.items]
    asked = {each.params.get("page") for each in told if each}

    def follow(page: str) -> list[Exception | None]:
        return Reader(world.scene(page.replace("/", "-")), RULES).follow(FOUND[page])

    with ThreadPoolExecutor(2) as pool:
        running: dict[str, Future[list[Exception | None]]] = {
            page: pool.submit(follow, page) for page in FOUND if page in asked
        }
        yield lambda page: running[page].result()
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize(("page", "place"), EACH)
def test_it_does_what_the_page_says(page: str, place: int, outcomes: Outcomes) -> None:
    error = outcomes(page)[place]
    if isinstance(error, LackingError) and os.environ.get("CI") != "true":
        pytest.skip(str(error))
    assert error is None, f"{FOUND[page][place].where}: {error}"


@pytest.mark.parametrize("pattern", [rule.pattern for rule in NOT_RUN] + [row[0] for row in ADDED])
def test_every_entry_of_the_tables_speaks_of_a_command(pattern: str) -> None:
    assert any(re.match(pattern, text) for text in TEXTS)


PAGE = """\
# Ours

Say `timbretree tag
song.mp3`, or only `timbretree tag`; `song.mp3` is no command.

```sh
timbretree scan ~/Music && timbretree find "a # b"   # what is new; && where
timbretree tag \\
    song.mp3
```

1. A list:

   ```
   $ timbretree methods | head -1
   flat  Fig. 2
   ...
   ```

```
file,piano
a.wav,1
```

    make check

``` yaml title="tree.yaml"
name: mine
```

```python
print(1)
```
"""


def test_what_a_page_holds_is_found() -> None:
    assert read(PAGE, "x.md") == [
        Command("x.md", 3, "timbretree tag song.mp3", inline=True),
        Command("x.md", 4, "timbretree tag", inline=True),
        Command("x.md", 7, "timbretree scan ~/Music"),
        Command("x.md", 7, 'timbretree find "a # b"'),
        Command("x.md", 8, "timbretree tag song.mp3"),
        Command("x.md", 15, "timbretree methods | head -1", "flat  Fig. 2\n..."),
        Command("x.md", 25, "make check"),
        File("x.md", 28, "tree.yaml", "name: mine\n"),
        Code("x.md", 32, "print(1)\n"),
    ]


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ('timbretree export run mine.onnx --licence "CC BY 4.0"', True),
        ("TIMBRETREE_LIBRARY=my.db timbretree find http://127.0.0.1/api/ID", True),
        ("timbretree export run mine.onnx --licence MIT", True),
        ("timbretree scan DIR", False),
        ("python models/recipe/windows.py NETWORK.pt", False),
        ("python benchmarks/precision.py a.wav ...", False),
    ],
)
def test_what_stands_for_something_else(text: str, whole: bool) -> None:
    assert Command("x.md", 1, text).whole == whole


@pytest.mark.parametrize(
    ("printed", "same"),
    [
        ("1 file: piano 91%\nthen\nmore\nends at 11.26 s\n", True),
        ("1 file: piano 90%\nends at 11.25 s\n", True),
        ("2 file: piano 91%\nends at 11.25 s\n", False),
        ("1 file: piano 71%\nends at 11.25 s\n", False),
        ("1 file: piano 91%\nends at 13.75 s\n", False),
        ("1 file: organ 91%\nends at 11.25 s\n", False),
        ("1 file: piano 91%\n", False),
    ],
)
def test_what_is_shown_is_what_is_printed(printed: str, same: bool) -> None:
    assert says_the_same("1 file: piano 91%\n...\nends at 11.25 s", printed) == same


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("frobnicate", "nothing is known of frobnicate"),
        ("timbretree tga song.mp3", "no verb 'tga'"),
        ("timbretree tag song.mp3 --fromat json", "No such option: --fromat"),
        ("timbretree tag FILES --fromat NAME", "tag has no option --fromat"),
        ("timbretree tag gone.mp3", "ended with 1"),
        ("python examples/gone.py", "ended with 2"),
        ("python benchmarks/gone.py", "there is no benchmarks/gone.py"),
        ("python benchmarks/mel.py --fast", "--fast"),
        ("pip install 'timbretree[sereve]'", "sereve"),
        ("make tset", "tset"),
        ("curl http://127.0.0.1:8765/", "starts no server"),
        ("$ timbretree --version\n9.9.9", "the page shows"),
    ],
)
def test_what_is_wrong_on_a_page_is_noticed(line: str, told: str, bare: Scene) -> None:
    (error,) = Reader(bare, RULES).follow(read(f"```sh\n{line}\n```", "x.md"))
    assert told in str(error)


def test_wrong_python_on_a_page_is_noticed(bare: Scene) -> None:
    page = read("```python\nfrom timbretree import Taggre\n```", "x.md")
    (error,) = Reader(bare, RULES).follow(page)
    assert "Taggre" in str(error)
