#!/usr/bin/env bash
# Remake the first shipped model: models/make_first.sh NOTES SOUNDFONT WEIGHTS WORK
#   NOTES      folder of real single notes with a manifest.csv (file, tag, source)
#   SOUNDFONT  FluidR3_GM.sf2      WEIGHTS  EfficientAT's mn04_as_mAP_432.pt
#   WORK       a folder to work in (8 GB); the model is written to WORK/first.onnx
# About an hour on two cores. What each step does is in docs/model-first.md.
set -euo pipefail
notes=$1 soundfont=$2 weights=$3 work=$4
here=$(dirname "$0")
python "$here/mixes.py" "$notes" "$work/mixes"
python "$here/solos.py" "$soundfont" "$work/solos"
timbretree train "$work/mixes/mixes.csv" "$work/run" --start "$weights" --method resatt \
  --epochs 8 --warmup 1 --learning-rate 5e-4 --trunk-share 0.2 --frozen-statistics
python "$here/first.py" "$work/run" "$work/mixes" "$work/solos" "$weights" "$work/first.onnx"
