"""The whole network: waveform in, probabilities of tags and groups out."""

from torch import Tensor, nn

from timbretree.backbones import BACKBONES, Backbone
from timbretree.frontend import LogMel
from timbretree.heads import HEADS
from timbretree.labels import Prediction
from timbretree.taxonomy import Taxonomy


class InstrumentNet(nn.Module):
    """A front end, a trunk and a head in a row: waveform > log-mel > embedding > Prediction."""

    def __init__(self, backbone: Backbone, head: nn.Module) -> None:
        super().__init__()
        self.frontend = LogMel(backbone.spec)
        self.backbone = backbone
        self.head = head

    def forward(self, waveform: Tensor) -> Prediction:
        """(B, T) at ``frontend.spec.rate`` to probabilities."""
        return self.listen(self.frontend(waveform))

    def listen(self, mel: Tensor) -> Prediction:
        """(B, frames, mels) to probabilities: everything but the front end."""
        prediction: Prediction = self.head(self.backbone(mel))
        return prediction


def build(backbone: str, head: str, taxonomy: Taxonomy) -> InstrumentNet:
    """Make a network with random weights from the names in ``BACKBONES`` and ``HEADS``."""
    for kind, name, known in (("backbone", backbone, BACKBONES), ("head", head, HEADS)):
        if name not in known:
            raise ValueError(
                f"there is no {kind} {name!r}; choose from {', '.join(known)}, or install the "
                "package that adds it"
            )
    trunk = BACKBONES[backbone]()
    return InstrumentNet(trunk, HEADS[head](trunk.num_features, taxonomy))
