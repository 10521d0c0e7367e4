// Thousands of damaged inputs: each source gives rows and rejects or throws an InputError, and
// never gives a sample without text or with bytes that are not an image.
#include <random>

#include "prepare/sources/coco.h"
#include "prepare/sources/jsonl.h"
#include "prepare/sources/llava.h"
#include "prepare/sources/webdataset.h"
#include "tests/prepare/sources/source_fixture.h"
#include "tests/prepare/sources/tar_fixture.h"

namespace lynceus::prepare {
namespace {

class SourceMutantsTest : public SourceTest {
 protected:
  /// Writes `count` mutants of `whole` to `name` and reads each with the source that `open`
  /// returns.
  template <typename Open>
  void check(const std::string& name, const std::string& whole, int count, Open open) const {
    std::mt19937 random(7);
    int samples = 0;
    int refused = 0;
    for (int i = 0; i < count; ++i) {
      std::filesystem::remove(directory_ / name);  // a file that is overwritten is flushed: slow
      const auto path = write(name, mutant(whole, random));
      try {
        auto source = open(path);
        source.read(0, [&](const SourceRow& row) {
          EXPECT_EQ(row.reject.empty(), row.problem.empty());
          samples += static_cast<int>(row.samples.size());
          for (const io::Sample& sample : row.samples) check_sample(sample);
        });
      } catch (const InputError&) {
        ++refused;
      }
    }
    EXPECT_GT(samples, 0) << "every mutant was refused";
    EXPECT_GT(refused + samples, count / 10);
  }

  static void check_sample(const io::Sample& sample) {
    ASSERT_FALSE(sample.turns.empty());
    for (const io::Turn& turn : sample.turns) EXPECT_FALSE(turn.text.empty());
    for (const std::string& encoded : sample.media) io::decode_image(encoded, sample.key);
  }

  static std::string mutant(std::string text, std::mt19937& random) {
    const auto below = [&](size_t n) { return random() % std::max<size_t>(n, 1); };
    for (size_t edits = 1 + below(3); edits > 0; --edits) {
      const size_t at = below(text.size());
      switch (below(6)) {
        case 0:
          text[at] = static_cast<char>(below(256));
          break;
        case 1:
          text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
          break;
        case 2:
          text.resize(at + 1);
          break;
        case 3:
          text.erase(at, 1 + below(40));
          break;
        case 4:
          text.insert(at, text.substr(below(text.size()), below(600)));
          break;
        default:
          text.insert(at, "\"[]{},:\\\n\t0"[below(11)] + std::string(below(3), '['));
      }
      if (text.empty()) text = "x";
    }
    return text;
  }
};

TEST_F(SourceMutantsTest, Json) {
  const std::string coco =
      R"({"images": [{"id": 1, "file_name": "images/a.jpg"}], "annotations": [{"image_id": 1,
          "id": 1, "caption": "x"}, {"image_id": 1, "id": 2, "caption": "y"}]})";
  check("x.json", coco, 1500, [](const auto& path) { return CocoSource({path}); });
  const std::string chat = R"([{"id": "p", "image": "images/a.jpg", "conversations": [{"from":
      "human", "value": "<image>\nwhat?"}, {"from": "gpt", "value": "grey"}]}, {"conversations":
      [{"from": "human", "value": "what?"}, {"from": "gpt", "value": "grey"}]}])";
  check("x.json", chat, 1500, [](const auto& path) { return LlavaSource({path}); });
  const std::string text = R"({"instruction": "Add.", "input": "2 2", "output": "4"}
{"conversations": [{"from": "human", "value": "x"}, {"from": "gpt", "value": "y"}]}
)";
  check("x.jsonl", text, 1500, [](const auto& path) { return LlavaSource({path}); });
}

TEST_F(SourceMutantsTest, Tsv) {
  check("x.tsv", "image\tcaption\nimages/a.jpg\tgrey\nimages/b.jpg\tdark\n", 1500,
        [](const auto& path) { return JsonlSource({.file = path}); });
}

TEST_F(SourceMutantsTest, Tar) {
  for (const char* name : {"x.tar", "x.tar.gz"}) {
    TarWriter(directory_ / name)
        .file("1.jpg", bytes("images/a.jpg"))
        .file("1.txt", "bright")
        .symlink("2.png", "1.jpg")
        .file(std::string(150, 'n') + ".jpg", bytes("images/b.jpg"))
        .file(std::string(150, 'n') + ".json", R"({"captions": ["dark", "grey"]})");
    check(name, bytes(name), 1500,
          [](const auto& path) { return WebdatasetSource({.file = path}); });
  }
}

}  // namespace
}  // namespace lynceus::prepare
