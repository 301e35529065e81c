#!/usr/bin/env bash
# Does a rotation in front of the DACs help a noisy crossbar? ResNet-32 on 256 x 256 arrays, layer scaling:
# {plain, rotated} x {float analog, 4-bit codes} x {no noise, PCM at 25 s, PCM after a day} x ADC {6, 8}; top-1 in % over
# seeds, compensation a tile. usage: bench/rotation_crossbar.sh PENTAPRISM [images] [seeds]
set -euo pipefail
pp=$1 images=${2:-400} seeds=${3:-3}
run=$(dirname "$0")/../examples/resnet32-pcm.yaml
study() { # weights adc rotate device times seeds
  "$pp" infer "$run" --set workload.models=resnet32-cifar10 --set workload.images="$images" --set arch.weights="$1" \
    --set arch.adc_bits="$2" --set quant.rotate="$3" --set device.model="$4" --set device.times_s="$5" \
    --set noise.seeds="$6" --set noise.snr=false --set noise.compensation=tile "${@:7}" |
    awk -v head="$1 adc $2 rotate $3 $4 ${*:7}:" '/^resnet32-cifar10 / && NF >= 7 { print head, $0 }'
}
for weights in float codes; do
  for adc in 8 6; do
    for rotate in none input; do
      study $weights $adc $rotate gaussian 25 1 --set device.sigma=0
      study $weights $adc $rotate aihwkit-pcm "25,86400" "$seeds"
    done
  done
done
# Controls: reads exchanged between the two; every column scaled by itself.
study float 8 none aihwkit-pcm "25,86400" "$seeds" --set arch.phases=2
study float 8 input aihwkit-pcm "25,86400" "$seeds" --set arch.rotated_phases=1
for adc in 8 6; do
  for rotate in none input; do
    study float $adc $rotate aihwkit-pcm "25,86400" "$seeds" --set arch.weight_scaling=column
  done
done
