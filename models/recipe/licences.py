"""Write down what the shipped model learned from, and under which licences.

python models/recipe/licences.py OUT.txt --notes FOLDER ... --held SOURCE ... --fonts FILE ...
    --fonts-file LICENCES.txt --folders OTHERS MUSIC
"""

import argparse
import csv
from pathlib import Path

HERE = Path(__file__).parent
DEBIAN = {
    "FluidR3_GM.sf2": "MIT. Fluid (R3) by Frank Wen, 2000-2002, 2008 (Debian fluid-soundfont-gm)",
    "MuseScore_General_Full.sf2": (
        "MIT. MuseScore_General by S. Christian Collins, after Fluid by Frank Wen and others "
        "(Debian musescore-general-soundfont-lossless)"
    ),
    "Black_Pearl_4_LV2.sf2": (
        "CC BY-SA 3.0. The Black Pearl by Glen MacArthur (Debian avldrums.lv2-soundfont)"
    ),
    "Red_Zeppelin_4_LV2.sf2": (
        "CC BY-SA 3.0. Red Zeppelin by Glen MacArthur (Debian avldrums.lv2-soundfont)"
    ),
}
"""Of the SoundFonts that Debian packages hold, as their copyright files say."""


def rows(folder: Path) -> list[dict[str, str]]:
    """The manifest of a folder."""
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def listed(found: list[dict[str, str]]) -> list[str]:
    """One line for each source, licence and attribution."""
    lines = {
        f"- {row['source']} ({row['licence']}): {row['attribution']}".rstrip(": ") for row in found
    }
    return sorted(lines)


def main() -> None:
    """Read the arguments and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--notes", type=Path, nargs="+")
    parser.add_argument("--held", nargs="*", default=[])
    parser.add_argument("--fonts", type=Path, nargs="+")
    parser.add_argument("--fonts-file", type=Path)
    parser.add_argument("--folders", type=Path, nargs=2, metavar=("OTHERS", "MUSIC"))
    asked = parser.parse_args()
    told = dict(line.split(": ", 1) for line in asked.fonts_file.read_text("utf-8").splitlines())
    fonts = [f"- {font.name}: {(DEBIAN | told)[font.name]}" for font in asked.fonts]
    notes = [
        row for folder in asked.notes for row in rows(folder) if row["source"] not in asked.held
    ]
    others, music = ([r for r in rows(each) if r["split"] == "train"] for each in asked.folders)
    parts = [
        (HERE / "licences.head.txt").read_text("utf-8").rstrip(),
        "Recordings of notes:\n" + "\n".join(listed(notes)),
        "SoundFonts, on which music was rendered:\n" + "\n".join(sorted(fonts)),
        "Speech, noise and other sounds without instruments (Debian packages, by name):\n"
        + "\n".join(listed(others)),
        "Music without labels, of which the network learned only to say what its start says\n"
        "(Debian packages, by name):\n" + "\n".join(listed(music)),
        (HERE / "licences.foot.txt").read_text("utf-8").rstrip(),
    ]
    asked.out.write_text("\n\n".join(parts) + "\n", "utf-8")


if __name__ == "__main__":
    main()
