// What `lynceus submit` is asked for: the values of a site, of its nodes and of the jobs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config/faults.h"
#include "core/config/visitor.h"

namespace lynceus::slurm {

/// The four texts of slurm/: one run; runs of which each starts from the one before; runs of
/// several configs, an array of Slurm; the same run on several numbers of nodes.
enum class JobKind { kTrain, kStages, kAblation, kScaling };

struct SubmitConfig {
  std::string run = "runs/lynceus";
  std::string nodes = "2";
  int64_t spare_nodes = 0;
  std::string stage;
  std::string array;
  int64_t sweep_steps = 50;
  bool dry_run = false;

  std::string name = "lynceus";
  std::string account;
  std::string partition;
  std::string time = "24:00:00";
  std::string memory = "0";
  std::vector<std::string> sbatch;
  int64_t signal_seconds = 300;

  int64_t ranks_per_node = 4;
  int64_t cores_per_rank = 16;
  int64_t gpus_per_node = 4;
  std::string interface;
  std::vector<std::string> nics;

  std::string launcher = "srun";
  std::string container;
  std::vector<std::string> modules;
  std::string program;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.section("job", "what is run");
    v.field("run", run, "run directory; of several runs the folder that has one for each");
    v.field("nodes", nodes, "number of nodes; several (1,2,4,8): a job for each, to compare speed");
    v.field("spare-nodes", spare_nodes,
            "nodes that the job has besides --nodes: one that is lost is replaced at once, without "
            "the queue; for one run and for stages");
    v.field("stage", stage,
            "configs of training stages (pretrain-224,finetune-420): a job for each, which starts "
            "from the last checkpoint of the one before");
    v.field("array", array,
            "configs (a.ini,b.ini), or a folder of them: an array with one run for each");
    v.field("sweep-steps", sweep_steps, "steps of each job when --nodes has several numbers");
    v.field("dry-run", dry_run, "print the text and the calls of sbatch, submit nothing");
    v.section("slurm", "options of sbatch");
    v.field("name", name, "name of the job");
    v.field("account", account, "account that pays");
    v.field("partition", partition, "partition");
    v.field("time", time,
            "time limit of one start, as sbatch reads it; a run may have many starts");
    v.field("memory", memory, "memory of a node; 0: all of it");
    v.list("sbatch", sbatch, "a further option of sbatch (--sbatch=--NAME=VALUE), repeatable");
    v.field("signal-seconds", signal_seconds,
            "how long before the time limit Slurm asks for a checkpoint: a step, a save and 2 min");
    v.section("node", "how a node is used");
    v.field("ranks-per-node", ranks_per_node, "ranks of a node; with GPUs one for each");
    v.field("cores-per-rank", cores_per_rank, "cores of a rank");
    v.field("gpus-per-node", gpus_per_node, "GPUs of a node; 0: compute on CPUs");
    v.field("interface", interface, "network interface for the start of NCCL (ib0)");
    v.list("nics", nics, "network card for UCX (mlx5_0:1), repeatable: ranks of a node take turns");
    v.section("program", "how it is started");
    v.choice("launcher", launcher, {"srun", "mpirun", "cray"},
             "srun: Open MPI by PMIx; mpirun: Open MPI; cray: Cray MPICH by srun's own plug-in");
    v.field("container", container, "Apptainer image that has lynceus");
    v.list("modules", modules, "environment module to load, repeatable");
    v.field("program", program, "the program on the compute nodes; default: this one");
  }

  /// UsageError, all faults together, for values that cannot stand in the text or contradict each
  /// other, and for configs that do not exist.
  void check(ConfigFaults* faults) const;

  JobKind kind() const;
  std::vector<std::string> node_counts() const;
  std::vector<std::string> stages() const;
  /// The configs of `array`; of a folder all *.ini, in alphabetical order.
  std::vector<std::string> variants() const;
};

}  // namespace lynceus::slurm
