"""The verb that makes data sets of rendered music: render."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from timbretree.cli.progress import bar
from timbretree.cli.talk import interruptible, refuse, say

if TYPE_CHECKING:
    from timbretree.render.dataset import Rendered


def render(
    out: Annotated[Path, typer.Argument(help="A new folder, or one that was broken off.")],
    clips: Annotated[int, typer.Option(min=1, max=142_857, help="How many.")],
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="The same seed makes the same clips.")
    ] = 0,
    soundfont: Annotated[
        list[Path] | None,
        typer.Option(
            help="A SoundFont (.sf2, .sf3); several may be given (default: those installed).",
            show_default=False,
        ),
    ] = None,
    samples: Annotated[
        Path | None,
        typer.Option(help="A folder of recorded single notes, with a manifest.csv."),
    ] = None,
    complete: Annotated[
        bool, typer.Option("--complete", help="Label every tag of every clip, as it truly is.")
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1, help="Processes side by side (default: one a core).", show_default=False
        ),
    ] = None,
) -> None:
    """Render a data set of music in OpenMIC's form, whose whole truth is known.

    Ten-second clips with their labels, as few and as doubtful as OpenMIC's, and truth.csv: every
    instrument of every clip, for how long it sounds and how loud. Broken off at any moment, the
    same command goes on. Exit code 0: all went well; 2: it could not be done;
    130: Ctrl-C.
    """
    _need_rendering()
    from timbretree.render.clip import Materials
    from timbretree.render.dataset import Plan
    from timbretree.render.dataset import render as make
    from timbretree.render.scores.corpus import default_cache
    from timbretree.render.sounds.soundfont import installed

    fonts = tuple(soundfont or installed())
    if not fonts and samples is None:
        refuse("there is nothing to play on: name a SoundFont with --soundfont, or install some "
               "(on Debian: apt-get install fluid-soundfont-gm timgm6mb-soundfont)")  # fmt: skip
    try:
        plan = Plan(clips, Materials(fonts, samples, default_cache()), seed, complete)
        kept = "finished clips are kept: the same command goes on"
        with interruptible(kept), bar("rendering") as progress:
            rendered = make(plan, out, jobs=jobs, progress=progress.update)
    except (ValueError, OSError) as error:  # each says what to mend
        refuse(str(error))
    _tell(rendered)
    print(out)


def _tell(rendered: "Rendered") -> None:
    """Say what came of it."""
    truth, labels = rendered.truth, rendered.labels
    for font, tags in rendered.sounds.lacking.items():
        has = [tag for tag in truth.tags if tag not in tags]
        few = len(has) < len(tags)  # a drum kit, say
        say(f"{font} has presets for {', '.join(has) or 'no tag'}{' alone' * bool(has)}" if few else
            f"{font} has no preset for {', '.join(tags)}")  # fmt: skip
    silent = [tag for tag in truth.tags if not rendered.sounds.offered(tag, "train")]
    if silent:
        say(f"nothing plays {', '.join(silent)}: no clip has any")
    for tag, why in rendered.sounds.shared.items():
        if tag not in silent:
            say(f"{tag} is not kept apart in train and test: {why}")
    for tag, lender in rendered.sounds.borrowed.items():
        say(f"{tag} is made of recordings of {lender}: its SoundFonts have none of its own")
    for each in rendered.shortfalls:
        what = "present" if each.present else "absent"
        say(f"{each.tag}, {each.split}: {each.got} labels say {what}, in OpenMIC {each.wanted}")
    say(
        f"{len(truth.keys)} clips, {truth.present.sum(axis=1).mean():.2f} instruments each; "
        f"{labels.mask.sum() / len(truth.keys):.2f} labels each, "
        f"{labels.target[labels.mask].mean():.0%} of them present, {rendered.noise:.1%} untrue"
    )


def _need_rendering() -> None:
    """Refuse where music21 or FluidSynth's binding is missing."""
    from importlib.util import find_spec

    if any(find_spec(name) is None for name in ("music21", "fluidsynth", "platformdirs")):
        refuse("rendering needs more than tagging: pip install 'timbretree[render]'")
