#!/usr/bin/env bash
# Remake the model that ships: models/recipe/make.sh NOTES GATHERED START WORK
#   NOTES     a folder of recorded notes with a manifest.csv
#   GATHERED  what models/gather/notes.py and models/gather/others.py made
#   START     EfficientAT's mn04_as_mAP_432.pt
#   WORK      a folder to work in (8 GB)
# The SoundFonts are those of Debian's fluid-soundfont-gm, musescore-general-soundfont-lossless,
# avldrums.lv2-soundfont, timgm6mb-soundfont and csound-soundfont. What is there is not made again.
set -euo pipefail
notes=$1 gathered=$2 start=$3 work=$4
here=$(dirname "$0") fonts=/usr/share/sounds/sf2
taught=("$fonts/FluidR3_GM.sf2" "$fonts/MuseScore_General_Full.sf2"
  "$gathered/fonts/GeneralUser-v1.47.sf2" "$gathered/fonts/sonivox.sf2"
  "$fonts/Black_Pearl_4_LV2.sf2" "$fonts/Red_Zeppelin_4_LV2.sf2")
apart=("$gathered/fonts/A320U.sf2" "$fonts/TimGM6mb.sf2" "$fonts/sf_GMbank.sf2")
held=(audiophob freepats freesound-atonia gcompris jrhodes-electric-piano lmms martin-hd28-steel
  meatbass scratch scratch-1 sonic-pi swirly-drums vcsl-upright)
all=("$notes" "$gathered/sounds")
export OMP_NUM_THREADS=1
stems() { python "$here/stems.py" "$@"; }
stems fonts "$work/stems/fonts" "${taught[@]}" --keep-from "${apart[@]}" --clips 2800
stems notes "$work/stems/notes" "${all[@]}" --held "${held[@]}"
stems others "$work/stems/others" "$gathered/others"
stems others "$work/stems/tracks" "$gathered/music"
[ -e "$work/development/music.npz" ] || python "$here/develop.py" make "$work/development" \
  --notes "${all[@]}" --held "${held[@]}" --fonts "${apart[@]}" \
  --others "$gathered/others" --music "$gathered/music"
teach() { # teach SEED OPTION ...: unless it is there, a core each
  [ -e "$work/seed$1.pt" ] || python "$here/teach.py" "$start" "$work/seed$1.pt" \
    "$work"/stems/{fonts,notes,others,tracks} "${@:2}" &
}
for seed in 0 1; do teach $seed --set "seed=$seed"; done
wait
for seed in 10 11; do
  teach $seed --goes-on "$work"/seed{0,1}.pt --set "seed=$seed" minutes=30 learning_rate=5e-4 \
    trunk_rate=5e-4 frozen_blocks=5 distil=2.0
done
wait
python "$here/develop.py" score "$work/development" "$start" "$start"
python "$here/ship.py" "$start" "$work/development" "$work/shipped.onnx" "$work"/seed{10,11}.pt
python "$here/licences.py" "$work/shipped.LICENSES.txt" --notes "${all[@]}" --held "${held[@]}" \
  --fonts "${taught[@]}" --fonts-file "$gathered/fonts/LICENCES.txt" \
  --folders "$gathered/others" "$gathered/music"
