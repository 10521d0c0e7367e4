// Videos through lynceus-frames: the right frames with the right colors from each container, every
// way in which a video can be unusable, and decoders that crash, hang or print nonsense.
#include <filesystem>

#include "prepare/sources/jsonl.h"
#include "prepare/sources/llava.h"
#include "prepare/sources/openvqa.h"
#include "prepare/video.h"
#include "tests/prepare/sources/source_fixture.h"

namespace lynceus::prepare {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

const fs::path kVideos = fs::path(LYNCEUS_SOURCE_DIR) / "tests/data/video";

/// The index of a flat frame by its color; -1 if no frame has this color. Blue is always 128.
int flat_index(const std::string& jpeg) {
  const io::Image image = io::decode_image(jpeg, "frame");
  const int index = (image.rgb[0] - 20 + 4) / 9;
  for (size_t i = 0; i < image.rgb.size(); i += 3) {
    const int expected[] = {20 + 9 * index, 230 - 9 * index, 128};
    for (size_t c = 0; c < 3; ++c)
      if (std::abs(image.rgb[i + c] - expected[c]) > 4) return -1;
  }
  return image.width == 64 && image.height == 48 ? index : -1;
}

std::vector<int> flat_indices(const std::vector<std::string>& jpegs) {
  std::vector<int> indices;
  for (const std::string& jpeg : jpegs) indices.push_back(flat_index(jpeg));
  return indices;
}

class SourceVideoTest : public SourceTest {
 protected:
  void SetUp() override {
    if (!fs::exists(real_program())) GTEST_SKIP() << "built without FFmpeg";
  }
  static fs::path real_program() {
    return fs::read_symlink("/proc/self/exe").parent_path() / "lynceus-frames";
  }
  VideoOptions options(const fs::path& root = kVideos) const {
    VideoOptions options;
    options.root = root;
    return options;
  }
  /// "kind: problem" of a video that must be refused.
  std::string refused(const VideoOptions& options, const std::string& path) const {
    try {
      VideoReader(options).read(path, "here");
    } catch (const RejectedRow& error) {
      return std::string(error.kind()) + ": " + error.what();
    }
    return "accepted";
  }
  std::string refused(const std::string& path) const { return refused(options(directory_), path); }
  /// A decoder that is a shell script: it runs `text`, then the real decoder if `text` does not
  /// end.
  fs::path script(const std::string& text) const {
    const std::string real = real_program();
    const fs::path path =
        write("decoder", "#!/bin/sh\ncase \"$1\" in --version) exec " + real +
                             " --version;; esac\nsize=$(stat -L -c %s /dev/stdin)\n" + text +
                             "\nexec " + real + " \"$@\"\n");
    fs::permissions(path, fs::perms::owner_all);
    return path;
  }
  std::string video(const std::string& name) const { return io::read_text(kVideos / name); }
};

TEST_F(SourceVideoTest, GivesTheRightFramesOfEachContainer) {
  VideoReader reader(options());
  for (const char* name : {"flat.mp4", "flat.avi", "flat.webm", "flat_vp8.webm"})
    EXPECT_THAT(flat_indices(reader.read(name, "x")), ElementsAre(0, 5, 10, 15, 19)) << name;
  EXPECT_THAT(flat_indices(reader.read("short.mp4", "x")), ElementsAre(0, 0, 1, 1, 2));
  EXPECT_THAT(flat_indices(reader.read("varying.mp4", "x")), ElementsAre(0, 3, 6, 8, 10));
  EXPECT_THAT(flat_indices(reader.read("cut.mp4", "x")), ElementsAre(6, 10, 14, 17, 20));

  VideoOptions all = options();
  all.frames = 23;
  for (const char* name : {"flat.mp4", "flat.webm"}) {
    std::vector<int> every(23);
    for (int i = 0; i < 23; ++i) every[static_cast<size_t>(i)] = i;
    EXPECT_EQ(flat_indices(VideoReader(all).read(name, "x")), every) << name;
  }
}

TEST_F(SourceVideoTest, CountsFramesAndNotPackets) {
  // The second of three packets shows nothing: in MPEG-4 that is a bit after the type (2), the time
  // (1 + 1 + 4) and a marker (1).
  std::string skips = video("short.mp4");
  const std::string start("\0\0\1\xb6", 4);
  const size_t second = skips.find(start, skips.find(start) + 4);
  ASSERT_NE(second, std::string::npos);
  skips[second + 5] = static_cast<char>(skips[second + 5] & ~0x40);
  write("skips.mp4", skips);
  EXPECT_THAT(flat_indices(VideoReader(options(directory_)).read("skips.mp4", "x")),
              ElementsAre(0, 0, 0, 2, 2));
}

TEST_F(SourceVideoTest, TurnsAVideoUpright) {
  const auto jpegs = VideoReader(options()).read("turned.mp4", "x");
  const io::Image image = io::decode_image(jpegs.at(0), "frame");
  ASSERT_EQ(image.width, 48);
  ASSERT_EQ(image.height, 64);
  const auto near = [&](size_t x, size_t y, int red, int green) {
    const uint8_t* pixel = &image.rgb[(y * 48 + x) * 3];
    EXPECT_NEAR(pixel[0], red, 6) << x << " " << y;
    EXPECT_NEAR(pixel[1], green, 6) << x << " " << y;
  };
  near(8, 8, 30, 200);
  near(40, 8, 30, 40);
  near(8, 56, 220, 200);
  near(40, 56, 220, 40);
}

TEST_F(SourceVideoTest, RefusesWhatIsNoWholeVideo) {
  const auto cut = [&](const std::string& name, size_t bytes) {
    write(name, video(name).substr(0, bytes));
    return refused(name);
  };
  EXPECT_THAT(cut("flat.mp4", 1500), AllOf(StartsWith("damaged video: here: flat.mp4: "),
                                           HasSubstr("moov atom not found")));
  EXPECT_THAT(cut("flat.webm", 900), HasSubstr("cut off: its header says 2.3 s, it ends after"));
  EXPECT_THAT(cut("flat.avi", 7000), StartsWith("damaged video"));
  EXPECT_THAT(cut("flat.avi", 0), StartsWith("empty file"));

  write("a.mp4", "This is text.\n");
  EXPECT_THAT(refused("a.mp4"), HasSubstr("not a video in mp4, avi or webm"));
  // Playlists refer to other files, by name and by content.
  write("clip.mp4", video("flat.mp4"));
  for (const char* list : {"ffconcat version 1.0\nfile clip.mp4\n",
                           "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:2.3,\nclip.mp4\n"
                           "#EXT-X-ENDLIST\n"}) {
    write("list.mp4", list);
    EXPECT_THAT(refused("list.mp4"), HasSubstr("not a video in mp4, avi or webm"));
  }
  write("picture.mp4", bytes("images/a.jpg"));
  EXPECT_THAT(refused("picture.mp4"), StartsWith("JPEG picture"));
  EXPECT_THAT(refused("absent.mp4"), StartsWith("missing video: here: absent.mp4: "));
  EXPECT_THAT(refused("images"), StartsWith("missing video"));
  write("link.mp4", "../../blobs/0123");
  EXPECT_THAT(refused("link.mp4"), AllOf(StartsWith("missing video: "), HasSubstr("a link to")));
  EXPECT_THAT(refused("../a.mp4"), StartsWith("path outside the root"));
}

TEST_F(SourceVideoTest, HoldsTheDecoderToItsLimits) {
  VideoOptions few = options();
  few.max_pixels = 64 * 48 - 1;
  EXPECT_THAT(refused(few, "flat.mp4"), HasSubstr("video too large: here: flat.mp4: 64 x 48"));
  few.max_pixels = 64 * 48;
  EXPECT_EQ(refused(few, "flat.mp4"), "accepted");
  VideoOptions small = options();
  small.memory_mib = 120;
  EXPECT_THAT(refused(small, "flat.mp4"),
              AllOf(StartsWith("video too large"), HasSubstr("memory")));
}

TEST_F(SourceVideoTest, OutlivesItsDecoder) {
  // Only flat.mp4 (2463 bytes) has the fault; the next video is decoded.
  const auto with = [&](const std::string& fault) {
    VideoOptions faulty = options();
    faulty.program = script("[ \"$size\" = 2463 ] && { " + fault + "; }");
    faulty.timeout_seconds = 20;
    if (fault.starts_with("sleep") || fault.starts_with("exec")) faulty.timeout_seconds = 0.5;
    EXPECT_EQ(refused(faulty, "short.mp4"), "accepted") << fault;
    return refused(faulty, "flat.mp4");
  };
  EXPECT_THAT(with("kill -SEGV $$"), HasSubstr("decoder crashed: here: flat.mp4: the decoder was "
                                               "ended by signal 11"));
  EXPECT_THAT(with("kill -9 $$"), HasSubstr("signal 9"));
  EXPECT_THAT(with("exec sleep 100"), HasSubstr("video took too long: here: flat.mp4: not decoded "
                                                "within --video-timeout 0.5 seconds"));
  EXPECT_THAT(with("exec >&-; sleep 2"), StartsWith("video took too long"));
  EXPECT_THAT(with("exit 0"), StartsWith("decoder crashed"));
  EXPECT_THAT(with("exit 127"), HasSubstr("exit code 127"));
  for (const char* nonsense : {"decoded 9", "decoded -1\\nend\\n", "decoded 5\\nframe 0 9 9\\nxx",
                               "decoded 5\\nframe 0 9999999 9999999\\n", "decoded 5\\nend\\n"})
    EXPECT_THAT(with(std::string("printf '") + nonsense + "'; exit 0"),
                StartsWith("decoder crashed"));

  VideoOptions absent = options();
  absent.program = directory_ / "absent";
  EXPECT_THROW(VideoReader(absent).check_program(), UsageError);
  EXPECT_THROW(VideoReader(absent).read("flat.mp4", "x"), UsageError);
  absent.program = "/bin/true";
  EXPECT_THROW(VideoReader(absent).check_program(), UsageError);
}

TEST_F(SourceVideoTest, RowsKeepTheirOrder) {
  std::string file;
  for (int i = 0; i < 12; ++i)
    file += R"({"video": "flat.mp4", "captions": ["one", "two"]}
{"video": "absent.mp4", "caption": "x"}
{broken
{"video": "short.mp4", "question": "what?", "answer": ["grey", "dark"], "id": 7}
{"caption": "no video"}
)";
  const auto path = write("x.jsonl", file);
  for (const int workers : {1, 4}) {
    VideoOptions several = options();
    several.workers = workers;
    const auto source = [&] {
      return JsonlSource({.file = path, .videos = std::make_shared<VideoReader>(several)});
    };
    const auto all = rows(source());
    ASSERT_EQ(all.size(), 60u);
    for (size_t i = 0; i < all.size(); i += 5) {
      EXPECT_EQ(all[i].done, static_cast<int64_t>(i) + 1);
      ASSERT_EQ(all[i].samples.size(), 2u);
      EXPECT_EQ(all[i].samples[1].key, "flat.mp4#2");
      EXPECT_EQ(all[i].samples[1].kind, io::MediaKind::kFrames);
      EXPECT_THAT(flat_indices(all[i].samples[1].media), ElementsAre(0, 5, 10, 15, 19));
      EXPECT_THAT(all[i + 1].problem, HasSubstr(": key video: absent.mp4: open"));
      EXPECT_EQ(all[i + 2].reject, "malformed row");
      EXPECT_EQ(all[i + 3].samples.at(0).key, "7");
      EXPECT_EQ(all[i + 3].samples.at(0).turns.at(1).text, "grey");
      EXPECT_THAT(all[i + 4].problem, HasSubstr("expected video, found the keys caption"));
    }
    EXPECT_EQ(rows(source(), 58).size(), 2u);
  }
  EXPECT_EQ(parse_field_map({"video=path"}, RowMedia::kVideos).at("video"), "path");
  EXPECT_THROW(parse_field_map({"video=path"}), UsageError);
  EXPECT_THROW(parse_field_map({"image=path"}, RowMedia::kVideos), UsageError);
}

TEST_F(SourceVideoTest, OpenVqaTakesVideos) {
  const auto path = write(
      "x.jsonl",
      R"({"dataset": "D", "index": 1, "question": "q", "answer": ["a"], "class": "c", "video": "short.mp4"}
{"dataset": "D", "index": 2, "question": "q", "answer": ["a"], "class": "c", "video": {"path": "absent.mp4"}}
{"dataset": "D", "index": 3, "question": "q", "answer": ["a"], "class": "c", "image": "absent.jpg"}
)");
  VideoOptions several = options();
  several.workers = 3;
  OpenVqaOptions openvqa{path, directory_, "c", true};
  openvqa.videos = std::make_shared<VideoReader>(several);
  const auto all = rows(OpenVqaSource(openvqa));
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].samples.at(0).media.size(), 5u);
  EXPECT_EQ(all[1].reject, "missing video");
  EXPECT_EQ(all[2].reject, "missing picture");
}

TEST_F(SourceVideoTest, ConversationsAboutVideos) {
  std::string text;
  for (const char* members : {R"("video": "flat.mp4")", R"("videos": ["short.mp4"])",
                              R"("video": "absent.mp4")", R"("videos": ["flat.mp4", "short.mp4"])"})
    for (const char* mark : {"<video>\\n", "<image>\\n", ""})
      text +=
          fmt::format(
              R"({{{}, "conversations": [{{"from": "human", "value": "{}what?"}}, {{"from": "gpt", "value": "green"}}]}})",
              members, mark) +
          "\n";
  VideoOptions of_videos = options();
  of_videos.workers = 3;
  const LlavaOptions source{.file = write("x.jsonl", text),
                            .videos = std::make_shared<VideoReader>(of_videos)};
  const auto all = rows(LlavaSource(source));
  ASSERT_EQ(all.size(), 12u);
  for (size_t i = 0; i < 6; ++i) {
    ASSERT_EQ(all[i].problem, "");
    const io::Sample& sample = all[i].samples.at(0);
    EXPECT_EQ(sample.kind, io::MediaKind::kFrames);
    EXPECT_THAT(sample.turns, ElementsAre(io::Turn{io::TurnRole::kUser, "what?"},
                                          io::Turn{io::TurnRole::kAssistant, "green"}));
    EXPECT_THAT(flat_indices(sample.media),
                i < 3 ? ElementsAre(0, 5, 10, 15, 19) : ElementsAre(0, 0, 1, 1, 2));
  }
  for (size_t i = 6; i < 12; ++i)
    EXPECT_EQ(all[i].reject, i < 9 ? "missing video" : "unread key videos");
}

}  // namespace
}  // namespace lynceus::prepare
