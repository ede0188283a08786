"""The walls of the house: which room may import which, and what must stay out."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "timbretree"

FLOORS = {
    "ground": {
        *(
            "labels",
            "taxonomy",
            "reasons",
            "decoders",
            "audio",
            "fourier",
            "melspec",
            "metrics",
            "scores",
        ),
        *("bands", "calibration", "files", "claim", "cores", "workers", "plugins", "lazily"),
    },
    "data sets": {"annotations", "rows", "npz", "tables", "openmic", "datasets", "render"},
    "network": {"frontend", "backbones", "heads", "model"},
    "product": {
        *("onnxbytes", "runtime", "modelfile", "tags", "hearing", "tagger"),
        *("spans", "writers", "inscribe"),
        *("batch", "cluster", "library", "web", "hub", "doctor"),
    },
    "learning": {
        *("rowfile", "decoding", "data", "material", "fetch"),
        *("objective", "methods", "losses", "train", "resume", "start", "session"),
        *("checkpoint", "evaluate", "export", "quantise"),
        *("figures", "figures_calibration", "experiment"),
    },
    "door": {"cli", "__init__", "__main__"},
}
BELOW = {
    "ground": set(),
    "data sets": {"ground"},
    "network": {"ground"},
    "product": {"ground"},
    "learning": {"ground", "data sets", "network", "product"},
    "door": {"ground", "data sets", "network", "product", "learning"},
}
NO_TORCH = FLOORS["ground"] | FLOORS["data sets"] | FLOORS["product"] | FLOORS["door"]


def files() -> dict[Path, str]:
    """Each source file with the room it is in."""
    return {
        path: path.relative_to(SOURCE).parts[0].removesuffix(".py")
        for path in sorted(SOURCE.rglob("*.py"))
    }


def imports(path: Path) -> list[tuple[str, bool]]:
    """The modules a file imports, anywhere in it, and whether on being imported itself."""
    tree = ast.parse(path.read_text("utf-8"))
    outer = set(
        ast.walk(
            ast.Module([n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)], [])
        )
    )
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(name.name, node in outer) for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: import by full name"
            below = [f"{node.module}.{name.name}" for name in node.names]
            found += [
                (name, node in outer)
                for name in (below if node.module == "timbretree" else [node.module])
            ]
    return found


def room(module: str) -> str:
    return [*module.split("."), "__init__"][1]


def floor(name: str) -> str:
    return next(floor for floor, rooms in FLOORS.items() if name in rooms)


def test_every_room_has_a_floor_and_every_floor_its_rooms() -> None:
    assert set(files().values()) == set().union(*FLOORS.values())


def test_the_page_on_the_house_tells_of_every_room() -> None:
    page = (SOURCE.parents[1] / "docs" / "architecture.md").read_text("utf-8")
    table = [line for line in page.splitlines() if line.startswith("|")]
    told = {
        floor: next(line for line in table if line.startswith(f"| {floor} |")) for floor in FLOORS
    }
    for floor, rooms in FLOORS.items():
        for name in rooms:
            assert re.search(rf"`{name}/?`", told[floor]), f"{name} is not told of on {floor}"


def test_a_floor_imports_only_floors_below() -> None:
    for path, here in files().items():
        for module, _ in imports(path):
            if module.split(".")[0] == "timbretree" and room(module) not in (here, "__version__"):
                there = floor(room(module))
                allowed = BELOW[floor(here)] | {floor(here)}
                assert there in allowed, f"{path.name} ({floor(here)}) imports {module} ({there})"


def test_there_is_no_circle() -> None:
    needs: dict[str, set[str]] = {}
    for path, here in files().items():
        ours = {room(module) for module, _ in imports(path) if module.startswith("timbretree.")}
        needs.setdefault(here, set()).update(ours - {here, "__version__"})
    while needs:
        free = {name for name, wanted in needs.items() if not wanted & set(needs)}
        assert free, f"a circle among {sorted(needs)}"
        needs = {name: wanted for name, wanted in needs.items() if name not in free}


def test_no_torch_outside_network_and_learning() -> None:
    for path, here in files().items():
        if here in NO_TORCH:
            names = {module.split(".")[0] for module, _ in imports(path)}
            assert not names & {"torch", "safetensors", "onnx", "sklearn"}, path


def test_the_command_line_imports_nothing_heavy_before_it_must() -> None:
    plain = {"os", "sys", "time", "enum", "pathlib", "typing", "collections", "contextlib", "typer"}
    plain |= {"dataclasses", "errno", "itertools", "signal", "threading", "types"}
    for path in (SOURCE / "cli").glob("*.py"):
        for module, on_import in imports(path):
            if on_import and not module.startswith("timbretree.cli."):
                assert module.split(".")[0] in plain, f"{path.name} imports {module}"


@pytest.mark.parametrize("gone", ["torch", "sklearn", "safetensors", "onnx", "iterstrat"])
def test_the_product_works_without(gone: str) -> None:
    code = (
        f"import sys; sys.modules[{gone!r}] = None\n"
        "import numpy, timbretree\n"
        "tagger = timbretree.Tagger()\n"
        "noise = numpy.random.default_rng(0).normal(0, .1, 8000)\n"
        "clip = timbretree.Clip(noise.astype('f'), 8000)\n"
        "assert tagger(clip).status == 'ok'\n"
        "loaded = {name for name, module in sys.modules.items() if module}\n"
        "assert not {'torch', 'onnx', 'scipy', 'pydantic'} & loaded"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_files_are_small_and_functions_short() -> None:
    for path in files():
        text = path.read_text("utf-8")
        assert text.count("\n") <= 300, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < 65, f"{path}: {node.name}"


def test_every_public_name_says_what_it_is() -> None:
    for path in files():
        tree = ast.parse(path.read_text("utf-8"))
        assert ast.get_docstring(tree), path
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{path}: {node.name}"
