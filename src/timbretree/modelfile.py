"""The model file: one .onnx that carries its network and all that is needed to use it.

Besides the graph (inputs ``mel`` and, if asked, ``spans`` and ``past``; outputs ``fine``,
``coarse``, for heads with a look ``attention``, ``embedding`` and ``moments``) it holds one
metadata entry, ``timbretree``: the taxonomy, the spectrogram, the calibration, the thresholds, the
licence, how it was made and what it scored.
``docs/model-file.md`` describes it.
"""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timbretree.calibration import UNCALIBRATED, UNTOUCHED, Calibrated, Calibration, read_record
from timbretree.labels import Prediction
from timbretree.melspec import MelSpec
from timbretree.onnxbytes import MalformedError, OnnxBytes
from timbretree.runtime import RuntimeUnusableError, Session
from timbretree.taxonomy import Taxonomy, TaxonomyError

Array = NDArray[np.float32]

SCHEMA, FORMER = 2, 1
"""What is written, and what was before there was calibration."""
KEY = "timbretree"
SHIPPED = Path(__file__).with_name("models") / "shipped.onnx"
"""The model that comes with timbretree."""


class ModelFileError(ValueError):
    """A model file that can't be trusted or is none; the message says why."""


@dataclass(frozen=True)
class ModelInfo:
    """What a model file says of itself."""

    name: str
    backbone: str
    head: str
    taxonomy: Taxonomy
    melspec: MelSpec
    seconds: float
    """The length of the windows in which it listens."""
    tag_thresholds: tuple[float, ...]
    """(F,): a tag is present from this calibrated probability on."""
    group_thresholds: tuple[float, ...]
    """(C,): the same for groups."""
    licence: str
    provenance: str
    """How it was made, from what, under which licences."""
    scores: dict[str, float] = field(default_factory=dict)
    """What it scored: name of the measure, beginning with the split -> value."""
    tag_absent_below: tuple[float, ...] = ()
    """(F,): a tag is absent below this calibrated probability, and unsure between here and its
    threshold; or empty, where nothing is unsure."""
    group_absent_below: tuple[float, ...] = ()
    """(C,) or empty: the same for groups."""
    tag_calibration: Calibration = UNTOUCHED
    group_calibration: Calibration = UNTOUCHED
    step: float | None = None
    """Seconds from one window to the next, or None where none overlap."""
    precision: str = "float32"
    """float32, or int8 where ``timbretree.quantise`` rounded it."""

    @property
    def hop(self) -> float:
        """Seconds from one window to the next."""
        return self.step or self.seconds

    def to_json(self) -> str:
        """The metadata entry of a model file."""
        data = dataclasses.asdict(dataclasses.replace(self, taxonomy=None))  # type: ignore[arg-type]
        data["taxonomy"] = self.taxonomy.to_dict()
        return json.dumps({"schema": SCHEMA, **data}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "ModelInfo":
        """Read a metadata entry. Raises ModelFileError where something is missing or wrong."""
        try:
            data = json.loads(text)
        except ValueError as error:
            raise ModelFileError(f"its metadata is not JSON: {error}") from error
        schema = data.pop("schema", None) if isinstance(data, dict) else None
        if schema not in (FORMER, SCHEMA):
            raise ModelFileError(
                f"its schema is {schema!r}; this timbretree reads schemas {FORMER} and {SCHEMA}"
            )
        try:
            data |= read_record(data) if schema == SCHEMA else UNCALIBRATED
            data["taxonomy"] = Taxonomy.from_dict(data["taxonomy"])
            data["melspec"] = MelSpec(**data["melspec"])
            data["tag_thresholds"] = tuple(map(float, data["tag_thresholds"]))
            data["group_thresholds"] = tuple(map(float, data["group_thresholds"]))
            info = cls(**data)
        except TaxonomyError as error:
            raise ModelFileError(f"its taxonomy is wrong: {error}") from error
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFileError(
                f"its metadata lacks something or is ill-formed: {error}"
            ) from error
        info._check()
        return info

    def _check(self) -> None:
        try:
            Calibrated.of(self).check(self.taxonomy)
        except ValueError as error:
            raise ModelFileError(str(error)) from error
        if self.precision not in ("float32", "int8"):
            raise ModelFileError(f"its precision is {self.precision!r}, not float32 or int8")
        if not 0 < self.seconds <= 600:
            raise ModelFileError(f"its windows last {self.seconds} s, which is not within 0 to 600")
        if not 0 < self.hop <= self.seconds:
            raise ModelFileError(
                f"its windows begin every {self.hop} s, which is not within 0 to {self.seconds}"
            )


class Listened(NamedTuple):
    """What a model file says of some clips or spans of them, and what its head saw of each."""

    prediction: Prediction
    embedding: Array | None
    """(B, D), or None where the file does not tell."""
    moments: Array | None = None
    """(B, channels, M): what its trunk heard in each ``MOMENT`` frames; None where the file does
    not tell."""


class ModelFile:
    """An opened model file, verified and ready to run.

    ``device`` is auto, cpu, or cuda, for an NVIDIA GPU by the package onnxruntime-gpu; auto takes
    the GPU where it works. ``runtime.provider`` says where it runs. Raises ModelFileError where
    the file is missing, is no model file, is of an unknown schema, where shapes, taxonomy and
    thresholds do not fit each other, where weights are not finite, and where the device can't be
    had.
    """

    def __init__(self, path: str | Path, *, device: str = "auto") -> None:
        self.path = Path(path)
        try:
            content = OnnxBytes(self.path.read_bytes())
            self.info = _read_info(content)
            _check_weights(content)
            self.runtime = Session(content.data, device)
            self._check_shapes()
        except OSError as error:
            raise ModelFileError(f"{self.path}: {error.strerror or error}") from error
        except (MalformedError, ModelFileError, RuntimeUnusableError) as error:
            raise ModelFileError(
                f"{self.path} is no model file that can be used: {error}"
            ) from error

    @property
    def slides(self) -> bool:
        """Whether it hears many spans of a clip, and of what was before it, at the price of one
        run over the clip."""
        return list(self.runtime.optional) == ["spans", "past"]

    def run(self, mel: Array) -> Prediction:
        """Hear (B, frames, mels) of log-mel spectrogram; numpy arrays in float32 come back.

        Probabilities are calibrated. The attention is the network's own, so for heads with a look
        coarse = look^T fine holds of what ``raw`` gives.
        """
        return self.listen(mel).prediction

    def listen(self, mel: Array, spans: Array | None = None, past: Array | None = None) -> Listened:
        """Hear (B, frames, mels), or B * N spans of them, and tell what the head saw, too.

        ``spans`` is (N, 2), frames from the first to the one after the last, the same of each clip;
        answers come clip by clip. A file that ``slides`` runs once, and a span then hears a little
        of what is around it, as ``docs/model-file.md`` says; others hear each span for itself.
        ``past`` (1, channels, P), for files that slide, are moments from before the clip: spans are
        counted from their beginning.
        """
        said = self.listen_raw(mel, spans, past)
        return said._replace(prediction=Calibrated.of(self.info).correct(said.prediction))

    def raw(self, mel: Array) -> Prediction:
        """The same as ``run`` as the network itself says it, before calibration."""
        return self.listen_raw(mel).prediction

    def listen_raw(
        self, mel: Array, spans: Array | None = None, past: Array | None = None
    ) -> Listened:
        """The same as ``listen`` as the network itself says it, before calibration."""
        if spans is None or self.slides:
            asked = {"mel": mel, "spans": spans, "past": past}
            outputs = self.runtime.run({
                name: np.asarray(value, np.float32)
                for name, value in asked.items()
                if value is not None
            })  # fmt: skip
        else:
            places = np.rint(spans).astype(int)
            parts = [self.runtime.run({"mel": mel[:, first:last]}) for first, last in places]
            outputs = {
                name: np.stack([part[name] for part in parts], axis=1).reshape(-1, *shape[1:])
                for name, shape in self.runtime.outputs.items()
                if name != "moments"
            }
        told = [outputs.pop(name, None) for name in ("embedding", "moments")]
        return Listened(Prediction(**outputs), *told)

    def _check_shapes(self) -> None:
        tree, mels = self.info.taxonomy, self.info.melspec.mels
        wanted = {"fine": [len(tree.tags)], "coarse": [len(tree.groups)]}
        wanted["attention"] = [len(tree.tags), len(tree.groups)]
        inputs, optional = self.runtime.inputs, self.runtime.optional
        if list(inputs) != ["mel"] or inputs["mel"][2:] != [mels]:
            raise ModelFileError(f"expected one input mel (clips, frames, {mels}), got {inputs}")
        known = list(optional) == ["spans", "past"][: len(optional)]
        if not known or optional.get("spans", [0, 2])[1:] != [2]:
            raise ModelFileError(
                "expected no optional inputs but spans (spans, 2) and past (1, channels, past), "
                f"got {optional}"
            )
        outputs = {name: shape[1:] for name, shape in self.runtime.outputs.items()}
        embedding = outputs.pop("embedding", [1])
        moments = outputs.pop("moments", None)
        if list(outputs) not in (["fine", "coarse"], ["fine", "coarse", "attention"]):
            raise ModelFileError(f"expected outputs fine, coarse, attention, got {list(outputs)}")
        if len(embedding) != 1:
            raise ModelFileError(f"expected an embedding (clips, D), got (clips, {embedding})")
        past = optional.get("past")
        if past and (moments is None or [1, *moments[:1]] != past[:2]):
            raise ModelFileError(
                f"expected past (1, channels, past) to fit moments (clips, channels, M), "
                f"got {past} and {moments}"
            )
        for name, shape in outputs.items():
            if shape != wanted[name]:
                raise ModelFileError(
                    f"its taxonomy asks for {name} of shape {wanted[name]}, "
                    f"its network gives {shape}"
                )


def read_info(path: str | Path) -> ModelInfo:
    """What a model file says of itself, without loading its network. Raises ModelFileError."""
    try:
        return _read_info(OnnxBytes(Path(path).read_bytes()))
    except OSError as error:
        raise ModelFileError(f"{path}: {error.strerror or error}") from error
    except (MalformedError, ModelFileError) as error:
        raise ModelFileError(f"{path} is no model file that can be used: {error}") from error


def _read_info(model: OnnxBytes) -> ModelInfo:
    metadata = model.metadata()
    if KEY not in metadata:
        raise ModelFileError(
            f"it has no {KEY!r} metadata; make model files with `timbretree export`"
        )
    return ModelInfo.from_json(metadata[KEY])


def _check_weights(model: OnnxBytes) -> None:
    for name, weights in model.weights():
        if not np.isfinite(weights).all():
            raise ModelFileError(f"its weights {name!r} are not all finite")
