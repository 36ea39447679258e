#!/usr/bin/env bash
# The paper's tables and figures on CIFAR-10, sign-language digits, Fashion-MNIST and MNIST: docs/results/resnet20.
#   docs/experiments/paper.sh DATA OUT [RUNS [OPTION...]]
# DATA has cifar10.npz, fashion.npz, signs.npz, mnist10k.npz and weights/cifar10-resnet20.safetensors. Cells that are
# in OUT are not computed again. Options such as --only 'packed-*' or --jobs 2 are passed to each packnet paper.
. "$(dirname "$0")/paper_common.sh"
runs=${3:-3}
cp -n "$data/weights/cifar10-resnet20.safetensors" .

settings+=(--arch cifar_resnet20 --weights cifar10-resnet20.safetensors --limit 1200
    --first-epochs 2 --first-lr 0.01 --first-batch-size 64 --lwf-lr 0.005 --ewc-lr 0.005 --ewc-strength 100)

# the best recipe is chosen on development data, whose test images are training images
packnet paper ablation "${settings[@]}" --tasks signs=dev-signs.npz fashion=dev-fashion.npz mnist=dev-mnist.npz \
    --runs "$runs" --out development "${@:4}"
packnet paper table2 figure2 figure4 table5 figure3 figure5 "${settings[@]}" \
    --tasks signs=signs.npz fashion=fashion.npz mnist=mnist.npz --runs "$runs" --out resnet20 "${@:4}"
