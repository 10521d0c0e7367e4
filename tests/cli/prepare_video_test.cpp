// `lynceus prepare video` as a user calls it: shards of frames, training on them, several ranks,
// harmful videos, and a missing decoder.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "io/dataset/shard.h"
#include "io/files/file.h"
#include "io/media/image.h"
#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

const fs::path kVideos = fs::path(LYNCEUS_SOURCE_DIR) / "tests/data/video";

class PrepareVideoTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(decoder())) GTEST_SKIP() << "built without FFmpeg";
  }
  static fs::path decoder() { return fs::path(LYNCEUS_BINARY).parent_path() / "lynceus-frames"; }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }
  std::string out(const std::string& name) const { return folder_ / name; }
  Output prepare(const Arguments& arguments, const Launch& launch = {}) const {
    return run(Arguments{"prepare", "video", "--root", kVideos} + arguments, launch);
  }
  static std::map<std::string, std::string> contents(const fs::path& directory) {
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::directory_iterator(directory))
      all[entry.path().filename()] = io::read_text(entry.path());
    return all;
  }
  /// Starts a copy of the program in a directory of its own.
  Launch from(const std::string& folder) const {
    fs::create_directories(folder_ / folder);
    fs::copy_file(LYNCEUS_BINARY, folder_ / folder / "lynceus");
    return {.shell = "shift; exec " + out(folder) + "/lynceus \"$@\""};
  }

  const Folder folder_{"prepare_video"};
};

constexpr const char* kRows =
    R"({"video": "flat.mp4", "captions": ["it turns red", "red"]}
{"video": "absent.mp4", "caption": "x"}
{"video": "short.mp4", "question": "what color?", "answer": "green"}
)";

TEST_F(PrepareVideoTest, WritesFrames) {
  const std::string input = write("clips.jsonl", kRows);
  const Output dry = prepare({"--input", input, "--dry-run"});
  ASSERT_EQ(dry.code, 0) << dry.all();
  EXPECT_THAT(dry.out, AllOf(HasSubstr("read 3 rows, rejected 1: 1 missing video"),
                             HasSubstr("dry run: 3 samples, 15 images")));
  const Output output =
      prepare({"--input", input, "--output", out("o"), "--frames", "4", "--jpeg-quality", "80"});
  ASSERT_EQ(output.code, 0) << output.all();
  EXPECT_THAT(output.out, HasSubstr("prepared 3 samples, 12 images"));
  const io::ShardReader shard(out("o") + "/clips.h5");
  ASSERT_EQ(shard.size(), 3);
  EXPECT_EQ(shard.key(1), "flat.mp4#2");
  EXPECT_EQ(shard.kind(2), io::MediaKind::kFrames);
  // The last of four is frame 18 of 23, and 2 of 3; red is 20 + 9 times the index.
  EXPECT_NEAR(io::decode_image(shard.read_media(0, 3), "x").rgb[0], 20 + 9 * 18, 4);
  EXPECT_NEAR(io::decode_image(shard.read_media(2, 3), "x").rgb[0], 20 + 9 * 2, 4);
  EXPECT_THAT(io::read_text(out("o") + "/clips-rejects.jsonl"),
              AllOf(HasSubstr("missing video"), HasSubstr("absent.mp4")));
}

TEST_F(PrepareVideoTest, ARunTrainsOnItsShards) {
  ASSERT_EQ(
      prepare({"--input", write("clips.jsonl", kRows), "--output", out("o"), "--frames", "2"}).code,
      0);
  const auto train = [&](const std::string& name, const Arguments& more, int ranks) {
    const Arguments common = {"--data.source", "clips:1:" + out("o") + "/*.h5", "--train.steps",
                              "4", "--log.samples=true"};
    const Output output = run(train_arguments(out(name)) + common + more, {.ranks = ranks});
    EXPECT_EQ(output.code, 0) << output.all();
    return output;
  };
  train("straight", {}, 0);
  train("stopped", {"--stop-after", "2"}, 2);
  EXPECT_THAT(train("stopped", {"--parallel.tensor", "2"}, 2).err,
              HasSubstr("resumed from step 2, 16 samples seen"));
  EXPECT_EQ(io::read_text(folder_ / "straight" / "samples.tsv"),
            io::read_text(folder_ / "stopped" / "samples.tsv"));
  const io::Manifest manifest = io::read_manifest(checkpoint(folder_ / "stopped", 4));
  EXPECT_EQ(manifest.parameter_steps.at("absolute_frame_pos_embed"), 4);
}

TEST_F(PrepareVideoTest, RanksAndWorkersChangeNothing) {
  const Arguments inputs = {
      "--input",
      write("b.tsv", "flat.webm\tgreen\nflat.avi\tred\nabsent.mp4\tx\nflat.avi\tagain\n"),
      write("c.tsv", "turned.mp4\ttwo\nvarying.mp4\tred\n"),
      "--map",
      "video=1",
      "caption=2"};
  const auto made = [&](const std::string& name, const std::string& workers, int ranks) {
    const Output output = prepare(
        inputs + Arguments{"--output", out(name), "--video-workers", workers}, {.ranks = ranks});
    EXPECT_EQ(output.code, 0) << output.all();
    return contents(out(name));
  };
  const auto one = made("one", "1", 1);
  EXPECT_EQ(one.size(), 7u);  // a list of rejects for b alone
  EXPECT_EQ(one, made("two", "3", 2));
}

TEST_F(PrepareVideoTest, AHarmfulVideoIsARejectedRow) {
  const Launch launch = from("harmed");
  const std::string script =
      write("harmed/lynceus-frames",
            "#!/bin/sh\ncase $(stat -L -c %s /dev/stdin) in\n2463) kill -SEGV "
            "$$;;\n1442) exec sleep 100;;\nesac\nexec " +
                decoder().string() + " \"$@\"\n");
  fs::permissions(script, fs::perms::owner_all);
  const std::string input = write("rows.tsv",
                                  "flat.mp4\tcrashes\nflat.webm\thangs\nflat.avi\tlives\n"
                                  "README.md\tno video\nshort.mp4\tlives\n");
  const Output output =
      prepare({"--input", input, "--output", out("h"), "--map", "video=1", "caption=2", "--max-bad",
               "0.1", "--video-timeout", "0.7", "--video-workers", "2"},
              launch);
  ASSERT_EQ(output.code, 0) << output.all();
  EXPECT_THAT(output.out, HasSubstr("read 5 rows, rejected 3: 1 damaged video, 1 decoder crashed, "
                                    "1 video took too long; see "));
  const io::ShardReader shard(out("h") + "/rows.h5");
  ASSERT_EQ(shard.size(), 2);
  EXPECT_EQ(shard.key(0), "flat.avi");
  EXPECT_EQ(shard.key(1), "short.mp4");
}

TEST_F(PrepareVideoTest, SaysThatItsDecoderIsMissing) {
  const Launch launch = from("alone");
  const std::string input = write("rows.jsonl", kRows);
  const Output output = prepare({"--input", input, "--output", out("x")}, launch);
  EXPECT_EQ(output.code, 2) << output.all();
  EXPECT_EQ(output.messages(), 1) << output.all();
  EXPECT_THAT(output.err,
              AllOf(HasSubstr("alone/lynceus-frames: expected the program that decodes"),
                    HasSubstr("libavformat-dev")));
  EXPECT_FALSE(fs::exists(out("x")));

  for (const auto& [option, value] : std::map<std::string, std::string>{
           {"frames", "0"}, {"jpeg-quality", "101"}, {"video-timeout", "0"}}) {
    const Output wrong = prepare({"--input", input, "--dry-run", "--" + option, value});
    EXPECT_EQ(wrong.code, 2) << wrong.all();
    EXPECT_THAT(wrong.err, HasSubstr("--" + option + ": expected "));
  }
}

TEST_F(PrepareVideoTest, OpenVqaCountsItsVideos) {
  const Output output =
      run({"prepare", "openvqa", "--dry-run", "--input",
           std::string(LYNCEUS_SOURCE_DIR) + "/tests/data/openvqa/Open_VQA_videos.jsonl"});
  ASSERT_EQ(output.code, 3) << output.all();
  EXPECT_THAT(output.out, AllOf(HasSubstr("read 108 rows, rejected 108: 108 missing video"),
                                HasSubstr("read 40 rows, rejected 40: 40 missing video")));
}

}  // namespace
}  // namespace lynceus::cli_test
