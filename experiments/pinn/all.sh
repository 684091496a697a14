#!/bin/sh
# Every row of the study: one process at a time, one thread. About four CPU-hours.
cd "$(dirname "$0")/../.." || exit 1
export OMP_NUM_THREADS=1
curve="python experiments/pinn/curve.py"
for seed in 0 1 2; do
  for problem in burgers allen_cahn kdv advection wave nlse ks navier_stokes; do
    $curve $problem $seed
  done
  # what each part is worth, on Allen-Cahn
  budget="budget=250"
  causality="model.causality={_target_: pdekit.models.pinn.Causality, tolerances: [0.01, 0.1, 1, 10]}"
  $curve allen_cahn $seed $budget name=causal "$causality"
  $curve allen_cahn $seed $budget name=soft model.initial=soft model.decay=0
  $curve allen_cahn $seed $budget name=soft-balanced model.initial=soft model.decay=0 model.balancing=gradient_norm
  $curve allen_cahn $seed $budget name=no-decay model.decay=0
  $curve allen_cahn $seed $budget name=uniform model.collocation.sampling=uniform
  $curve allen_cahn $seed $budget name=bfgs model.second.optimiser=bfgs
  $curve allen_cahn $seed $budget name=adam model.second.optimiser=adam training.steps=12000 model.collocation.every=100
  $curve allen_cahn $seed $budget name=adam-causal model.second.optimiser=adam training.steps=12000 "$causality"
done
python experiments/pinn/table.py
