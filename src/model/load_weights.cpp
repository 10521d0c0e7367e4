// Matches released names with a model's parameters, reads each rank's slices in one replica and
// broadcasts them to the others.
#include "model/load_weights.h"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <sstream>

#include "core/process/stop_request.h"
#include "io/weight_views/pad_row.h"
#include "model/parameter_value.h"
#include "model/position_interpolation.h"
#include "parallel/agreement.h"

namespace lynceus::model {
namespace {

constexpr const char* kPosition = "vision_encoder.pos_embed";

bool selects(const ParameterFilter& filter, const Parameter& parameter) {
  return !filter || filter(parameter);
}

/// Whether `found` is the shape of positions that interpolation turns into `expected`.
bool is_other_resolution(const std::string& name, const Shape& found, const Shape& expected) {
  if (name != kPosition || found.rank() != 3 || found[2] != expected[2]) return false;
  const int64_t grid = std::llround(std::sqrt(static_cast<double>(found[1] - 1)));
  return grid * grid + 1 == found[1];
}

void read_parameter(const Runtime& rt, const VisionConfig& vision, const io::WeightSource& source,
                    const Parameter& parameter) {
  const Tensor& value = parameter.value;
  if (!(source.shape(parameter.name) == parameter.global_shape())) {
    const Tensor whole = source.read_whole(rt.host(), parameter.name);
    return set_from_host(rt, interpolate_position(rt.host(), whole, vision.grid()), value);
  }
  // Read in place and in its own type: an f32 copy of the largest tensor is half a gigabyte.
  if (value.device() == rt.host().device())
    return source.read_shard(parameter.name, parameter.shard, value);
  // Pinned: the copy to the device runs while the next tensor is read.
  const Tensor here = Tensor::empty(rt.host(), value.shape(), value.dtype(), MemoryOwner::kInput);
  source.read_shard(parameter.name, parameter.shard, here);
  value.copy_from(here);
}

/// On the rank's threads, the largest first, so that no thread starts a large one at the end; on a
/// few of them if the values go to a device, since each holds a pinned tensor. Of several errors
/// the first parameter's is thrown.
void read_parameters(const Runtime& rt, const VisionConfig& vision, const io::WeightSource& source,
                     const std::vector<const Parameter*>& parameters) {
  std::vector<std::exception_ptr> errors(parameters.size());
  std::vector<size_t> order(parameters.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return parameters[a]->value.size() > parameters[b]->value.size();
  });
  constexpr int kPinnedTensors = 4;
  const int threads = rt.stream.device().is_cpu() ? omp_get_max_threads()
                                                  : std::min(omp_get_max_threads(), kPinnedTensors);
#pragma omp parallel for schedule(dynamic) num_threads(threads)
  for (const size_t i : order) {
    try {
      leave_if_requested("loading weights");
      read_parameter(rt, vision, source, *parameters[i]);
    } catch (...) {
      errors[i] = std::current_exception();
    }
  }
  for (const std::exception_ptr& error : errors)
    if (error) std::rethrow_exception(error);
}

/// One replica reads for all.
bool reads(const Runtime& rt, const Parameter& parameter) {
  return in_vision_branch(parameter) ? rt.grid.world->rank() == 0 : rt.grid.data->rank() == 0;
}

/// Broadcasts tensors to a group until one of its ranks is asked to stop. All ranks of another
/// group decide for themselves.
class Sender {
 public:
  explicit Sender(parallel::Communicator* group) : group_(*group) {}

  void send(const Tensor& value) {
    if (group_.size() == 1 || stops_) return;
    stops_ = group_.all_reduce(int64_t{stop_is_requested()}, parallel::ReduceOp::kMax) != 0;
    if (!stops_) group_.broadcast(value, 0);
  }

 private:
  parallel::Communicator& group_;
  bool stops_ = false;
};

/// How much the row of [PAD] may differ: it is the mean of all other rows, which each program
/// computes in an order and a type of its own, bf16 being the coarsest.
class PadTolerance {
 public:
  PadTolerance(const Parameter& parameter, const Tensor& values) {
    const auto& names = io::kVocabularyWeights;
    if (std::find(names.begin(), names.end(), parameter.name) == names.end()) return;
    const int64_t row = parameter.global_shape()[0] - 1 - parameter.shard.offset;
    if (row < 0 || row >= parameter.valid_extent()) return;
    begin_ = row * values.cols();
    end_ = begin_ + values.cols();
    for (int64_t i = begin_; i < end_; ++i)
      largest_ = std::max(largest_, std::abs(values.data<float>()[i]));
  }
  bool permits(int64_t i, float a, float b) const {
    constexpr float kRelative = 0x1p-7F, kOfLargest = 0x1p-12F;
    return i >= begin_ && i < end_ &&
           std::abs(a - b) <=
               kRelative * std::max(std::abs(a), std::abs(b)) + kOfLargest * largest_;
  }

 private:
  int64_t begin_ = 0, end_ = 0;
  float largest_ = 0;
};

/// The largest difference between the parameter's values and those in `source`, rounded like them;
/// nullopt if all bits are equal. A NaN on one side counts as infinite, and so does another shape.
std::optional<double> difference(const Runtime& rt, const VisionConfig& vision,
                                 const io::WeightSource& source, const Parameter& parameter) {
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  const Shape expected = parameter.global_shape(), found = source.shape(parameter.name);
  if (!(found == expected) && !is_other_resolution(parameter.name, found, expected))
    return kInfinite;
  Parameter read = parameter;
  read.value = Tensor::empty(rt.host(), parameter.value.shape(), parameter.value.dtype());
  read_parameter(rt, vision, source, read);
  const Tensor mine = on_host(rt, parameter.value), theirs = on_host(rt, read.value);
  if (std::memcmp(mine.raw(), theirs.raw(), mine.bytes()) == 0) return std::nullopt;
  const PadTolerance pad(parameter, mine);
  std::optional<double> largest;
  for (int64_t i = 0; i < mine.size(); ++i) {
    const float a = mine.data<float>()[i], b = theirs.data<float>()[i];
    if (std::memcmp(&a, &b, sizeof(a)) == 0 || pad.permits(i, a, b)) continue;
    const double change = std::abs(double{a} - double{b});
    largest = std::max(largest.value_or(0), std::isnan(change) ? kInfinite : change);
  }
  return largest;
}

}  // namespace

ParameterFilter of_module(Module module) {
  return [module](const Parameter& parameter) { return parameter.module == module; };
}

std::vector<io::ExpectedTensor> expected_tensors(const ModelConfig& config,
                                                 const ParameterFilter& filter) {
  const Runtime rt{Stream(Device{DeviceKind::kNone, 0}),
                   parallel::make_grid({}, parallel::make_self_communicator())};
  LynxModel model = make_lynx(rt, config, partition_model(config, 1, ""), 0);
  std::vector<io::ExpectedTensor> expected;
  model.visit_parameters([&](Parameter& parameter) {
    if (selects(filter, parameter)) expected.push_back({parameter.name, parameter.global_shape()});
  });
  return expected;
}

void check_weights(const ModelConfig& config, const io::WeightSource& source,
                   const ParameterFilter& filter, const std::string& note) {
  std::vector<io::ExpectedTensor> expected = expected_tensors(config, filter);
  for (io::ExpectedTensor& tensor : expected)
    if (source.has(tensor.name) &&
        is_other_resolution(tensor.name, source.shape(tensor.name), tensor.shape))
      tensor.shape = source.shape(tensor.name);
  io::match_weights(source, expected, io::kIgnoredWeights, note);
}

void load_weights(const Runtime& rt, LynxModel* model, const io::WeightSource& source,
                  const ParameterFilter& filter) {
  std::vector<Parameter*> wanted;
  model->visit_parameters([&](Parameter& parameter) {
    if (selects(filter, parameter)) wanted.push_back(&parameter);
  });
  // Ranks agree on the errors of all readers before the first broadcast, so that no rank waits in
  // it.
  std::vector<const Parameter*> mine;
  for (const Parameter* parameter : wanted)
    if (reads(rt, *parameter)) mine.push_back(parameter);
  parallel::agree(*rt.grid.world, [&] { read_parameters(rt, model->config.vision, source, mine); });
  Sender to_all(rt.grid.world.get()), to_replicas(rt.grid.data.get());
  for (const Parameter* parameter : wanted)
    (in_vision_branch(*parameter) ? to_all : to_replicas).send(parameter->value);
  parallel::agree(*rt.grid.world, [] { leave_if_requested("sending weights"); });
  refresh_rounded(rt, model);
  if (!rt.stream.device().is_cpu()) rt.host().pool()->trim();  // pinned
}

std::vector<DifferingTensor> differing_tensors(const Runtime& rt, LynxModel* model,
                                               const io::WeightSource& source,
                                               const ParameterFilter& filter) {
  std::string mine;
  parallel::agree(*rt.grid.world, [&] {
    model->visit_parameters([&](Parameter& parameter) {
      if (!selects(filter, parameter) || !reads(rt, parameter)) return;
      leave_if_requested("comparing weights");
      if (const auto largest = difference(rt, model->config.vision, source, parameter))
        mine += fmt::format("{} {}\n", parameter.name, *largest);
    });
  });
  std::map<std::string, double> by_name;  // the shards of a tensor are on several ranks
  for (const std::string& text : rt.grid.world->all_gather(mine)) {
    std::istringstream lines(text);
    std::string name, largest;
    while (lines >> name >> largest)
      by_name[name] = std::max(by_name[name], std::strtod(largest.c_str(), nullptr));
  }
  std::vector<DifferingTensor> differing;
  for (const auto& [name, largest] : by_name) differing.push_back({name, largest});
  return differing;
}

}  // namespace lynceus::model
