# shellcheck shell=bash disable=SC2034,SC2154 # a part of run.sh
# GPUs (which nothing computes on), network cards and a container, by srun and by mpirun. A stand-in for Apptainer
# starts the program without an image.
mkdir bin
cat >bin/apptainer <<'END'
#!/bin/bash
echo "UCX_NET_DEVICES=$UCX_NET_DEVICES apptainer $*" >&2
until [[ $1 == my.sif ]]; do shift; done
exec "${@:2}"
END
chmod +x bin/apptainer
PATH=$PWD/bin:$PATH
forms=()
for launcher in srun mpirun; do
  submit --run "runs/$launcher" --launcher "$launcher" --gpus-per-node 2 --container my.sif --nics mlx5_0 mlx5_1 \
    -- "${training[@]}" --train.steps 10
  forms+=("$job")
done
for job in "${forms[@]}"; do expect_end "$job" 120; done
for launcher in srun mpirun; do
  expect_finished "runs/$launcher" 10
  expect_log "runs/$launcher" 'computing on 4 x CPU'
  for card in mlx5_0 mlx5_1; do
    found=$(cat "runs/$launcher"/slurm-*.out | grep -c "^UCX_NET_DEVICES=$card apptainer exec --nv --bind $PWD my.sif ")
    [[ $found == 2 ]] || fail "$launcher: expected 2 ranks with $card, found $found"
  done
done
