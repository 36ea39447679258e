#!/usr/bin/env bash
# Tables 3, 4 and 6 on a slim VGG with BatchNorm, trained on CIFAR-10 first: docs/results/vgg and docs/results/large.
#   docs/experiments/paper_vgg.sh DATA OUT [RUNS [OPTION...]]
# DATA and options are those of paper.sh.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
data=$(cd "$1" && pwd) runs=${3:-1}
mkdir -p "$2"
cd "$2"
[ -e signs.npz ] || python "$here/make_data.py" "$data" .

settings=(--arch cifar_vgg --input-size 32 --first cifar10=cifar10.npz
    --first-epochs 10 --first-lr 0.05 --first-batch-size 128 --first-limit 5000
    --epochs 8 --lr 0.02 --decay-epoch 4 --retrain-epochs 4 --retrain-lr 0.002 --precision bf16
    --individual-epochs 12 --classifier-epochs 20)

packnet paper table6 table4 "${settings[@]}" --limit 1200 \
    --tasks signs=signs.npz fashion=fashion.npz mnist=mnist.npz --runs "$runs" --out vgg "${@:4}"
# the second large set: five times the images
packnet paper table3 "${settings[@]}" --limit 6000 --tasks fashion=fashion.npz --runs "$runs" --out large "${@:4}"
