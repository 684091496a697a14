#!/bin/sh
# Every row of the study, one thread: about two and a half CPU-hours. Runs whose rows are written are left out, so that
# it can be stopped (a run that is interrupted keeps its rows) and started again.
cd "$(dirname "$0")/../.." || exit 1
export OMP_NUM_THREADS=1
curve="python experiments/pinn/curve.py"
for seed in 0 1 2; do
  for problem in burgers allen_cahn kdv; do
    $curve $problem $seed
  done
  $curve burgers_inverse $seed +model.inverse.seed=$seed
done
for problem in advection wave nlse ks navier_stokes; do
  $curve $problem 0
done
# what each part is worth, on Allen-Cahn within the same budget
causality="model.causality={_target_: pdekit.models.pinn.Causality, tolerances: [0.01, 0.1, 1, 10]}"
for seed in 0 1 2; do
  ablation="$curve allen_cahn $seed budget=100"
  $ablation name=all
  $ablation name=causal "$causality"
  $ablation name=uniform model.collocation.sampling=uniform
  $ablation name=soft model.initial=soft model.decay=0
  $ablation name=soft-balanced model.initial=soft model.decay=0 model.balancing=gradient_norm
  $ablation name=attention model.balancing=residual
  $ablation name=no-decay model.decay=0
  $ablation name=bfgs model.second.optimiser=bfgs
  $ablation name=adam model.second.optimiser=adam training.steps=3000
  $ablation name=adam-causal model.second.optimiser=adam training.steps=3000 "$causality"
done
python experiments/pinn/table.py
