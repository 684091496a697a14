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
# a start that keeps its kink, and how fast its share fades
for decay in 10 20 40; do
  $curve allen_cahn 0 budget=250 "name=hard, decay $decay" model.form.initial=hard model.form.decay=$decay
done
# time in [-1, 1]
for problem in advection nlse; do
  $curve $problem 0 budget=30 "name=stretch 1" model.net.stretch=1
done
# what each part is worth, on Burgers: eleven steps of the second stage, about 25 CPU-seconds
causality="model.weighting.causality={_target_: pdekit.models.pinn.Causality, tolerances: [0.01, 0.1, 1, 10]}"
for seed in 0 1 2; do
  without="$curve burgers $seed training.steps=511 model.second.steps=11"
  $without name=uniform model.collocation.sampling=uniform
  $without name=causal "$causality"
  $without name=bfgs model.second.optimiser=bfgs
  $without name=soft model.form.initial=soft
  $without name=soft-balanced model.form.initial=soft model.weighting.balancing=gradient_norm
  $without name=attention model.weighting.balancing=residual
  $curve burgers $seed budget=25 name=adam model.second.optimiser=adam training.steps=1400
done
python experiments/pinn/table.py
