"""The grooves of a drum kit on paper: one pattern for each thing that is struck.

A groove is text: letters of KIT, each before its pattern (see ``frame``), parted by ``;``. In the
patterns x is a stroke, X a loud one, g a soft one, r a roll that swells to the end of its stroke.
Each groove has both drums and cymbals, so that either sounds alone.
"""

DRUMS = {
    "k": 36,
    "K": 35,
    "s": 38,
    "e": 40,
    "r": 37,
    "c": 39,
    "t": 50,
    "u": 48,
    "v": 47,
    "w": 45,
    "f": 43,
    "F": 41,
}
"""General MIDI's keys: kicks, snares, the rim, claps, toms from high to low."""
CYMBALS = {
    "h": 42,
    "p": 44,
    "o": 46,
    "C": 49,
    "D": 57,
    "d": 51,
    "j": 59,
    "b": 53,
    "X": 52,
    "S": 55,
}
"""General MIDI's keys: hi-hat closed, by foot, open; crashes, rides, bell, china, splash."""

SHARED_TRIPLE = (
    "k:x. .. ..;s:.. X. X.;h:Xx xx xx",
    "k:x. .. .x;s:.. .. X.;d:x. x. x.;p:.. x. x.",
    "k:x. .x ..;r:.. x. x.;t:.. .. .x;h:x. xx x.",
)
SHARED_COMPOUND = (
    "k:x.. ..x;s:... X..;h:Xxx Xxx",
    "k:x.. ..x x.. .x.;s:... X.. ... X.g;d:Xxx Xxx;p:... x..",
    "k:x.. x..;r:..x ..x;w:... .xx;h:x.x x.x",
)

GROOVES: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "rock": (
        (
            "k:x. .. xx ..;s:.. X. .. X.;h:Xx Xx Xx Xx",
            "k:x. .x .x ..;s:.. X. .. X.;d:Xx Xx Xx Xx;p:.. x. .. x.",
            "k:x. .. .. .x;s:.. .. X. ..;C:X. x. x. x.|x. x. x. x.",
            "k:x. x. x. x.;f:xx .x xx .x;s:.. X. .. X.;p:x. x. x. x.;C:X. .. .. ..|.. .. .. ..",
            "k:x.x. .... x.x. ..x.;s:.... X..g .g.. X...;o:X.x. x.x. x.x. x.x.",
            "k:xx xx xx xx;e:.. X. .. X.;X:X. .. x. ..;j:x. x. x. x.",
        ),
        SHARED_TRIPLE,
        SHARED_COMPOUND,
    ),
    "pop": (
        (
            "k:x... .... x.x. ....;s:.... X... .... X...;h:Xgxg Xgxg Xgxg Xgxg",
            "k:x. .. x. ..;r:.. x. .. x.;h:xx xx xx xx",
            "k:x..x ..x. ..x. ....;s:.... X..g .g.. X...;c:.... X... .... X...;"
            "h:x.x. x.x. x.x. x...;o:.... .... .... ..x.",
            "k:x. x. x. x.;c:.. X. .. X.;w:.. .. .. .x;f:.. .. xx ..;h:.x .x .x .x",
            "k:x. .x x. ..;s:.. X. .. X.;d:x. xx x. xx;b:X. .. .. ..;p:.. x. .. x.",
        ),
        SHARED_TRIPLE,
        SHARED_COMPOUND,
    ),
    "electronic": (
        (
            "k:X... X... X... X...;c:.... X... .... X...;o:..x. ..x. ..x. ..x.",
            "k:X... X... X... X...;e:.... x... .... x..g;h:xgXg xgXg xgXg xgXg;"
            "o:..x. ..x. ..x. ..x.",
            "k:x.x. .... ..x. ....;s:.... X..g .g.. X..g;h:x.x. x.x. x.x. x.x.|x.xx x.x. xxx. x.xx",
            "k:x... ..x. ...x ....;c:.... .... X... ....;h:xgxg xxxg xgxg xxxxxx",
            "k:X... X... X... X...;t:..x. .x.. ..x. .x..;u:...x ..x. ...x ..x.;"
            "d:x.xx x.xx x.xx x.xx",
            "K:x..x ..x. x..x ..x.;e:.... X... .... X...;c:.... ...g ..g. ...g;"
            "h:..x. ..x. ..x. ..xx",
        ),
        ("k:X. X. X.;c:.. X. ..;o:.x .x .x", "k:X... ..x. x...;c:.... X... X...;h:xgxg xgxg xgxg"),
        ("k:X.. X..;c:... X..;h:.xx .xx", "k:X.. ..x;e:... X..;o:..x ..x;h:xx. xx."),
    ),
    "jazz": (
        (
            "d:x. xx x. xx;p:.. x. .. x.;k:g. g. g. g.;"
            "s:.. .g .. ..|.g .. .. .x|.. .. .g ..|.. .g .. g.",
            "s:g. Xg g. Xg;k:g. .. g. ..;p:.. x. .. x.;d:x. .. .. ..|.. .. .. ..",
            "h:x. xx x. xx;k:x. .. g. ..;r:.. .. .. x.|.. .x .. x.",
            "j:x. xx x. xx;p:.. x. .. x.;k:g. .. .x ..|.. .. g. .x;"
            "s:.x .. .g ..|.. .g .. x.;w:.. .. .. ..|.. .. .x ..",
            "d:xx xx xx xx;p:.. x. .. x.;k:g. g. g. g.;r:.. .. .. x.;u:.. .. .. .x|.. .. .. ..",
        ),
        (
            "d:x. xx x.;p:.. x. ..;k:x. .. ..;s:.. .g .g|.. .. .x|.g .. ..",
            "d:x. xx xx;p:.. x. x.;k:g. .. ..;r:.. x. .x|.. .. x.",
        ),
        ("d:x.x x.x;p:... x..;k:x.. ..g;s:..g ...|.g. ..x", "h:x.x x.x;k:x.. ...;r:... x.."),
    ),
    "folk": (
        (
            "k:x. .. x. ..;s:gX gX gX gX;p:.. x. .. x.",
            "f:x. .. x. x.;r:.. x. .. x.;h:x. x. x. x.",
            "k:x. .. x. x.;c:.. x. .. x.;h:.x .x .x .x",
            "k:x. .. x. ..;w:.. x. .. x.;u:.. .. .x ..;d:x. x. x. x.",
        ),
        ("k:x. .. ..;s:.. x. x.;p:.. x. x.", "f:x. .. ..;r:.. x. xx;d:x. x. x."),
        ("k:x.. x..;s:X.x X.x;p:..x ..x", "f:x.. ..x;w:... x.x;h:x.x x.x"),
    ),
    "bluegrass": (
        (
            "k:x. x. x. x.;s:.x .x .x .x;h:.x .x .x .x",
            "k:x. .. x. ..;s:ggXg ggXg ggXg ggXg;p:.x .x .x .x",
            "k:x. x. x. x.;r:.x .x .x .x;d:x. xx x. xx",
        ),
        ("k:x. .. ..;s:.. x. x.;h:.. x. x.", "k:x. .. ..;r:.. x. xx;d:x. xx xx"),
        ("k:x.. x..;s:..X ..X;h:..x ..x", "k:x.. x..;s:x.X x.X;p:..x ..x"),
    ),
    "latin": (
        (
            "k:x. .x x. .x;r:x. .x .. x.|.. x. .x ..;h:xx xx xx xx",
            "k:.. .x .. x.;r:x. .x .. x.|.. x. x. ..;w:.. .. .. xx;u:.. X. .. ..;b:X. x. X. x.",
            "k:x..x x..x x..x x..x;F:.... X... .... X...;s:X..x ..x. .x.. x.x.;"
            "d:x.xx x.xx x.xx x.xx",
            "k:x... x... x... x...;s:...x ..x. ...x ..x.;h:x.x. x.x. x.x. x.x.",
            "w:xg xg xg xx;t:.. X. .. ..|.. X. .X ..;k:x. .x .. ..;j:x. xx .x x.|.x x. xx x.",
        ),
        ("k:x. .x ..;r:x. .x x.;h:xx xx xx", "f:x. .. xx;t:.. X. ..;d:x. xx x."),
        ("k:x.. x..;r:x.x .x.|x.. x..;b:x.x xx.", "w:x.x ..x;u:... X..;k:x.. ...;d:x.x x.x"),
    ),
    "classical": (
        (
            "k:X. .. x. ..;s:x. xx x. xx;C:X. .. .. ..|.. .. .. ..",
            "s:X.xx X.xx X.X. Xxxx;K:x. .. x. ..;D:x. .. x. ..",
            "F:X. .. .. xx|X. .. xx X.;C:X. .. .. ..|.. .. .. r-",
            "s:.. .. r- --|X. .. .. ..;K:X. .. .. ..;D:.. .. .. r-|X. .. .. ..",
            "f:x. .. x. ..|x. .. xxxx x.;F:.. x. .. x.;d:.. .. .. ..|x. .. x. ..",
        ),
        (
            "K:X. .. ..;s:.. gx g.;D:x. .. ..|.. .. r-",
            "F:X. .. .x|X. .. xxxx;s:.. x. x.;C:X. .. ..|.. .. ..",
        ),
        ("s:X.x xxx;K:X.. x..;D:x.. ...", "F:X.. ..x|X.. xxx;s:... x..;C:X.. ...|... r--"),
    ),
    "church": (
        (
            "k:x. .. .. ..;s:.. g. .. g.;d:x. x. x. x.",
            "k:x. .. x. ..;r:.. x. .. x.;d:x. .. x. ..;C:.. .. .. ..|.. .. r- --",
            "F:x. .. .. ..|x. .. .. r-;s:.. .. r- --|g. .. .. ..;C:x. .. .. ..|.. .. r- --",
            "k:x. .. .x ..;s:.. x. .. x.;h:gg gg gg gg;b:x. .. .. ..|.. .. .. ..",
        ),
        ("k:x. .. ..;s:.. g. g.;d:x. x. x.", "F:x. .. ..|x. .. r-;r:.. x. x.;C:x. .. ..|.. .. r-"),
        ("k:x.. ...;s:... g.g;d:x.. x..", "k:x.. ..x;r:... x..;h:gxg gxg"),
    ),
}

FILLS = (
    "s:xxxx ....;u:.... xx..;w:.... ..xx",
    "t:xx.. ....;u:..xx ....;w:.... xx..;f:.... ..xx",
    "s:X.xx X.xx;k:.x.. .x..",
    "s:x.xx .x..;f:.... x.xX;k:x... ....",
    "s:xx .x;t:.. x.;F:.. xx",
    "v:xxx ...;w:... xxx;k:x.. x..",
    "s:gggx xxXX",
)
"""What the drummer plays in the last two pulses before a new phrase."""
SOFT_FILLS = ("s:.... r---", "F:.... r---", "s:g.g. gggg", "w:g. .g;f:.. g.")
"""The same where it is quiet."""


def read(groove: str) -> dict[str, str]:
    """The pattern of each letter."""
    return dict(line.split(":") for line in groove.split(";"))
