#!/bin/bash
#SBATCH --job-name=squall
#SBATCH --array=1-8
#SBATCH --cpus-per-task=1
#SBATCH --time=01:00:00
#
# One campaign on many machines of a Slurm cluster: each task of the array runs one shard of the seeds into a folder of its own
# below OUT, which all machines share. Submit it, then combine the folders when all tasks have ended:
#
#     export SQUALL=$PWD/target/release/my-store SYSTEM=my-store SEEDS=100000 OUT=$PWD/squall-out/slurm
#     job=$(sbatch --parsable docs/ci/slurm.sh)
#     sbatch --dependency=afterany:$job --wrap='"$SQUALL" report "$OUT"/shard-* --out "$OUT"/all --junit "$OUT"/junit.xml'
#
# The number of shards is that of the array: `sbatch --array=1-64 …`.
set -euo pipefail

code=0
"${SQUALL:?the binary}" campaign "${SYSTEM:?the system}" \
    --seeds "${SEEDS:-10000}" \
    --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" \
    --jobs "${SLURM_CPUS_PER_TASK:-1}" \
    --out "${OUT:?a folder that all machines share}/shard-$SLURM_ARRAY_TASK_ID" || code=$?

# A task that found something (1), or of which nothing can be said (3), has done its work.
case $code in
    0 | 1 | 3) ;;
    *) exit "$code" ;;
esac
