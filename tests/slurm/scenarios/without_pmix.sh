# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # a part of run.sh
# srun without PMIx starts tasks that MPI cannot join: doctor finds that critical and train refuses it, each with an exit
# code of its own and before Open MPI ends the tasks with 1. One task alone works.
cat >alone.sbatch <<'END'
#!/bin/bash
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
for mpi in none pmi2; do
  srun --mpi=$mpi --kill-on-bad-exit=0 "$lynceus" doctor --quick --allow-warnings >"doctor.$mpi" 2>&1
  echo "$mpi doctor $?"
  srun --mpi=$mpi --kill-on-bad-exit=0 "$lynceus" "${training[@]}" >"train.$mpi" 2>&1
  echo "$mpi train $?"
  srun --mpi=$mpi --nodes=1 --ntasks=1 "$lynceus" status runs/none >"status.$mpi" 2>&1
  echo "$mpi status $?"
done
srun --mpi=pmix "$lynceus" doctor --quick --allow-warnings >doctor.pmix 2>&1
echo "pmix doctor $?"
END
{
  head -n 3 alone.sbatch
  declare -p lynceus
  printf 'training=(train'
  printf ' %q' "${training[@]}"
  printf ')\n'
  tail -n +4 alone.sbatch
} >job.sbatch
job=$(sbatch --parsable --output=alone.out job.sbatch) || fail "sbatch"
expect_end "$job" 100
diff alone.out - <<'END' || fail "$(tail -n 5 doctor.* train.* status.*)"
none doctor 2
none train 2
none status 3
pmi2 doctor 2
pmi2 train 2
pmi2 status 3
pmix doctor 0
END
for mpi in none pmi2; do
  grep -q 'critical  world' "doctor.$mpi" || fail "$(cat "doctor.$mpi")"
  grep -q 'the launcher started several tasks' "train.$mpi" || fail "$(cat "train.$mpi")"
done
