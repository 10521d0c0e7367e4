#include "train/save/save_interval.h"

#include <algorithm>
#include <cmath>

namespace lynceus::train {
namespace {

constexpr double kNodeHours = 6000;  // between failures of a node, rounded down
constexpr double kLeastMinutes = 1;
constexpr double kRoom = 1.2;

}  // namespace

double young_minutes(double blocking_seconds, double save_seconds, double mtbf_hours) {
  const double optimum = std::sqrt(2 * blocking_seconds * 3600 * mtbf_hours) / 60;
  return std::max({optimum, kLeastMinutes, kRoom * save_seconds / 60});
}

double published_mtbf_hours(int nodes) { return kNodeHours / std::max(1, nodes); }

}  // namespace lynceus::train
