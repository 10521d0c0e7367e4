// The protocol card: what a file of origin says, and that the rest is unknown.
#include "evaluate/protocol_card.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "answer_files.h"
#include "io/files/digest.h"

namespace lynceus::evaluate {
namespace {

using evaluate_test::empty_folder;
using evaluate_test::parsed;
using evaluate_test::refusal;
using evaluate_test::write;
using std::filesystem::path;
using testing::HasSubstr;

io::Json card_of(const std::vector<AnswersFile>& answers) {
  ProtocolCard card;
  card.answers = answers;
  card.rule = {"rule", "text", "source"};
  return parsed(card.to_json().dump());
}

TEST(ProtocolCard, SaysWhatIsUnknown) {
  const path file = write(empty_folder() / "a.jsonl", "{}\n");
  const io::Json card = card_of({digest_answers(file, {})});
  for (const char* key : {"prompt_template", "decoding", "weights", "checkpoint"})
    EXPECT_EQ(card.at(key).string(), "unknown") << key;
  EXPECT_TRUE(card.at("judge").is_null());
  EXPECT_EQ(card.at("parse_rule").at("source").string(), "source");
  EXPECT_EQ(card.at("answers").at(size_t{0}).at("digest").string(), io::digest_file(file).hex());
}

TEST(ProtocolCard, TakesWhatTheWriterOfTheAnswersSays) {
  const path folder = empty_folder();
  const path file = write(folder / "a.jsonl", "{}\n");
  const std::string digest = io::digest_file(file).hex();
  write(
      folder / "a.jsonl.card.json",
      R"({"prompt_template": "lynx", "decoding": {"num_beams": 5, "length_penalty": -2.5, "do_sample": false}, )"
      R"("weights": null, "step": 7, "answers_digest": ")" +
          digest + "\"}");
  const io::Json card = card_of({digest_answers(file, {})});
  EXPECT_EQ(card.at("prompt_template").string(), "lynx");
  EXPECT_EQ(card.at("decoding").at("num_beams").integer(), 5);
  EXPECT_EQ(card.at("decoding").at("length_penalty").number(), -2.5);
  EXPECT_FALSE(card.at("decoding").at("do_sample").boolean());
  EXPECT_EQ(card.at("weights").string(), "unknown");
  EXPECT_EQ(card.at("step").integer(), 7);
  write(file, "{} \n");
  EXPECT_THAT(refusal([&] { card_of({digest_answers(file, {})}); }),
              HasSubstr("a.jsonl.card.json: key answers_digest: expected the digest of"));
}

TEST(ProtocolCard, OfSeveralFilesHasListsAndOfAFolderOneDigest) {
  const path folder = empty_folder();
  const path a = write(folder / "a.txt", "a"), b = write(folder / "b.txt", "b");
  write(folder / "a.txt.card.json", R"({"weights": "abc"})");
  const io::Json card = card_of({digest_answers(a, {}), digest_answers(b, {})});
  EXPECT_EQ(card.at("weights").dump(), R"(["abc","unknown"])");
  const std::vector<std::string> names = {"a.txt", "b.txt"};
  const std::string digest = digest_answers(folder, names).digest;
  EXPECT_EQ(digest, digest_answers(folder, names).digest);
  write(b, "B");
  EXPECT_NE(digest, digest_answers(folder, names).digest);
}

}  // namespace
}  // namespace lynceus::evaluate
