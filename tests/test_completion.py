"""The Tab key in bash, zsh and fish: verbs, options and the values that have names."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from timbretree.backbones import BACKBONES
from timbretree.cli import VERBS, offering
from timbretree.fetch import RESOURCES
from timbretree.methods import METHODS
from timbretree.taxonomy import BUILT_IN
from timbretree.writers import WRITERS

BIN = Path(sys.executable).parent
COMMAND = BIN / "timbretree"


def run(*words: str, **also: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *words], capture_output=True, text=True, check=False, env={**os.environ, **also}
    )


def bash(*words: str) -> list[str]:
    """What bash is told when Tab is pressed at the end of the last word."""
    typed = {"COMP_WORDS": "\n".join(("timbretree", *words)), "COMP_CWORD": str(len(words))}
    return run(_TIMBRETREE_COMPLETE="complete_bash", **typed).stdout.split()


def test_every_verb_is_offered() -> None:
    assert bash("") == [verb.__name__ for verb in VERBS]
    assert bash("in") == ["info", "inscribe"]


def test_options_are_offered() -> None:
    assert {"--format", "--taxonomy", "--out"} <= set(bash("tag", "--"))
    assert bash("serve", "--to") == ["--token"]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("tag", "--format", ""), WRITERS),
        (("tag", "--taxonomy", ""), BUILT_IN),
        (("train", "--taxonomy", ""), BUILT_IN),
        (("train", "--method", ""), METHODS),
        (("reproduce", "--methods", "g"), [name for name in METHODS if name.startswith("g")]),
        (("train", "--backbone", ""), BACKBONES),
        (("train", "--device", "c"), ["cpu"]),
        (("evaluate", "--split", ""), ["test", "valid", "train"]),
        (("fetch", ""), RESOURCES),
    ],
)
def test_values_with_names_are_offered(words: tuple[str, ...], offered: list[str]) -> None:
    assert bash(*words) == list(offered)


def test_where_a_file_is_expected_the_shell_offers_files() -> None:
    assert bash("tag", "") == bash("tag", "--model", "") == bash("tag", "--taxonomy", "./") == []


def test_the_names_are_those_of_the_package() -> None:
    assert offering.TAXONOMY_NAMES == BUILT_IN
    assert tuple(METHODS) == offering.METHOD_NAMES
    assert tuple(BACKBONES) == offering.BACKBONE_NAMES
    assert tuple(RESOURCES) == offering.RESOURCE_NAMES


def test_no_name_takes_long_to_be_offered() -> None:
    """Tab must not load torch or numpy."""
    code = (
        "import sys\n"
        "sys.argv = ['timbretree']\n"
        "try: __import__('timbretree.cli').cli.main()\n"
        "finally: assert not {'torch', 'numpy'} & set(sys.modules)"
    )
    typed = {"COMP_WORDS": "timbretree\ntrain\n--method\n", "COMP_CWORD": "3"}
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False,
        env={**os.environ, "_TIMBRETREE_COMPLETE": "complete_bash", **typed},
    )  # fmt: skip
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.split() == list(METHODS)


def test_bash_itself_completes() -> None:
    """The script is sourced, and Tab pressed after ``timbretree tag --format js``."""
    script = run(_TIMBRETREE_COMPLETE="source_bash").stdout
    ask = (
        "COMP_WORDS=(timbretree tag --format js); COMP_CWORD=3\n"
        '$(complete -p timbretree | sed "s/.*-F \\([^ ]*\\) .*/\\1/") timbretree\n'
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", f"{script}\n{ask}"], capture_output=True, text=True, check=False,
        env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.stdout.split() == ["json", "jsonl"], done.stderr


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_scripts_that_ask_the_command(shell: str) -> None:
    script = run(_TIMBRETREE_COMPLETE=f"source_{shell}").stdout
    assert f"_TIMBRETREE_COMPLETE=complete_{shell}" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n", "-c", script], check=True)
    also = {"_TYPER_COMPLETE_ARGS": "timbretree tag --format js"}
    also |= {"_TYPER_COMPLETE_FISH_ACTION": "get-args", "_TIMBRETREE_COMPLETE": f"complete_{shell}"}
    told = run(**also).stdout
    assert "json" in told
    assert "jsonl" in told
    assert "csv" not in told


def test_it_is_shown_and_installed_for_the_shell_that_asks(tmp_path: Path) -> None:
    ask = f"{COMMAND} --show-completion; {COMMAND} --install-completion; true"
    done = subprocess.run(
        ["bash", "--norc", "-c", ask], capture_output=True, text=True, check=False,
        env={**os.environ, "HOME": str(tmp_path)},
    )  # fmt: skip
    shown = run(_TIMBRETREE_COMPLETE="source_bash").stdout.strip()
    assert done.stdout.startswith(shown), done.stderr
    (script,) = (tmp_path / ".bash_completions").iterdir()
    assert str(script) in (tmp_path / ".bashrc").read_text("utf-8")


def test_a_shell_that_is_unknown_is_refused() -> None:
    done = run(_TIMBRETREE_COMPLETE="source_tcsh")
    assert (done.returncode, done.stdout) == (1, "")
    assert "tcsh not supported" in done.stderr
