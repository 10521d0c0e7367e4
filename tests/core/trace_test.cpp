// The trace: no events when off, events of all threads when on, JSON in the format of trace
// viewers.
#include "core/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/error.h"

namespace lynceus {
namespace {

nlohmann::json write_and_read(const std::string& name) {
  const std::string path = testing::TempDir() + name;
  trace::stop_and_write(path);
  std::ifstream file(path);
  return nlohmann::json::parse(file);
}

std::vector<nlohmann::json> events_named(const nlohmann::json& events, const std::string& name) {
  std::vector<nlohmann::json> found;
  for (const auto& event : events)
    if (event.at("name") == name) found.push_back(event);
  return found;
}

TEST(Trace, NestedScopesLieWithinEachOther) {
  trace::start(3);
  {
    LYNCEUS_TRACE("step");
    for (int layer = 0; layer < 2; ++layer) {
      LYNCEUS_TRACE("layer", layer);
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
  const auto events = write_and_read("trace_test_nested.json");
  const auto steps = events_named(events, "step");
  const auto layers = events_named(events, "layer");
  ASSERT_EQ(steps.size(), 1u);
  ASSERT_EQ(layers.size(), 2u);
  const auto begin = [](const nlohmann::json& event) { return event.at("ts").get<double>(); };
  const auto end = [&](const nlohmann::json& event) {
    return begin(event) + event.at("dur").get<double>();
  };
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(layers[i].at("args").at("index"), i);
    EXPECT_GE(layers[i].at("dur").get<double>(), 2000.0) << "microseconds";
    EXPECT_GE(begin(layers[i]), begin(steps[0]));
    EXPECT_LE(end(layers[i]), end(steps[0]) + 1.0);
  }
  EXPECT_LE(end(layers[0]), begin(layers[1]) + 1.0);
  EXPECT_FALSE(steps[0].contains("args"));
  for (const auto& event : events) EXPECT_EQ(event.at("pid"), 3);
  EXPECT_EQ(events_named(events, "process_name")[0].at("args").at("name"), "rank 3");
  // Wall clock: this test runs after 2024 and before 2100.
  EXPECT_GT(begin(steps[0]), 1.7e15);
  EXPECT_LT(begin(steps[0]), 4.2e15);
}

TEST(Trace, ScopesOutsideARecordingLeaveNothing) {
  { LYNCEUS_TRACE("before"); }
  {
    LYNCEUS_TRACE("across the start");
    trace::start(0);
  }
  const auto events = write_and_read("trace_test_outside.json");
  EXPECT_EQ(events.size(), 2u) << "only the two metadata events: " << events;
}

TEST(Trace, AScopeOfAnEarlierRecordingIsNotCounted) {
  trace::start(0);
  {
    LYNCEUS_TRACE("old");
    trace::start(0);
  }
  EXPECT_TRUE(events_named(write_and_read("trace_test_old.json"), "old").empty());
}

TEST(Trace, EveryThreadHasItsRow) {
  trace::start(0);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([] {
      for (int j = 0; j < 1000; ++j) {
        LYNCEUS_TRACE("work", j);
      }
    });
  for (auto& thread : threads) thread.join();
  const auto work = events_named(write_and_read("trace_test_threads.json"), "work");
  EXPECT_EQ(work.size(), 4000u);
  std::map<int, int> count;
  for (const auto& event : work) ++count[event.at("tid").get<int>()];
  EXPECT_EQ(count.size(), 4u);
  for (const auto& [thread, events] : count) EXPECT_EQ(events, 1000) << thread;
}

TEST(Trace, DirectoryIsMadeAndFailureIsNamed) {
  const std::string directory = testing::TempDir() + "trace_test_directory";
  std::filesystem::remove_all(directory);
  trace::start(0);
  trace::stop_and_write(directory + "/" + trace::file_name(10, 12, 3));
  EXPECT_TRUE(std::filesystem::exists(directory + "/step-00000010-00000012.rank-3.json"));
  trace::start(0);
  try {
    trace::stop_and_write(directory);
    FAIL() << "a directory was written as a file";
  } catch (const IoError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr(directory + ": cannot be written"));
  }
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace lynceus
