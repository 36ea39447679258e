#!/usr/bin/env bash
# The paper's tables and figures on CIFAR-10, sign-language digits, Fashion-MNIST and MNIST: docs/results/resnet20.
#   docs/experiments/paper.sh DATA OUT [RUNS [OPTION...]]
# DATA holds cifar10.npz, fashion.npz, signs.npz, mnist10k.npz and weights/cifar10-resnet20.safetensors. What is in OUT
# already is not computed again. Options such as --only 'packed-*' or --jobs 2 go to each packnet paper.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
data=$(cd "$1" && pwd) runs=${3:-3}
mkdir -p "$2"
cd "$2"
[ -e signs.npz ] || python "$here/make_data.py" "$data" .
cp -n "$data/weights/cifar10-resnet20.safetensors" .

settings=(--arch cifar_resnet20 --weights cifar10-resnet20.safetensors --input-size 32 --first cifar10=cifar10.npz
    --first-epochs 2 --first-lr 0.01 --first-batch-size 64 --first-limit 5000 --limit 1200
    --epochs 8 --lr 0.02 --decay-epoch 4 --retrain-epochs 4 --retrain-lr 0.002 --precision bf16
    --individual-epochs 12 --classifier-epochs 20 --lwf-lr 0.005 --ewc-lr 0.005 --ewc-strength 100)

# a recipe is chosen on images that are no test images
packnet paper ablation "${settings[@]}" --tasks signs=dev-signs.npz fashion=dev-fashion.npz mnist=dev-mnist.npz \
    --runs "$runs" --out development "${@:4}"
packnet paper table2 figure2 figure4 table5 figure3 figure5 "${settings[@]}" \
    --tasks signs=signs.npz fashion=fashion.npz mnist=mnist.npz --runs "$runs" --out resnet20 "${@:4}"
