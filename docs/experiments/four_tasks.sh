#!/usr/bin/env bash
# CIFAR-10's ResNet-20, then Fashion-MNIST, sign-language digits and MNIST in one file: 1,200 training images per task.
#   docs/experiments/four_tasks.sh DATA OUT SEED
# DATA has cifar10.npz, fashion.npz, signs.npz, mnist10k.npz and weights/cifar10-resnet20.safetensors.
set -euo pipefail
data=$1 out=$2 seed=$3
file=$out/net-$seed.safetensors

say() { printf '== %s\n' "$*"; }

evaluate() {
    packnet eval "$file"
    packnet inspect "$file"
    packnet verify "$file"
}

say new
packnet new "$file" --arch cifar_resnet20 --weights "$data/weights/cifar10-resnet20.safetensors" --input-size 32 \
    --task cifar10 --data "$data/cifar10.npz" --limit 1200 --seed "$seed"
say prune
packnet prune "$file" 0.5 --retrain-epochs 4 --retrain-lr 0.002
evaluate
for task in fashion signs mnist; do
    source=$task
    [ "$task" = mnist ] && source=mnist10k
    say "add $task"
    packnet add "$file" "$task" --data "$data/$source.npz" --limit 1200 --epochs 8 --lr 0.02 --decay-epoch 4 \
        --prune 0.75 --retrain-epochs 4 --retrain-lr 0.002 --seed "$seed"
    evaluate
done
