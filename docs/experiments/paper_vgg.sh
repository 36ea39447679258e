#!/usr/bin/env bash
# Tables 3, 4 and 6 on a slim VGG with BatchNorm, first trained on CIFAR-10: docs/results/vgg and docs/results/large.
#   docs/experiments/paper_vgg.sh DATA OUT [RUNS [OPTION...]]
# DATA and options are those of paper.sh.
. "$(dirname "$0")/paper_common.sh"
runs=${3:-1}

settings+=(--arch cifar_vgg --first-epochs 10 --first-lr 0.05 --first-batch-size 128)

packnet paper table6 table4 "${settings[@]}" --limit 1200 \
    --tasks signs=signs.npz fashion=fashion.npz mnist=mnist.npz --runs "$runs" --out vgg "${@:4}"
# the second large data set: five times the images
packnet paper table3 "${settings[@]}" --limit 6000 --tasks fashion=fashion.npz --runs "$runs" --out large "${@:4}"
