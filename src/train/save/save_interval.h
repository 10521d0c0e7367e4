// How often to save, if checkpoint.every_minutes is auto: Young's first-order optimum
//
//   interval = sqrt(2 · C · M)
//
// of the time that saves cost and the work that failures lose, with C the time for which a save
// stops training and M the mean time between failures (J. W. Young, "A first order approximation to
// the optimum checkpoint interval", Communications of the ACM 17(9), 1974). Saves then cost the
// share sqrt(C / 2M) of the time, and lost work as much.
#pragma once

namespace lynceus::train {

/// Minutes between saves. `blocking_seconds`: C. At least a minute, and at least 1.2 times
/// `save_seconds`, the time until a checkpoint is committed, so that one save ends before the next
/// begins.
double young_minutes(double blocking_seconds, double save_seconds, double mtbf_hours);

/// M of a job on so many nodes, if checkpoint.mtbf_hours is auto. Published: 419 unexpected
/// interruptions in 54 days on 16,384 GPUs, eight in a node ("The Llama 3 Herd of Models",
/// arXiv:2407.21783, section 3.3.4), which is one in 6,300 hours of a node.
double published_mtbf_hours(int nodes);

}  // namespace lynceus::train
