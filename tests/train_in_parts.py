"""Trains the toy network and saves its weights: started by a launcher of one or more processes.

python train_in_parts.py OUT.safetensors
"""

import math
import sys

from safetensors.torch import save_file

from timbretree.objective import Objective
from timbretree.train import Learner, TrainConfig, accelerator, fit
from toy import TREE, toy_clips, toy_net

if __name__ == "__main__":
    where = accelerator("cpu")
    # 21 clips by 8: the last batch has 5, and halves of different density; no dropout, which would
    # fall differently, and the statistics of BatchNorm as they are, which a CPU can't share
    config = TrainConfig(
        epochs=3,
        warmup=1,
        batch=8,
        learning_rate=0.01,
        objective=Objective(0.7, consistency=1.0),
        frozen_statistics=True,
    )
    clips, net = toy_clips(number=21), toy_net(dropout=0.0)
    learner = Learner(net, TREE, config, steps=math.ceil(len(clips) / config.batch), where=where)
    epochs = list(fit(learner, clips, toy_clips(number=7)))
    if where.is_main_process:
        losses = [each for epoch in epochs for each in (epoch.train_loss, epoch.valid_fine)]
        save_file(net.state_dict(), sys.argv[1], {"losses": " ".join(map(repr, losses))})
