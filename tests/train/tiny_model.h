// A Lynx of a few thousand parameters with random weights and random batches (images, videos, text,
// several images per sample), and a run of it on any grid. Everything is a pure function of seeds,
// so a run on one rank is the reference of a run on eight.
#pragma once

#include <cmath>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/random.h"
#include "model/parameter_value.h"
#include "parallel/device_communicator.h"
#include "train/step/step.h"

namespace lynceus::train::tiny {

/// 8 layers, adapters after 0, 2, 4, 6. 67 tokens are not divisible by any number of ranks;
/// everything that is split is a multiple of `heads`.
inline model::ModelConfig config(int64_t heads = 8) {
  model::ModelConfig config;
  config.llm.hidden_size = 4 * heads;
  config.llm.intermediate_size = 5 * heads;
  config.llm.num_layers = 8;
  config.llm.num_heads = heads;
  config.llm.vocab_size = 67;
  config.llm.init_std = 0.15;
  config.vision.image_size = 8;
  config.vision.patch_size = 4;
  config.vision.hidden_size = 16;
  config.vision.num_layers = 2;
  config.vision.num_heads = 2;
  config.vision.intermediate_size = 24;
  config.vision.num_frames = 3;
  config.vision.images_per_pass = 2;
  config.bridge.num_latents = 3;
  config.bridge.num_layers = 2;
  config.bridge.num_heads = 2;
  config.bridge.head_dim = 6;
  config.bridge.intermediate_factor = 2;
  config.adapter.init_std = 0.2;
  return config;
}

enum class Kind { kImage, kText, kVideo, kImages };

struct Batch {
  uint64_t seed = 0;
  std::vector<SampleInput> samples;  ///< the global batch

  GlobalReach reach() const {
    GlobalReach reach;
    for (const SampleInput& sample : samples) {
      reach.any_sample = true;
      reach.any_media |= sample.frames() > 0;
      reach.any_video |= sample.is_video;
    }
    return reach;
  }
};

/// Samples of 5 to 12 tokens, about half of them scored, the last one always.
inline Batch make_batch(uint64_t seed, const std::vector<Kind>& kinds, int64_t vocabulary = 67) {
  Batch batch{seed, {}};
  for (size_t i = 0; i < kinds.size(); ++i) {
    const CounterRandom random(seed, fmt::format("sample {}", i));
    SampleInput sample;
    sample.index = static_cast<int64_t>(i);
    if (kinds[i] == Kind::kImage) sample.item_frames = {1};
    if (kinds[i] == Kind::kVideo) sample.item_frames = {3};
    if (kinds[i] == Kind::kImages) sample.item_frames = {1, 1};
    sample.is_video = kinds[i] == Kind::kVideo;
    const uint64_t text = 5 + random.below(0, 8);
    for (uint64_t t = 0; t < text; ++t) {
      sample.token_ids.push_back(
          static_cast<int32_t>(random.below(10 + t, static_cast<uint64_t>(vocabulary))));
      sample.scored.push_back(t + 1 == text || random.uniform(100 + t) < 0.5);
    }
    batch.samples.push_back(std::move(sample));
  }
  return batch;
}

struct Options {
  model::ModelConfig model = config();
  parallel::GridShape grid;
  BatchLimits limits{40, 0};
  StepOptions step;
  OptimizerConfig optimizer;
  double label_smoothing = 0.1;
  parallel::Overlap overlap = {};
};

/// Global tensors by name.
using Named = std::map<std::string, std::vector<float>>;

enum class Part { kValue, kGradient, kFirstMoment, kSecondMoment };

/// ‖a − b‖ / ‖b‖ over all tensors.
inline double relative_l2(const Named& a, const Named& b) {
  double difference = 0, norm = 0;
  for (const auto& [name, expected] : b)
    for (size_t i = 0; i < expected.size(); ++i) {
      const double e = expected[i];
      difference += (a.at(name)[i] - e) * (a.at(name)[i] - e);
      norm += e * e;
    }
  return std::sqrt(difference / norm);
}

/// The stream of a run: on the CPU, or with LYNCEUS_TEST_DEVICE=cuda on the first CUDA device (or
/// its stand-in), which all ranks share; with LYNCEUS_TEST_TRANSPORT=nccl one device per rank.
inline Stream test_stream(int rank) {
  const auto is = [](const char* name, const char* value) {
    const char* text = std::getenv(name);
    return text != nullptr && std::string(text) == value;
  };
  if (!is("LYNCEUS_TEST_DEVICE", "cuda")) return Stream();
  return Stream(Device{DeviceKind::kCuda, is("LYNCEUS_TEST_TRANSPORT", "nccl") ? rank : 0});
}

inline Runtime make_runtime(const Options& options, std::unique_ptr<parallel::Communicator> world) {
  const char* rank = std::getenv("OMPI_COMM_WORLD_RANK");
  const Stream stream = test_stream(rank == nullptr ? 0 : std::atoi(rank));
  Runtime rt(stream, parallel::make_grid(options.grid, std::move(world), stream));
  rt.overlap = options.overlap;
  rt.overlap.tensor_rows = 1;  // the batches are small
  return rt;
}

/// One rank's part of a run.
class Run {
 public:
  Run(std::unique_ptr<parallel::Communicator> world, const Options& options)
      : options_(options),
        rt_(make_runtime(options, std::move(world))),
        model_(model::make_lynx(rt_, options.model,
                                model::partition_model(options.model, options.grid.pipeline, ""),
                                options.label_smoothing)) {
    model::validate_layout(options.model, options.grid.tensor, options.grid.pipeline);
    model::initialize(rt_, &model_, 7);
    model_.visit_parameters([&](Parameter& parameter) { disturb(rt_, parameter); });
    model::refresh_rounded(rt_, &model_);
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  const Runtime& rt() const { return rt_; }
  model::LynxModel& model() { return model_; }
  const Options& options() const { return options_; }
  Optimizer& optimizer() {
    if (!optimizer_) {  // created late, so that a test can change the weights first
      model_.pack(rt_);
      optimizer_ = std::make_unique<Optimizer>(rt_, &model_, options_.optimizer);
    }
    return *optimizer_;
  }

  /// Replica i mod data_parallel gets sample i.
  ReplicaBatch replica_batch(const Batch& batch) const {
    std::vector<SampleInput> mine;
    for (const SampleInput& sample : batch.samples)
      if (sample.index % options_.grid.data == rt_.grid.data->rank()) mine.push_back(sample);
    return make_replica_batch(rt_, options_.model, std::move(mine), options_.limits,
                              rt_.grid.replica->size());
  }

  /// Counts, by global index, the samples whose pixels this rank requested.
  PixelSource pixels(const Batch& batch, const ReplicaBatch& mine) {
    return [this, &batch, &mine](int64_t position) {
      const SampleInput& sample = mine.samples[static_cast<size_t>(position)];
      ++encoded_[sample.index];
      const int64_t side = options_.model.vision.image_size;
      const Tensor values = Tensor::empty(rt_.host(), {sample.frames(), 3, side, side}, DType::kF32,
                                          MemoryOwner::kInput);
      const CounterRandom random(batch.seed, fmt::format("pixels {}", sample.index));
      for (int64_t i = 0; i < values.size(); ++i)
        values.data<float>()[i] = static_cast<float>(random.normal(static_cast<uint64_t>(i)));
      return values;
    };
  }
  const std::map<int64_t, int64_t>& encoded() const { return encoded_; }

  /// If the encoder runs ahead, it overlaps with the update of the previous step.
  StepResult step(const Batch& batch, double lr = 3e-3) {
    ReplicaBatch mine = replica_batch(batch);
    optimizer();  // packs the encoder before it runs ahead
    if (rt_.overlaps(&parallel::Overlap::vision)) {
      if (!side_) side_ = rt_.on(Stream(rt_.stream.device(), accelerator::Priority::kLow));
      encode_ahead(rt_, *side_, model_, &mine, pixels(batch, mine))();
    }
    return train_step(rt_, model_, &optimizer(), &mine, pixels(batch, mine), batch.reach(),
                      options_.step, lr);
  }

  /// Forward, backward and the sum over replicas; the buffers hold the gradient of the summed loss.
  StepResult gradients(const Batch& batch) {
    ReplicaBatch mine = replica_batch(batch);
    StepResult result;
    optimizer().begin_step(batch.reach());
    const StepLoss loss = accumulate_gradients(rt_, model_, &optimizer(), &mine,
                                               pixels(batch, mine), options_.step, &result);
    optimizer().reduce_gradients();
    result.loss = rt_.grid.data->all_reduce(loss.sum);
    result.totals.scored_tokens = rt_.grid.data->all_reduce(loss.scored);
    return result;
  }

  /// Collective over the run: the trained global tensors.
  Named gather(Part part) {
    const std::vector<std::pair<std::string, Shape>> layout = trained_tensors();
    int64_t total = 0;
    std::map<std::string, int64_t> offsets;
    for (const auto& [name, shape] : layout) {
      offsets[name] = total;
      total += shape.elements();
    }
    const Tensor flat = Tensor::zeros(rt_.host(), {total});
    for (const TrainedParameter& trained : optimizer().parameters())
      if (trained.counts_in_norm && rt_.grid.data->rank() == 0)
        place(*trained.parameter, model::on_host(rt_, part_of(trained, part)),
              flat.data<float>() + offsets.at(trained.parameter->name));
    rt_.grid.world->all_reduce(flat);
    Named named;
    for (const auto& [name, shape] : layout) {
      const float* begin = flat.data<float>() + offsets[name];
      named[name].assign(begin, begin + shape.elements());
    }
    return named;
  }

  /// Collective over the run: the name of a trained tensor whose copies (over tensor ranks, over
  /// replicas, over all ranks for the bridge) are not equal to the bit; "" if there is none.
  std::string differing_copy() {
    const auto compare = [&](parallel::Communicator& group, auto belongs) {
      std::vector<int32_t> bits;
      std::vector<std::string> names;
      for (const TrainedParameter& trained : optimizer().parameters()) {
        const Parameter& parameter = *trained.parameter;
        if (!belongs(parameter)) continue;
        const Tensor here = model::on_host(rt_, parameter.value);
        const auto* values = static_cast<const int32_t*>(here.raw());
        bits.insert(bits.end(), values, values + parameter.value.size());
        names.insert(names.end(), static_cast<size_t>(parameter.value.size()), parameter.name);
      }
      const Tensor most = Tensor::from(rt_.host(), {static_cast<int64_t>(bits.size())}, bits);
      const Tensor least = most.clone(rt_.host());
      group.all_reduce(most, parallel::ReduceOp::kMax);
      group.all_reduce(least, parallel::ReduceOp::kMin);
      for (size_t i = 0; i < names.size(); ++i)
        if (most.data<int32_t>()[i] != least.data<int32_t>()[i]) return names[i];
      return std::string();
    };
    const std::string over_tensor = compare(*rt_.grid.tensor, [](const Parameter& p) {
      return !model::in_vision_branch(p) && !p.sharded();
    });
    const std::string over_data =
        compare(*rt_.grid.data, [](const Parameter& p) { return !model::in_vision_branch(p); });
    const std::string over_world = compare(*rt_.grid.world, model::in_vision_branch);
    return over_tensor + over_data + over_world;
  }

 private:
  /// Biases and norm weights start as 0 and 1; other values find more mistakes.
  static void disturb(const Runtime& rt, Parameter& parameter) {
    if (parameter.value.rank() != 1) return;
    const Tensor values = model::on_host(rt, parameter.value);
    const CounterRandom random(11, parameter.name);
    for (int64_t i = 0; i < parameter.valid_extent(); ++i) {
      const auto index =
          static_cast<uint64_t>(i + (parameter.sharded() ? parameter.shard.offset : 0));
      values.data<float>()[i] += static_cast<float>(0.2 * random.normal(index));
    }
    model::set_from_host(rt, values, parameter.value);
  }

  /// Names and global shapes of all trained parameters, on all stages.
  std::vector<std::pair<std::string, Shape>> trained_tensors() const {
    const Runtime nowhere{Stream(Device{DeviceKind::kNone, 0}),
                          parallel::make_grid({}, parallel::make_self_communicator())};
    model::LynxModel whole =
        model::make_lynx(nowhere, options_.model, model::partition_model(options_.model, 1, ""), 0);
    std::vector<std::pair<std::string, Shape>> tensors;
    whole.visit_parameters([&](Parameter& parameter) {
      if (parameter.trainable()) tensors.emplace_back(parameter.name, parameter.global_shape());
    });
    return tensors;
  }

  static const Tensor& part_of(const TrainedParameter& trained, Part part) {
    if (part == Part::kValue) return trained.parameter->value;
    if (part == Part::kGradient) return trained.parameter->grad;
    return part == Part::kFirstMoment ? trained.m : trained.v;
  }

  /// The local values at their positions in the global tensor.
  static void place(const Parameter& parameter, const Tensor& local, float* global) {
    const float* values = local.data<float>();
    if (parameter.shard.axis != 1) {
      const int64_t row = local.rank() == 0 || local.dim(0) == 0 ? 0 : local.size() / local.dim(0);
      const int64_t rows = parameter.sharded() ? parameter.valid_extent() : local.dim(0);
      const int64_t first = parameter.sharded() ? parameter.shard.offset : 0;
      std::copy(values, values + rows * row, global + first * row);
      return;
    }
    const int64_t columns = local.dim(1);
    for (int64_t r = 0; r < local.dim(0); ++r)
      std::copy(values + r * columns, values + (r + 1) * columns,
                global + r * parameter.shard.global_extent + parameter.shard.offset);
  }

  Options options_;
  Runtime rt_;
  model::LynxModel model_;
  std::unique_ptr<Optimizer> optimizer_;
  std::optional<Runtime> side_;
  std::map<int64_t, int64_t> encoded_;
};

}  // namespace lynceus::train::tiny
