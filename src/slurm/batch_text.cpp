#include "slurm/batch_text.h"

#include <fmt/format.h>

#include "slurm/batch_body.h"
#include "slurm/batch_nodes.h"
#include "slurm/shell.h"

namespace lynceus::slurm {
namespace {

constexpr const char* kHead = R"(#!/bin/bash
# {}
# It is written by `lynceus submit`; docs/slurm.md explains it. To use it without that command, change the values
# below and submit it:
#   {}
# shellcheck disable=SC1003,SC2016,SC2317 # other shells expand some texts; traps call functions

# After the loss of a node Slurm puts the job back into the queue. After other ends this text does it.
#SBATCH --requeue
# The log of each start follows that of the one before.
#SBATCH --open-mode=append
# Seconds before the time limit, when this text asks the ranks for a checkpoint. Slurm may be a minute early or late:
# a step and a save, plus two minutes.
#SBATCH --signal=B:USR1@{}

# ---- Values of the site and of the job: change them here and nowhere else
)";

struct Description {
  const char* what;
  const char* how;  ///< to submit a file by hand
};

Description describe(JobKind kind) {
  switch (kind) {
    case JobKind::kStages:
      return {
          "Trains the stages of a model one after another. Each is a job, which starts from the "
          "run of the last one.",
          "for i in 0 1 2; do id=$(sbatch --parsable ${id:+--dependency=afterok:$id} FILE $i); "
          "done"};
    case JobKind::kAblation:
      return {"Trains a model once with each of several configs: an array of jobs.", "sbatch FILE"};
    case JobKind::kScaling:
      return {"Trains a model for some steps on several numbers of nodes, to compare the speed.",
              "for n in 1 2 4 8; do sbatch --nodes=$n FILE; done"};
    case JobKind::kTrain:
      break;
  }
  return {"Trains a model, with as many starts as that needs.", "sbatch FILE"};
}

/// One #SBATCH line; without a value a comment that shows the place.
void directive(std::string* text, const char* option, const std::string& value) {
  if (value.empty())
    *text += fmt::format("##SBATCH --{}=\n", option);
  else
    *text += fmt::format("#SBATCH --{}={}\n", option, value);
}

std::string directives(const SubmitConfig& config) {
  std::string text;
  directive(&text, "job-name", config.name);
  directive(&text, "account", config.account);
  directive(&text, "partition", config.partition);
  directive(&text, "time", config.time);
  const int64_t spares = config.spare_nodes;
  directive(&text, "nodes",
            spares == 0 ? config.node_counts().front()
                        : std::to_string(std::stoll(config.nodes) + spares));
  text += spares == 0 ? "##SBATCH --no-kill\n" : "#SBATCH --no-kill\n";
  directive(&text, "ntasks-per-node", std::to_string(config.ranks_per_node));
  directive(&text, "cpus-per-task", std::to_string(config.cores_per_rank));
  directive(&text, "gpus-per-node",
            config.gpus_per_node == 0 ? "" : std::to_string(config.gpus_per_node));
  directive(&text, "mem", config.memory);
  if (config.kind() == JobKind::kAblation)
    directive(&text, "array", fmt::format("0-{}", config.variants().size() - 1));
  directive(&text, "output",
            config.kind() == JobKind::kAblation ? "slurm-%x-%A_%a.out" : "slurm-%x-%j.out");
  for (const std::string& option : config.sbatch) text += "#SBATCH " + option + "\n";
  return text;
}

/// name=value, and a comment.
std::string variable(const char* name, const std::string& value, const char* comment) {
  return fmt::format("{}={}{}{}\n", name, value, *comment == '\0' ? "" : " # ", comment);
}

std::string variables(const SubmitConfig& config) {
  const std::string program = config.program.empty() ? "build/release/lynceus" : config.program;
  return variable("lynceus", shell_word(program), "the program on the nodes, or in the container") +
         variable(
             "launcher", config.launcher,
             "srun: Open MPI by PMIx; mpirun: Open MPI; cray: Cray MPICH by srun's own plug-in") +
         variable("spare_nodes", std::to_string(config.spare_nodes),
                  "of the nodes, to replace lost ones; needs --no-kill") +
         variable("container", shell_word(config.container), "an Apptainer image, or none") +
         variable("modules", shell_array(config.modules), "as (openmpi cuda)") +
         variable("interface", shell_word(config.interface),
                  "network interface for the start of NCCL, as ib0; none: NCCL chooses") +
         variable("nics", shell_array(config.nics),
                  "network cards for UCX, as (mlx5_0:1 mlx5_1:1): the ranks of a node take turns") +
         variable("run", shell_word(config.run),
                  config.kind() == JobKind::kTrain ? "" : "has a run directory for each run");
}

/// What is different in the jobs of one text.
std::string choice(const SubmitConfig& config) {
  switch (config.kind()) {
    case JobKind::kStages:
      return variable("stages", shell_array(config.stages()), "configs") +
             R"bash(# ---- End of the values

stage=${1:-0} # the argument of the text
train+=(--config "${stages[stage]}")
if ((stage > 0)); then train+=(--init "$run/$(basename "${stages[stage - 1]}" .ini)"); fi
run=$run/$(basename "${stages[stage]}" .ini)
)bash";
    case JobKind::kAblation:
      return variable("variants", shell_array(config.variants()),
                      "configs; --array counts them from 0") +
             R"bash(# ---- End of the values

variant=${variants[SLURM_ARRAY_TASK_ID]}
train+=(--config "$variant")
run=$run/$(basename "$variant" .ini)
)bash";
    case JobKind::kScaling:
      return variable("steps", std::to_string(config.sweep_steps), "of each job") +
             R"bash(# ---- End of the values

train+=(--stop-after "$steps")
run=$run/nodes-$SLURM_JOB_NUM_NODES
)bash";
    case JobKind::kTrain:
      break;
  }
  return "# ---- End of the values\n";
}

}  // namespace

std::vector<std::string> default_training(JobKind kind) {
  switch (kind) {
    case JobKind::kStages:
      return {"--config", "lynx-vicuna-7b"};
    case JobKind::kAblation:
      return {"--config", "pretrain-224"};
    case JobKind::kScaling:
    case JobKind::kTrain:
      break;
  }
  return {"--config", "lynx-vicuna-7b", "--config", "pretrain-224"};
}

std::vector<std::vector<std::string>> training_lines(const SubmitConfig& config,
                                                     const std::vector<std::string>& training) {
  std::vector<std::vector<std::string>> lines;
  const auto add = [&](const std::vector<std::string>& more) {
    lines.push_back(training);
    lines.back().insert(lines.back().end(), more.begin(), more.end());
  };
  for (const std::string& stage : config.stages()) add({"--config", stage});
  for (const std::string& variant : config.variants()) add({"--config", variant});
  if (config.kind() == JobKind::kScaling) add({"--stop-after", std::to_string(config.sweep_steps)});
  if (lines.empty()) add({});
  return lines;
}

std::string batch_text(const SubmitConfig& config, const std::vector<std::string>& training) {
  const Description description = describe(config.kind());
  return fmt::format(kHead, description.what, description.how, config.signal_seconds) +
         directives(config) + variables(config) +
         variable("train", shell_array(training), "options of lynceus train") + choice(config) +
         kBatchEnvironment + kBatchNodes + kBatchBody;
}

}  // namespace lynceus::slurm
