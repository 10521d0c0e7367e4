// Series of dataset shards: where they are split, which files remain; corpus.txt; the baseline.
#include "io/dataset/shard_series.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "core/error.h"
#include "io/dataset/answer_counts.h"
#include "io/dataset/dataset.h"
#include "io/files/file.h"
#include "prepare/corpus_writer.h"

namespace lynceus::prepare {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

class ShardSeriesTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(directory_);
    fs::create_directories(directory_);
  }
  void TearDown() override { fs::remove_all(directory_); }

  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& entry : fs::directory_iterator(directory_))
      all.push_back(entry.path().filename().string());
    std::sort(all.begin(), all.end());
    return all;
  }
  void write(int samples, uint64_t max_bytes) const {
    io::ShardSeries series(directory_, "a", {"caption", "tests", "shard_series_test"}, max_bytes);
    for (int i = 0; i < samples; ++i) series.add(sample(i));
    series.close();
    EXPECT_EQ(series.samples(), samples);
    EXPECT_EQ(series.media(), samples);
    EXPECT_EQ(series.media_bytes(), 100u * static_cast<unsigned>(samples));
  }
  static io::Sample sample(int i) {
    return {"s" + std::to_string(i),
            io::MediaKind::kFrames,
            {std::string(100, static_cast<char>('a' + i))},
            {{io::TurnRole::kUser, "q"}, {io::TurnRole::kAssistant, i % 3 == 0 ? "yes" : "no"}}};
  }

  fs::path directory_ = fs::path(testing::TempDir()) / "shard_series";
};

TEST_F(ShardSeriesTest, SplitsWhereAShardIsFull) {
  write(5, 200);
  EXPECT_THAT(names(),
              ElementsAre("a-1.h5", "a-1.h5.xxh", "a-2.h5", "a-2.h5.xxh", "a.h5", "a.h5.xxh"));
  EXPECT_EQ(io::ShardReader(directory_ / "a.h5").key(1), "s1");
  EXPECT_EQ(io::ShardReader(directory_ / "a-2.h5").key(0), "s4");
  EXPECT_EQ(io::Dataset("a", (directory_ / "a*.h5").string()).size(), 5);
}

TEST_F(ShardSeriesTest, TextsFillAShardToo) {
  io::ShardSeries series(directory_, "a", {}, 250);
  for (int i = 0; i < 5; ++i)
    series.add({"s" + std::to_string(i),
                io::MediaKind::kFrames,
                {},
                {{io::TurnRole::kText, std::string(100, 'x')}}});
  series.close();
  EXPECT_EQ(series.files().size(), 2u);
  EXPECT_EQ(io::ShardReader(directory_ / "a.h5").size(), 3);
  EXPECT_EQ(io::ShardReader(directory_ / "a-1.h5").size(), 2);
}

TEST_F(ShardSeriesTest, AShorterSeriesLeavesNothingOfALongerOne) {
  write(5, 200);
  EXPECT_THAT(io::ShardSeries::existing(directory_, "a"),
              ElementsAre(directory_ / "a-1.h5", directory_ / "a-2.h5", directory_ / "a.h5"));
  write(3, 200);
  EXPECT_THAT(names(), ElementsAre("a-1.h5", "a-1.h5.xxh", "a.h5", "a.h5.xxh"));
  EXPECT_THAT(io::ShardSeries::existing(directory_, ""), IsEmpty());
  EXPECT_THAT(io::ShardSeries::existing(directory_ / "absent", "a"), IsEmpty());
}

TEST_F(ShardSeriesTest, OtherNamesAreLeftAlone) {
  for (const char* name : {"ab.h5", "a-x.h5", "a-.h5", "a-1.txt"})
    io::atomic_write_text(directory_ / name, "x");
  EXPECT_THAT(io::ShardSeries::existing(directory_, "a"), IsEmpty());
  write(1, 200);
  EXPECT_THAT(names(), ElementsAre("a-.h5", "a-1.txt", "a-x.h5", "a.h5", "a.h5.xxh", "ab.h5"));
}

TEST_F(ShardSeriesTest, AbandonedLeavesNothing) {
  {
    io::ShardSeries series(directory_, "a", {}, 200);
    for (int i = 0; i < 3; ++i) series.add(sample(i));
    CorpusWriter corpus(directory_ / "corpus.txt");
    corpus.add(sample(0));
    EXPECT_FALSE(names().empty());
  }
  EXPECT_THAT(names(), IsEmpty());
}

TEST_F(ShardSeriesTest, CorpusInPromptForm) {
  CorpusWriter corpus(directory_ / "corpus.txt");
  corpus.add(sample(0));
  corpus.add({"t", io::MediaKind::kFrames, {}, {{io::TurnRole::kText, "plain"}}});
  EXPECT_EQ(io::read_text(corpus.written()), "User: q\nBot: yes\nplain\n");
  EXPECT_FALSE(fs::exists(directory_ / "corpus.txt"));
  corpus.close();
  EXPECT_EQ(io::read_text(directory_ / "corpus.txt"), "User: q\nBot: yes\nplain\n");
  EXPECT_THAT(names(), ElementsAre("corpus.txt"));
}

TEST_F(ShardSeriesTest, BaselineFromAShard) {
  write(5, 1000);
  io::AnswerCounts counts;
  counts.add(io::ShardReader(directory_ / "a.h5"));
  EXPECT_EQ(counts.total(), 5);
  EXPECT_EQ(counts.distinct(), 2u);
  EXPECT_EQ(counts.majority(), "no");
  EXPECT_DOUBLE_EQ(counts.baseline(), 0.6);
  EXPECT_DOUBLE_EQ(io::AnswerCounts().baseline(), 0);
}

}  // namespace
}  // namespace lynceus::prepare
