#include "core/fault_points.h"

#include <fmt/format.h>

#include "core/fault.h"

namespace lynceus::fault {
namespace {

constexpr FaultPoint kPoints[] = {
    {"checkpoint.after_rename", "The new checkpoint has its name; its folder is not yet flushed."},
    {"checkpoint.before_close", "The tensors are written and flushed; state.h5 is still open."},
    {"checkpoint.before_flush", "The tensors are written; state.h5 is not yet flushed."},
    {"checkpoint.before_manifest", "state.h5 is complete; MANIFEST.json is not yet written."},
    {"checkpoint.before_rename", "MANIFEST.json is written; the checkpoint has no name yet."},
    {"checkpoint.before_retention", "A checkpoint is committed; old ones are not yet removed."},
    {"checkpoint.begin", "A save begins; nothing is written yet."},
    {"checkpoint.closed", "This rank has closed state.h5."},
    {"checkpoint.created", "state.h5 was created; no tensor is written yet."},
    {"checkpoint.removing", "An old checkpoint has lost its name and is being deleted."},
    {"checkpoint.snapshot", "The snapshot of a save is in memory; training continues after this."},
    {"checkpoint.staged", "The staging folder of a save exists and the free space was checked."},
    {"checkpoint.write", "Before each block of a tensor that this rank writes."},
    {"generate.answer", "Before each answer that `lynceus generate` keeps."},
    {"lease.after_sweep", "A process takes the lease and has removed what its owner left."},
    {"mpi.one_thread",
     "MPI starts. do: it is asked for one thread only, so training waits for saves. Only "
     "LYNCEUS_FAULT is known here, --fault is not.",
     true},
    {"mpi.start", "MPI is not yet started. Only LYNCEUS_FAULT is known here, --fault is not."},
    {"prepare.row", "Before each row that `lynceus prepare` reads."},
    {"prepare.shard", "Before each dataset shard that `lynceus prepare` finishes."},
    {"step.before_reduce", "The gradients of a step are computed; their sums over ranks are not."},
    {"step.gradient", "A step begins. do: one gradient of this rank is NaN from here on.", true},
    {"step.output",
     "A step begins. do: the first result that this rank's layers compute is NaN: the loss on the "
     "last pipeline stage, else the activations for the next stage.",
     true},
    {"validation.batch", "Before each batch of a validation."},
    {"watch.another_call",
     "A step or its encoder begins. do: this rank calls a barrier that no other rank calls.", true},
    {"watch.checkpoint", "A save, or the trial save before the first step, begins."},
    {"watch.data", "The wait for the data of a step, or the report of a step, begins."},
    {"watch.evaluate", "A validation begins."},
    {"watch.flip_bit",
     "Replicas may be compared. do: one bit of a trained parameter of this rank flips.", true},
    {"watch.load", "The run's data is known; its model is not yet built."},
    {"watch.step", "The computation of a step begins."},
};

}  // namespace

std::span<const FaultPoint> fault_points() { return kPoints; }

std::string fault_help() {
  std::string text =
      "--fault NAME[@RANK][#NTH[-LAST]]:ACTION   makes the program fail on purpose, to test what "
      "survives\n\n"
      "The named point takes the action on that rank (default: on every rank) when it is reached "
      "for\n"
      "the NTH time (default: the first), or each time from the NTH to the LAST. Several are "
      "separated\n"
      "by commas. The trial save before the first step reaches the points of a checkpoint too.\n\n"
      "  lynceus train ... --fault step.before_reduce@1#5:kill\n\n"
      "Points:\n";
  for (const FaultPoint& point : kPoints)
    text += fmt::format("  {:<28} {}\n", point.name, point.place);
  text += "\nActions:\n";
  for (const FaultActionName& action : action_names())
    text += fmt::format("  {:<28} {}\n", action.name, action.meaning);
  return text;
}

}  // namespace lynceus::fault
