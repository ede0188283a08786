"""What each extra is for, tried once in the environment that runs this.

    ENVIRONMENT/bin/python benchmarks/install_smokes.py FOLDER EXTRA [EXTRA ...]

FOLDER holds what is made, and wanted.json: what ``timbretree tag --format json`` says elsewhere of
the example. Only what the extra brings is imported; ``timbretree`` is the
command beside this Python. Ends with exit code 1 and says why where something does not work.
"""

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "ode_to_joy.ogg"
WANTED = "wanted.json"
COMMAND = Path(sys.executable).with_name("timbretree")


def run(*words: object, **also: str) -> str:
    """What the command prints; it must end well."""
    done = subprocess.run(
        [COMMAND, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **also},
    )
    if done.returncode:
        raise SystemExit(f"timbretree {words[0]}: {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def heard(*words: object) -> dict[str, float]:
    """The probabilities of one file."""
    return tags_of(json.loads(run("tag", "--format", "json", *words)))


def tags_of(line: dict) -> dict[str, float]:
    """The probabilities in a line of JSON that says all went well."""
    assert line["status"] == "ok", line
    return {each["tag"]: each["probability"] for each in line["tags"]}


def alike(found: dict[str, float], wanted: dict[str, float], tolerance: float) -> None:
    """Refuse other tags, or probabilities further apart."""
    assert set(found) == set(wanted), found
    furthest = max(abs(found[tag] - wanted[tag]) for tag in wanted)
    assert furthest <= tolerance, f"probabilities differ by {furthest}"


def base(folder: Path) -> None:
    """The example's tags are those of the developers' environment; page and library work, too."""
    wanted = folder.parent / WANTED
    alike(heard(EXAMPLE), tags_of(json.loads(wanted.read_text("utf-8"))), 0.001)
    run("doctor")
    (folder / "page").mkdir()
    run("tag", EXAMPLE, "--format", "html", "--out", folder / "page")
    run("scan", EXAMPLE.parent, "--library", folder / "library.db")
    assert "ode_to_joy" in run("find", "piano", "--library", folder / "library.db")


def formats(folder: Path) -> None:
    """An m4a is heard almost like what it was made of."""
    import av

    path = folder / "song.m4a"
    with av.open(str(EXAMPLE)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream("aac", rate=44_100)
        stream.bit_rate = 192_000
        for frame in source.decode(audio=0):
            frame.pts = None
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    alike(heard(path), heard(EXAMPLE), 0.2)


def parquet(folder: Path) -> None:
    """A table that pyarrow reads again."""
    import pyarrow.parquet

    run("tag", EXAMPLE, "--out", folder / "tags.parquet")
    names = pyarrow.parquet.read_table(folder / "tags.parquet").column("name").to_pylist()
    assert {"piano", "drums"} <= set(names), names


def tags(folder: Path) -> None:
    """Instruments written into a copy, and taken out again to the byte."""
    import mutagen

    copy = folder / "copy.ogg"
    copy.write_bytes(EXAMPLE.read_bytes())
    run("inscribe", copy, "--write")
    assert "piano" in mutagen.File(copy)["INSTRUMENTS"]
    run("inscribe", copy, "--undo")
    assert copy.read_bytes() == EXAMPLE.read_bytes()


def serve(folder: Path) -> None:
    """A server that is well, shows its page, hears an upload and ends when told."""
    server = subprocess.Popen(
        [COMMAND, "serve", "--port", "0", "--jobs", "1"], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    address = server.stdout.readline().strip().rstrip("/")
    try:
        assert ask(f"{address}/api/health")["status"] == "ok"
        assert b"</html>" in fetch(address)
        job = ask(f"{address}/api/jobs", EXAMPLE.read_bytes())
        while job["state"] not in ("done", "failed"):
            time.sleep(0.1)
            job = ask(f"{address}/api/jobs/{job['id']}")
        assert job["state"] == "done", job
    finally:
        server.terminate()
    assert server.wait(30) == 0


def ask(address: str, body: bytes | None = None) -> dict:
    """An answer in JSON."""
    return json.loads(fetch(address, body))


def fetch(address: str, body: bytes | None = None) -> bytes:
    """An answer, of this machine."""
    request = urllib.request.Request(address, body, {"Timbretree-Client": "smoke"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
        return answer.read()


def cluster(folder: Path) -> None:
    """The example through a Ray job on this machine."""
    out = folder / "ray.jsonl"
    run("tag", EXAMPLE, "--engine", "ray", "--out", out, RAY_USAGE_STATS_ENABLED="0")
    alike(tags_of(json.loads(out.read_text("utf-8"))), heard(EXAMPLE), 0.001)


def hub(folder: Path) -> None:
    """The shipped model pushed to a stand-in on loopback, and pulled from it."""
    sys.path.insert(0, str(ROOT / "tests"))
    from hub_server import TOKEN, serving
    from timbretree.modelfile import SHIPPED

    with serving() as stand_in:
        there = {"HF_ENDPOINT": stand_in.address, "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_XET": "1"}
        there["HF_HOME"] = str(folder / "hub")
        run("push", SHIPPED, "somebody/ears", **there)
        run("pull", "somebody/ears", "--out", folder / "ears.onnx", **there)
    assert (folder / "ears.onnx").read_bytes() == SHIPPED.read_bytes()


def render(folder: Path) -> None:
    """Three clips on a SoundFont of sines."""
    sys.path.insert(0, str(ROOT / "tests"))
    import tinyfont

    font = tinyfont.write_font(folder / "tiny.sf2", tinyfont.ALL)
    run("render", folder / "rendered", "--clips", 3, "--soundfont", font, "--jobs", 1)
    assert len([*(folder / "rendered" / "audio").rglob("*.ogg")]) == 3


def train(folder: Path) -> None:
    """A network learns two tones for an epoch, becomes a model file, and tags."""
    import numpy as np
    import soundfile

    rows = ["file,split,low,high"]
    noise = np.random.default_rng(0)
    for number in range(12):
        high = number % 2
        wave = 0.3 * np.sin(2 * np.pi * (150, 3000)[high] * np.arange(16_000) / 16_000)
        soundfile.write(folder / f"{number}.wav", wave + noise.normal(0, 0.01, 16_000), 16_000)
        rows.append(f"{number}.wav,{'valid' if number > 7 else 'train'},{1 - high},{high}")
    (folder / "table.csv").write_text("\n".join(rows), "utf-8")
    (folder / "tree.json").write_text('{"name": "toy", "groups": {"all": ["low", "high"]}}')
    table, model = folder / "table.csv", folder / "toy.onnx"
    best = run(
        "train", table, folder / "run", "--taxonomy", folder / "tree.json", "--epochs", 1,
        "--warmup", 0, "--batch", 4, "--backbone", "mn04", "--start", "none", "--device", "cpu",
    ).strip()  # fmt: skip
    run("export", best, model, "--int8", table)
    run("evaluate", model, table, "--split", "valid", "--out", folder / "scores")
    assert set(heard(folder / "0.wav", "--model", model)) == {"low", "high"}


def docs(folder: Path) -> None:
    """The site is built, and every link in it leads somewhere."""
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", folder / "site"],
        cwd=ROOT,
        check=True,
    )


SMOKES = {
    each.__name__: each
    for each in (base, formats, parquet, tags, serve, cluster, hub, render, train, docs)
}
"""By the names of the extras."""


def main() -> None:
    """Try those that are named."""
    folder = Path(sys.argv[1])
    for name in sys.argv[2:]:
        place = folder / name
        place.mkdir(parents=True)
        began = time.monotonic()
        SMOKES[name](place)
        print(f"{name}: works, {time.monotonic() - began:.1f} s", flush=True)


if __name__ == "__main__":
    main()
