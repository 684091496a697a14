#!/bin/sh
# Every run of the study, one thread: about two CPU-hours, data included. What is finished is left out, so that it can be
# stopped and started again. MODELS, CASES and SEEDS choose a part.
cd "$(dirname "$0")/../.." || exit 1
export OMP_NUM_THREADS=1
for seed in ${SEEDS:-0 1 2}; do
  for case in ${CASES:-te_heat ns_heat e_flow acoustic_structure mhd elder}; do
    # where the published coupling does nothing that a field shows, the strong one is taken: docs/cards
    coupling=published shape="[32,32]" samples="{train: 192, valid: 16, test: 32}" more=""
    case $case in
      e_flow | te_heat) coupling=strong ;;
      mhd) shape="[32,16]" ;;
      elder) samples="{train: 48, valid: 4, test: 8}" more=data.case.cells=64 ;;
    esac
    for model in ${MODELS:-fno unet deeponet}; do
      runs=runs/multiphysics/$case/$model-$seed
      ls "$runs"/*/report.html > /dev/null 2>&1 && continue
      sweep="[]" # solvers and baselines are the same for every run: those of the first one stand in the tables
      [ "$model$seed" = fno0 ] && sweep="[0.25,0.5]"
      echo "$case $model $seed: $runs.log"
      mkdir -p "$runs"
      python -m pdekit.train "model=$model" "data=$case" "seed=$seed" "runs_dir=$runs" "data.case.coupling=$coupling" \
        "data.grid.shape=$shape" "data.n_trajectories=$samples" $more training.steps=1000 trainer.threads=1 \
        evaluation.coupling=true "evaluation.timing_batches=[1]" "evaluation.sweep.refinements=$sweep" \
        > "$runs.log" 2>&1 || tail -n 3 "$runs.log"
    done
  done
done
