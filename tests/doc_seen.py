"""What can be known of a command without running it: of its verb, its script, what it names."""

import ast
import inspect
import os
import re
import shlex
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import typer
from packaging.requirements import Requirement

from doc_pages import ROOT, SHELL_WORD, Code, Command
from timbretree import cli

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def verbs() -> Any:
    """The command line, as ``timbretree.cli.main`` makes it."""
    app = typer.Typer()
    app.callback(invoke_without_command=True)(cli.root)
    for verb in cli.VERBS:
        app.command()(verb)
    return typer.main.get_command(app)


VERBS = verbs()


def words(text: str) -> list[str]:
    """The first command of a pipe as a shell splits it, without what sets variables."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="|<>&;")
    lexer.whitespace_split, lexer.commenters = True, ""
    found: list[str] = []
    for word in lexer:
        if set(word) <= set("|<>&;"):
            break
        if found or not re.match(r"[A-Z_]+=", word):
            found.append(word if found else word.removeprefix(".venv/bin/"))
    return found


def programs(text: str) -> list[str]:
    """What is started by each part of a pipe."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="|<>&;")
    lexer.whitespace_split, lexer.commenters = True, ""
    told = ["|", *lexer]
    return [after for bar, after in pairwise(told) if bar == "|"]


def with_words(text: str, added: str) -> str:
    """A line with more words at the end of its first command."""
    place = 0
    for word in SHELL_WORD.findall(text):
        if word in ("|", ">", "<"):
            break
        place += len(word)
    return f"{text[:place].rstrip()} {added} {text[place:]}".strip()


def options_of(verb: str) -> set[str]:
    assert verb in VERBS.commands, f"timbretree has no verb {verb!r}"
    return {name for each in VERBS.commands[verb].params for name in each.opts} | {"--help"}


def given(text: str) -> dict[str, Any]:
    """What a complete command of timbretree says to its verb; fails where the verb refuses it."""
    verb, *rest = words(text)[1:]
    options_of(verb)
    return dict(VERBS.commands[verb].make_context(verb, rest).params)


def names_operands(text: str) -> bool:
    """Whether a command of timbretree says what it is about, where its verb asks for that."""
    verb, *rest = words(text)[1:] or ["--help"]
    if verb.startswith("-"):
        return True
    options_of(verb)
    sub = VERBS.commands[verb]
    operands = [each.name for each in sub.params if each.param_type_name == "argument"]
    told = sub.make_context(verb, rest, resilient_parsing=True).params
    return not operands or any(told.get(name) for name in operands)


def is_spoken_of(command: Command) -> bool:
    """Whether a page only speaks of a verb or an option, or leaves words to the reader."""
    if words(command.text)[0] != "timbretree":
        return False
    return not command.whole or (command.inline and not names_operands(command.text))


def see_verb(command: Command, where: Path) -> None:
    """A verb and options that are spoken of are there."""
    verb, *rest = words(command.text)[1:]
    for word in rest:
        name = word.partition("=")[0]
        assert not name.startswith("-") or name in options_of(verb), f"{verb} has no option {name}"
    options_of(verb)


def see_verb_whole(command: Command, where: Path) -> None:
    """All that a command says is taken by its verb."""
    text = command.text[command.text.index("timbretree ") :]
    assert given(text)


STOPS_THERE = """
import argparse, runpy, sys
parse = argparse.ArgumentParser.parse_args
def stop(*each, **named):
    parse(*each, **named)
    print("taken")
    raise SystemExit(0)
argparse.ArgumentParser.parse_args = stop
sys.argv = sys.argv[1:]
sys.path.insert(0, sys.argv[0].rpartition("/")[0] or ".")
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Runs a script up to where its arguments are read, which must be taken."""


def see_script(command: Command, where: Path) -> None:
    """The script itself takes what it is told."""
    script, *rest = words(command.text)[1:]
    assert (where / script).is_file(), f"there is no {script}"
    if "argparse" not in (where / script).read_text("utf-8"):
        assert not [word for word in rest if word.startswith("-")], f"{script} has no options"
        return
    if command.inline and not rest:  # the page only speaks of it
        return
    rest = [word for word in rest if word != "..."]
    done = subprocess.run(
        [sys.executable, "-c", STOPS_THERE, script, *rest],
        cwd=where, capture_output=True, text=True, check=False, env=os.environ | {"CI": "true"},
    )  # fmt: skip
    assert done.stdout.endswith("taken\n"), done.stderr


def see_shell_script(command: Command, where: Path) -> None:
    """It is there, can be read by a shell, and takes as many words as are told."""
    script, *rest = words(command.text)
    text = (where / script).read_text("utf-8")
    subprocess.run(["bash", "-n", str(where / script)], check=True)
    assert os.access(where / script, os.X_OK)
    usage = next(line for line in text.splitlines() if script in line)
    assert len(rest) == len(usage.partition(script)[2].split())


def see_packages(command: Command, where: Path) -> None:
    """Each package is named as one can be; ours has the extras, and files are there."""
    told = words(command.text)
    told = told[told.index("install") + 1 :]
    while told:
        word = told.pop(0)
        if word in ("-c", "-r"):
            assert (ROOT / told.pop(0)).is_file()
        elif word in ("-e", "-q", "--quiet", "-U", "--upgrade"):
            continue
        elif ".whl" in word:
            wheel, _, extras = Path(word).name.partition("[")
            assert wheel == f"timbretree-{PROJECT['version']}-py3-none-any.whl"
            _see_extras(extras)
        elif "/" in word or word.startswith("."):
            path, _, extras = word.partition("[")
            assert (ROOT / path / "pyproject.toml").is_file(), f"{path} can't be installed"
            _see_extras(extras)
        else:
            package = Requirement(word)
            if package.name == "timbretree":
                _see_extras(",".join(package.extras))


def _see_extras(told: str) -> None:
    known = set(PROJECT["optional-dependencies"])
    unknown = set(filter(None, told.rstrip("]").split(","))) - known
    assert not unknown, f"there is no extra {', '.join(unknown)}"


def see_debian(command: Command, where: Path) -> None:
    """The names have the form of Debian's."""
    told = words(command.text)
    names = told[told.index("apt-get") + 2 :]
    assert names
    for name in names:
        assert re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", name), name


def see_target(command: Command, where: Path) -> None:
    """make knows what to do."""
    done = subprocess.run(
        ["make", "--dry-run", *words(command.text)[1:]],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def see_launcher(command: Command, where: Path) -> None:
    """The launcher has the options, and the verb takes the rest."""
    launcher, verb = words(command.text.partition(" -m ")[0]), command.text.partition(" -m ")[2]
    assert given(verb)
    program = Path(sys.executable).with_name(launcher[0])
    done = subprocess.run([program, launcher[1], "--help"], capture_output=True, text=True)
    for word in launcher[2:]:
        assert word in done.stdout, f"{launcher[0]} has no {word}"


def see_docker(command: Command, where: Path) -> None:
    """There is what an image is made of, and timbretree takes what it is told inside one."""
    assert (ROOT / "Dockerfile").is_file()
    told = words(command.text)
    inside = told[::-1][: told[::-1].index("timbretree")][::-1] if "timbretree" in told else []
    if inside and inside[0] in VERBS.commands:
        assert given(shlex.join(["timbretree", *inside]))


def see_tests(command: Command, where: Path) -> None:
    """The files of tests are there."""
    for word in words(command.text)[1:]:
        assert not word.startswith("tests/") or (ROOT / word).is_file(), f"there is no {word}"


def see_names(code: Code, where: Path) -> None:
    """What is imported is there, and takes what it is called with; so do the methods of what is
    opened by ``with``."""
    tree, known = ast.parse(code.text), dict[str, Any]()
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    exec(compile(ast.Module(imports, []), code.where, "exec"), known)
    opened = {
        item.optional_vars.id: known[item.context_expr.func.id]
        for node in ast.walk(tree)
        if isinstance(node, ast.With)
        for item in node.items
    }
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        plain = [None] * len(call.args)
        named = {each.arg: None for each in call.keywords}
        match call.func:
            case ast.Name(name) if name in known:
                inspect.signature(known[name]).bind(*plain, **named)
            case ast.Attribute(ast.Name(name), method) if name in opened:
                inspect.signature(getattr(opened[name], method)).bind(None, *plain, **named)


def see_nothing(command: Command, where: Path) -> None:
    """Nothing can be known of it here."""
