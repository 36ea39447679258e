# Sourced by paper.sh and paper_vgg.sh: prepares the data in OUT, changes to that folder, and sets the common settings.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
data=$(cd "$1" && pwd)
mkdir -p "$2"
cd "$2"
[ -e signs.npz ] || python "$here/make_data.py" "$data" .

settings=(--input-size 32 --first cifar10=cifar10.npz --first-limit 5000
    --epochs 8 --lr 0.02 --decay-epoch 4 --retrain-epochs 4 --retrain-lr 0.002 --precision bf16
    --individual-epochs 12 --classifier-epochs 20)
