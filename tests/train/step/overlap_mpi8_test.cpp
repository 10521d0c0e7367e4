// What overlaps with computation (parallel.overlap): results do not depend on it, and the trace
// shows it. On CPUs nothing overlaps; on a device everything does, or only the parts that are
// named.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "core/trace.h"
#include "parallel/mpi_session.h"
#include "tests/train/tiny_model.h"

namespace lynceus::train {
namespace {

using parallel::GridShape;
using parallel::ScheduleKind;
using tiny::Kind;
using tiny::Named;
using tiny::Part;

const std::vector<Kind> kMixed = {Kind::kImage, Kind::kText,  Kind::kVideo, Kind::kImages,
                                  Kind::kImage, Kind::kVideo, Kind::kText};

bool on_device() { return !tiny::test_stream(0).device().is_cpu(); }

TEST(Overlap, ChangesTheOrderOfWorkAndNoResult) {
  const auto world = parallel::make_world();
  for (const auto& [first, second] : std::vector<std::pair<GridShape, GridShape>>{
           {{1, 2, 2}, {1, 4, 1}}, {{2, 1, 2}, {4, 1, 1}}}) {
    std::vector<double> losses;
    Named values;
    for (const char* const overlap : {"none", "gradients,pipeline", "all"}) {
      tiny::Options options;
      options.grid = world->rank() < 4 ? first : second;
      SCOPED_TRACE(options.grid.to_string() + ", " + overlap);
      options.limits.micro_batch_tokens = 20;
      options.step.schedule = ScheduleKind::kEager;
      options.overlap = parallel::parse_overlap(overlap);
      tiny::Run run(parallel::split(*world, world->rank() / 4, world->rank()), options);
      std::vector<double> found;
      for (uint64_t step = 0; step < 2; ++step)
        found.push_back(run.step(tiny::make_batch(step, kMixed)).loss);
      const Named end = run.gather(Part::kValue);
      EXPECT_EQ(run.differing_copy(), "");
      if (values.empty()) {
        losses = found;
        values = end;
      } else if (options.grid.tensor == 1 || !run.rt().overlaps(&parallel::Overlap::tensor)) {
        EXPECT_EQ(found, losses);
        EXPECT_EQ(end, values);
      } else {  // a sum in chunks may round differently
        for (size_t step = 0; step < 2; ++step)
          EXPECT_NEAR(found[step], losses[step], 1e-6 * losses[step]);
        EXPECT_LE(tiny::relative_l2(end, values), 1e-5);
      }
    }
  }
}

TEST(Overlap, CutsSumsOverTensorRanksOnADevice) {
  const auto world = parallel::make_world();
  const tiny::Batch batch = tiny::make_batch(1, kMixed);
  const auto counts_of = [&](const char* overlap) {
    tiny::Options options;
    options.grid = {2, 1, 4};
    options.limits.micro_batch_tokens = 1000;
    options.overlap = parallel::parse_overlap(overlap);
    tiny::Run run(parallel::split(*world, 0, world->rank()), options);
    run.step(batch);
    run.rt().grid.tensor->reset_counts();
    run.step(batch);
    const auto& counts = run.rt().grid.tensor->counts();
    return std::pair(world->all_reduce(counts.all_reduces), world->all_reduce(counts.bytes));
  };
  const auto whole = counts_of("none"), cut = counts_of("tensor");
  EXPECT_EQ(cut.second, whole.second);
  if (!on_device())
    EXPECT_EQ(cut.first, whole.first);
  else
    EXPECT_GT(cut.first, whole.first + 100);
}

/// Events of a trace by name, and the names of its rows.
struct Trace {
  std::map<std::string, std::vector<nlohmann::json>> events;
  std::map<int, std::string> rows;

  explicit Trace(const std::string& path) {
    std::ifstream file(path);
    for (const auto& event : nlohmann::json::parse(file)) {
      if (event.at("name") == "thread_name")
        rows[event.at("tid")] = event.at("args").at("name");
      else
        events[event.at("name")].push_back(event);
    }
  }
  /// The row of a device event; "" of a host's.
  std::string row_of(const nlohmann::json& event) const {
    const auto row = rows.find(event.at("tid"));
    return row == rows.end() ? "" : row->second;
  }
  std::set<std::string> rows_of(const std::string& name) const {
    std::set<std::string> found;
    if (const auto events_of = events.find(name); events_of != events.end())
      for (const auto& event : events_of->second) found.insert(row_of(event));
    return found;
  }
};

bool within(const nlohmann::json& inner, const nlohmann::json& outer) {
  const double begin = inner.at("ts"), outer_begin = outer.at("ts");
  return begin >= outer_begin && begin <= outer_begin + outer.at("dur").get<double>();
}

TEST(Overlap, ShowsInTheTrace) {
  const auto world = parallel::make_world();
  tiny::Options options;
  options.grid = {2, 2, 2};
  options.limits.micro_batch_tokens = 20;
  tiny::Run run(parallel::split(*world, 0, world->rank()), options);
  run.step(tiny::make_batch(1, kMixed));
  trace::start(world->rank(), run.rt().stream.pool()->queue());
  run.step(tiny::make_batch(2, kMixed));
  const std::string path =
      fmt::format("{}overlap_{}_{}.json", testing::TempDir(), on_device(), world->rank());
  trace::stop_and_write(path);
  const Trace trace(path);

  const std::set<std::string> host = {""};
  if (!on_device()) {
    EXPECT_TRUE(trace.rows.empty());
    EXPECT_EQ(trace.rows_of("forward"), host);
    return;
  }
  EXPECT_EQ(trace.rows_of("forward"), (std::set<std::string>{"", "device: compute"}));
  EXPECT_EQ(trace.rows_of("backward"), (std::set<std::string>{"", "device: compute"}));
  EXPECT_TRUE(trace.rows_of("exchange").contains("device: pipeline group"));
  EXPECT_EQ(
      trace.rows_of("all_reduce"),
      (std::set<std::string>{"device: tensor group", "device: data group", "device: world group"}));
  // Of this rank's images, if it has any.
  const auto encoded = trace.rows_of("vision encoder");
  EXPECT_TRUE(encoded.empty() || encoded.contains("device: ahead"))
      << testing::PrintToString(encoded);
  // Sums over replicas start before the last backward is submitted to the device.
  const auto& backward = trace.events.at("backward");
  const auto early = [&](const nlohmann::json& reduction) {
    return std::any_of(backward.begin(), backward.end(), [&](const nlohmann::json& computation) {
      return trace.row_of(computation).empty() && within(reduction, computation);
    });
  };
  const auto& reductions = trace.events.at("reduce gradients");
  EXPECT_TRUE(std::any_of(reductions.begin(), reductions.end(), early));
}

}  // namespace
}  // namespace lynceus::train
