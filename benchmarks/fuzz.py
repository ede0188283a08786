"""Mutated sound files of every kind through the decoder: no crash, no hang, no wrong word.

    python benchmarks/fuzz.py [--count 5000] [--seed 0] [--jobs 1] [--json benchmarks/fuzz.json]
    python benchmarks/fuzz.py --show SEED FILE

Each file is made from its number, so that whatever goes wrong can be made again: ``--show`` writes
the file of a seed. A child process decodes them; where it crashes, or says nothing for a minute,
or takes more than 2 GB, that is written down with the seed, and another goes on behind it. Last, a
FLAC of some 400 kB that unpacks to 22 GB (an hour of silence in eight channels at 192 kHz) is
decoded whole.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

PATIENCE = 60.0
"""Seconds that one file may take, on a machine that may be busy with other things."""
MEMORY = 2 << 30
"""Bytes that a child may take."""
FAULTS = ("crash", "hang", "raised", "wrong")


def listen(path: Path) -> dict[str, Any]:
    """Decode one file, and say how that went."""
    from timbretree.audio import LOUDEST, REASONS, AudioError, Recording

    try:
        with Recording(path, rate=16_000) as recording:
            count, peak = 0, 0.0
            for block in recording:
                count += len(block)
                peak = max(peak, float(np.abs(block).max(initial=0.0)))
            seconds, reason = recording.seconds, recording.reason
    except AudioError as error:
        return {"status": "failed", "reason": error.code}
    except Exception as error:
        return {"status": "raised", "reason": f"{type(error).__name__}: {error}"}
    right = peak < 2 * LOUDEST and abs(count / 16_000 - seconds) < 0.01 + 0.001 * seconds
    if not right or not (reason is None or reason in REASONS):
        return {"status": "wrong", "reason": f"{count} samples, {seconds} s, peak {peak}, {reason}"}
    return {"status": "partial" if reason else "ok", "reason": reason}


def work(first: int, last: int) -> None:
    """The child: say which file comes next, then how it went."""
    from mutations import mutated

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "song"
        for seed in range(first, last):
            name, content = mutated(seed)
            path.write_bytes(content)
            print(json.dumps({"seed": seed, "kind": name}), flush=True)
            began = time.perf_counter()
            said = listen(path)
            took = round(time.perf_counter() - began, 3)
            print(json.dumps({"seed": seed, "kind": name, "took": took, **said}), flush=True)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    left = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    print(json.dumps({"peak_mb": round(memory), "open_files": left}), flush=True)


def watch(first: int, last: int) -> list[dict[str, Any]]:
    """Have children decode the files of some seeds; each that is lost is replaced."""
    found: list[dict[str, Any]] = []
    while first < last:
        run = [sys.executable, __file__, "--work", str(first), str(last)]
        child = subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        lines: Queue[str | None] = Queue()
        threading.Thread(target=_hear, args=(child, lines), daemon=True).start()
        now: dict[str, Any] = {"seed": first, "kind": ""}
        fault = "crash"
        while True:
            try:
                line = lines.get(timeout=PATIENCE)
            except Empty:
                fault = "hang"
                child.kill()
                break
            if line is None:
                break
            if not line.startswith('{"'):  # native code that talks
                found.append({"seed": now["seed"], "said": line.strip()})
                continue
            now = json.loads(line)
            if "status" in now or "peak_mb" in now:
                found.append(now)
        child.wait()
        if "peak_mb" in now:
            break
        if "status" not in now:
            found.append({**now, "status": fault, "reason": f"exit status {child.returncode}"})
        first = now["seed"] + 1
    return found


def _hear(child: "subprocess.Popen[str]", lines: "Queue[str | None]") -> None:
    assert child.stdout is not None
    for line in child.stdout:
        lines.put(line)
    lines.put(None)


def unpack_bomb() -> dict[str, Any]:
    """Decode the FLAC that unpacks to 22 GB, in a process of its own."""
    from bad_audio import bomb

    code = (
        "import json, resource, sys, time; from timbretree.audio import Recording\n"
        "began = time.process_time()\n"
        "with Recording(sys.argv[1], rate=32000) as recording: count = sum(map(len, recording))\n"
        "peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n"
        "print(json.dumps({'seconds': round(recording.seconds), 'reason': recording.reason,"
        " 'cpu_s': round(time.process_time() - began, 1), 'peak_mb': round(peak)}))"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bomb.flac"
        path.write_bytes(bomb(3600))
        run = [sys.executable, "-c", code, str(path)]
        said = json.loads(subprocess.run(run, check=True, capture_output=True).stdout)
        return {"file_kb": path.stat().st_size // 1000, **said}


def summary(found: list[dict[str, Any]]) -> dict[str, Any]:
    """What came out, counted; with the seeds of whatever should not have."""
    import soundfile

    try:
        import av

        ffmpeg = f"PyAV {av.__version__}"
    except ImportError:
        ffmpeg = "no PyAV"
    files = [each for each in found if "status" in each]
    children = [each for each in found if "peak_mb" in each]
    slowest = max(files, key=lambda each: each.get("took", 0.0))
    counts = Counter(
        each["status"]
        if each["status"] in FAULTS
        else f"{each['status']} {each['reason'] or ''}".strip()
        for each in files
    )
    return {
        "files": len(files),
        "decoders": f"libsndfile {soundfile.__libsndfile_version__}, {ffmpeg}",
        "faults": [each for each in files if each["status"] in FAULTS],
        "counts": dict(sorted(counts.items())),
        "written_to_stdout_by_native_code": [each for each in found if "said" in each],
        "slowest": slowest,
        "peak_mb": max((each["peak_mb"] for each in children), default=None),
        "open_files_at_the_end": max((each["open_files"] for each in children), default=None),
    }


def main() -> int:
    """Read the arguments; decode; print what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--without-bomb", action="store_true")
    parser.add_argument("--show", nargs=2, metavar=("SEED", "FILE"))
    parser.add_argument("--work", nargs=2, type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work:
        work(*asked.work)
        return 0
    if asked.show:
        from mutations import mutated

        name, content = mutated(int(asked.show[0]))
        Path(asked.show[1]).write_bytes(content)
        print(f"{asked.show[1]}: {len(content)} bytes, once {name}; {listen(Path(asked.show[1]))}")
        return 0
    edges = np.linspace(asked.seed, asked.seed + asked.count, asked.jobs + 1).astype(int).tolist()
    with ThreadPoolExecutor(asked.jobs) as pool:
        parts = list(pool.map(watch, edges[:-1], edges[1:]))
    result = summary([each for part in parts for each in part])
    if not asked.without_bomb:
        result["bomb"] = unpack_bomb()
    print(json.dumps(result, indent=1))
    if asked.json:
        asked.json.write_text(json.dumps(result, indent=1) + "\n")
    return 1 if result["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
