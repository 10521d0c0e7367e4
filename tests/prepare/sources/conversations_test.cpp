// Conversations and instructions: LLaVA, Alpaca, ShareGPT, and Open-VQA's questions.
#include "prepare/sources/llava.h"
#include "prepare/sources/openvqa.h"
#include "tests/prepare/sources/source_fixture.h"

namespace lynceus::prepare {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

const io::Turn kAsk{io::TurnRole::kUser, "what?"};
const io::Turn kSay{io::TurnRole::kAssistant, "grey"};

class SourceConversationsTest : public SourceTest {
 protected:
  std::vector<SourceRow> llava(const std::string& text, int64_t skip = 0) const {
    return rows(LlavaSource({write("x.json", text), directory_ / "images"}), skip);
  }
  std::vector<SourceRow> text(const std::string& text, int64_t skip = 0) const {
    return rows(LlavaSource({write("x.json", text)}), skip);
  }
  static std::string turns(const std::string& pairs) {
    return "\"conversations\": [" + pairs + "]";
  }
};

constexpr const char* kHuman = R"({"from": "human", "value": "<image>\nwhat?"})";
constexpr const char* kPlain = R"({"from": "human", "value": "what?"})";
constexpr const char* kGpt = R"({"from": "gpt", "value": "grey"})";

TEST_F(SourceConversationsTest, Llava) {
  const auto all = llava(fmt::format(
      R"([{{"id": "p", "image": "a.jpg", "conversations": [{0}, {2}, {1}, {2}]}},
          {{"id": 5, "conversations": [{1}, {2}]}},
          {{"image": ["a.jpg", "b.jpg"], "conversations":
            [{{"from": "human", "value": "<image><image> what?"}}, {2}]}},
          {{"image": "b.jpg", "conversations": [{{"from": "human", "value": "what?\n<image>"}}, {2}]}},
          {{"image": "b.jpg", "conversations": [{{"from": "human", "value": "<image>"}}, {2}]}},
          {{"image": null, "conversations": [{{"from": "system", "value": "be"}}, {1}, {2}]}}])",
      kHuman, kPlain, kGpt));
  ASSERT_EQ(all.size(), 6u);
  for (const SourceRow& row : all) ASSERT_EQ(row.samples.size(), 1u) << row.problem;
  EXPECT_THAT(keys(all), ElementsAre("p", "5", "row 3", "row 4", "row 5", "row 6"));
  EXPECT_THAT(all[0].samples[0].turns, ElementsAre(kAsk, kSay, kAsk, kSay));
  EXPECT_THAT(all[0].samples[0].media, ElementsAre(bytes("images/a.jpg")));
  EXPECT_THAT(all[1].samples[0].media, IsEmpty());
  EXPECT_EQ(all[2].samples[0].kind, io::MediaKind::kSeparateImages);
  EXPECT_EQ(all[2].samples[0].media.size(), 2u);
  EXPECT_THAT(all[2].samples[0].turns, ElementsAre(kAsk, kSay));
  EXPECT_THAT(all[3].samples[0].turns, ElementsAre(kAsk, kSay));
  EXPECT_THAT(all[4].samples[0].turns, ElementsAre(kSay)) << "a caption";
  EXPECT_THAT(all[5].samples[0].turns,
              ElementsAre(io::Turn{io::TurnRole::kSystem, "be"}, kAsk, kSay));
}

TEST_F(SourceConversationsTest, LlavaRejects) {
  const auto why = [&](const std::string& image, const std::string& pairs) {
    return reject(llava("[{" + image + turns(pairs) + "}]"));
  };
  const std::string asked = fmt::format("{}, {}", kHuman, kGpt);
  EXPECT_THAT(why("", asked), StartsWith("placeholders without pictures: "));
  EXPECT_THAT(why(R"("image": ["a.jpg", "b.jpg"], )", asked),
              AllOf(StartsWith("placeholders without pictures: "),
                    HasSubstr("found 1 <image>, 0 <video> and 2 images")));
  EXPECT_THAT(why(R"("image": "c.jpg", )", asked), StartsWith("missing picture: "));
  EXPECT_THAT(why(R"("image": "../images/a.jpg", )", asked), StartsWith("path outside the root: "));
  EXPECT_THAT(why(R"("image": "/images/a.jpg", )", asked),
              testing::HasSubstr("expected a path relative to the root (--root), found the "
                                 "absolute path /images/a.jpg: remove the part"));
  EXPECT_THAT(why("", R"({"from": "cat", "value": "x"})"),
              AllOf(StartsWith("malformed row: "), HasSubstr("found 'cat'")));
  EXPECT_THAT(why("", kPlain),
              AllOf(StartsWith("broken conversation: "), HasSubstr("no question")));
  EXPECT_THAT(why("", ""), StartsWith("broken conversation: "));
  EXPECT_THAT(why("", fmt::format("{0}, {0}, {1}", kPlain, kGpt)), HasSubstr("two turns of one"));
  EXPECT_THAT(why("", fmt::format(R"({}, {{"from": "gpt", "value": " "}})", kPlain)),
              StartsWith("empty text: "));
  EXPECT_THAT(reject(llava("[3]")), StartsWith("no object: "));
}

TEST_F(SourceConversationsTest, AlpacaAndShareGpt) {
  const std::string rows_text = fmt::format(
      R"({{"instruction": "Add.", "input": "2 2", "output": "4"}}
{{"instruction": "what?", "input": "", "output": "grey"}}
{{"instruction": "what?", "input": null, "output": "grey"}}
{{"id": "g", "conversations": [{1}, {0}, {1}, {0}]}}
)",
      kPlain, kGpt);
  const auto all = text(rows_text);
  EXPECT_THAT(keys(all), ElementsAre("row 1", "row 2", "row 3", "g"));
  EXPECT_THAT(all[0].samples[0].turns, ElementsAre(io::Turn{io::TurnRole::kUser, "Add.\n2 2"},
                                                   io::Turn{io::TurnRole::kAssistant, "4"}));
  EXPECT_THAT(all[1].samples[0].turns, ElementsAre(kAsk, kSay));
  EXPECT_THAT(all[2].samples[0].turns, ElementsAre(kAsk, kSay));
  EXPECT_THAT(all[3].samples[0].turns, ElementsAre(kAsk, kSay)) << "both ends are left out";
  EXPECT_THAT(keys(text(rows_text, 3)), ElementsAre("g"));
  EXPECT_THAT(reject(text(R"([{"instruction": "x", "output": ""}])")), StartsWith("empty text: "));
  EXPECT_THAT(reject(text(R"([{"instruction": "x"}])")), HasSubstr("'output' is missing"));
  EXPECT_THAT(reject(text(R"([{"prompt": "x"}])")),
              HasSubstr("expected conversations, messages or instruction, found the keys prompt"));
}

TEST_F(SourceConversationsTest, AlpacaWithHistoryAndSystem) {
  const auto all = text(
      R"([{"instruction": "what?", "output": "grey", "system": "be", "history": [["a", "b"]],
           "text": "Below is ... what?\n### Response:\ngrey"},
          {"instruction": "", "input": "what?", "output": "grey", "history": null, "system": "",
           "conversations": []}])");
  ASSERT_EQ(all.size(), 2u);
  EXPECT_THAT(all[0].samples.at(0).turns,
              ElementsAre(io::Turn{io::TurnRole::kSystem, "be"}, io::Turn{io::TurnRole::kUser, "a"},
                          io::Turn{io::TurnRole::kAssistant, "b"}, kAsk, kSay));
  EXPECT_THAT(all[1].samples.at(0).turns, ElementsAre(kAsk, kSay));
  EXPECT_THAT(reject(text(R"([{"instruction": "x", "output": "y", "history": [["a"]]}])")),
              HasSubstr("expected a question and an answer"));
  for (const char* part : {"", "Summarize. S", "LONG DOC S"})
    EXPECT_EQ(text(fmt::format(R"([{{"instruction": "Summarize.", "input": "", "output": "S",
                                   "text": "LONG DOC{}"}}])",
                               part))
                  .at(0)
                  .reject,
              part[0] == 'S' ? "" : "unread key text")
        << part;
}

TEST_F(SourceConversationsTest, MediaUnderOtherNames) {
  const std::string asked = turns(fmt::format("{}, {}", kHuman, kGpt));
  const std::string plain = turns(fmt::format("{}, {}", kPlain, kGpt));
  for (const char* key : {"filename", "file_name", "path"})
    for (const std::string& said : {asked, plain}) {
      const auto all = llava(fmt::format(R"([{{"{}": "a.jpg", {}}}])", key, said));
      ASSERT_EQ(all.at(0).problem, "") << key;
      EXPECT_THAT(all[0].samples.at(0).media, ElementsAre(bytes("images/a.jpg")));
    }
  const auto why = [&](const std::string& members) {
    const auto all = llava("[{" + members + plain + "}]");
    EXPECT_THAT(all.at(0).samples, IsEmpty()) << members;
    return all.at(0).reject;
  };
  EXPECT_EQ(why(R"("filename": "a.mp4", )"), "unread key video") << "there is no decoder";
  EXPECT_EQ(why(R"("media": "a.jpg", )"), "unread key media");
  EXPECT_EQ(why(R"("image_1": "a.jpg", "image_2": "b.jpg", )"), "unread key image_1");
  EXPECT_EQ(why(R"("left_image": "a.jpg", "right_image": "b.jpg", )"), "unread key left_image");
  EXPECT_EQ(why(R"("image": "a.jpg", "image2": "b.jpg", )"), "unread key image2");
  EXPECT_EQ(why(R"("image": "a.jpg", "audio_path": "b.wav", )"), "unread key audio_path");
  EXPECT_EQ(why(R"("video": "a.mp4", "image_path": "b.jpg", )"), "unread key image_path");
  EXPECT_EQ(why(R"("video": "a.mp4", "start": 0.5, "end": 2, )"), "unread key start");
  EXPECT_EQ(llava(R"([{"image": "a.jpg", "image_id": 3, "file_name": "d/a.jpg", )" + asked + "}]")
                .at(0)
                .problem,
            "");
  const auto turn = llava(
      "[{" +
      turns(R"({"from": "human", "value": "x", "image_path": "a.jpg"}, )" + std::string(kGpt)) +
      "}]");
  EXPECT_EQ(turn.at(0).reject, "unread key image_path");
  const auto dropped = llava("[{\"image\": \"a.jpg\", " +
                             turns(fmt::format("{}, {}, {}", kPlain, kGpt, kHuman)) + "}]");
  EXPECT_EQ(dropped.at(0).reject, "broken conversation") << "the picture of a dropped question";
}

TEST_F(SourceConversationsTest, EmptySystemTurnsAndTools) {
  for (const std::string system :
       {R"({"role": "system", "content": ""})", R"({"from": "system", "value": " "})",
        R"({"role": "system", "content": null})", R"({"role": "system", "content": []})",
        R"({"role": "system", "content": [{"type": "text", "text": ""}]})"}) {
    const auto all = text("[{" + turns(fmt::format("{}, {}, {}", system, kPlain, kGpt)) + "}]");
    ASSERT_EQ(all.at(0).problem, "") << system;
    EXPECT_THAT(all[0].samples.at(0).turns, ElementsAre(kAsk, kSay)) << system;
  }
  for (const char* tools : {R"("[]")", R"("null")", R"(" {} ")", "[]", "{}", "null"}) {
    const auto all = text(fmt::format(R"([{{"tools": {}, "functions": {}, {}}}])", tools, tools,
                                      turns(fmt::format("{}, {}", kPlain, kGpt))));
    ASSERT_EQ(all.at(0).problem, "") << tools;
    EXPECT_THAT(all[0].samples.at(0).turns, ElementsAre(kAsk, kSay)) << tools;
  }
}

TEST_F(SourceConversationsTest, AnAnswerThatIsNotToBeLearnedRejectsTheRow) {
  const auto why = [&](const std::string& mark) {
    return text("[{" +
                turns(R"({"role": "user", "content": "what?", "weight": 0}, {"role": "assistant",
                         "content": "grey", )" +
                      mark + "}") +
                "}]")
        .at(0)
        .reject;
  };
  EXPECT_EQ(why(R"("weight": 0)"), "unread key weight");
  EXPECT_EQ(why(R"("weight": 0.5)"), "unread key weight");
  EXPECT_EQ(why(R"("train": false)"), "unread key train");
  EXPECT_EQ(why(R"("loss": false)"), "unread key loss");
  for (const char* mark : {R"("weight": 1)", R"("train": true)", R"("loss": null)"})
    EXPECT_EQ(why(mark), "") << mark;
}

TEST_F(SourceConversationsTest, SystemAndTools) {
  const io::Turn system{io::TurnRole::kSystem, "be\n[{\"name\":\"f\"}]"};
  const auto all = text(fmt::format(
      R"([{{"system": "be", "tools": [{{"name": "f"}}], "conversations": [{0}, {1}]}},
          {{"functions": "[{{\"name\":\"f\"}}]", "conversations": [
            {{"from": "system", "value": "be"}}, {0}, {1}]}},
          {{"conversations": [{0}, {{"from": "function_call", "value": "call f"}},
            {{"from": "observation", "value": "3"}}, {1}]}},
          {{"system": "be", "conversations": [{{"from": "system", "value": "be"}}, {0}, {1}]}}])",
      kPlain, kGpt));
  ASSERT_EQ(all.size(), 4u);
  for (const SourceRow& row : all) ASSERT_EQ(row.problem, "");
  EXPECT_THAT(all[0].samples[0].turns, ElementsAre(system, kAsk, kSay));
  EXPECT_THAT(all[1].samples[0].turns, ElementsAre(system, kAsk, kSay));
  EXPECT_THAT(all[2].samples[0].turns,
              ElementsAre(kAsk, io::Turn{io::TurnRole::kAssistant, "call f"},
                          io::Turn{io::TurnRole::kUser, "3"}, kSay));
  EXPECT_THAT(all[3].samples[0].turns,
              ElementsAre(io::Turn{io::TurnRole::kSystem, "be"}, kAsk, kSay));
}

TEST_F(SourceConversationsTest, Messages) {
  const auto all = llava(R"([{"messages": [{"role": "developer", "content": "be"},
      {"role": "user", "content": "what?"}, {"role": "assistant", "content": "grey"}]},
    {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "a.jpg"}},
      {"type": "text", "text": "what?"}, {"type": "image", "image": "b.jpg"}]},
      {"role": "assistant", "content": [{"type": "text", "text": "grey"}]}]},
    {"images": ["b.jpg"], "messages": [{"role": "user", "content": [{"type": "image"},
      {"type": "text", "text": "what?"}]}, {"role": "assistant", "content": "grey"}]},
    {"images": [{"path": "b.jpg", "bytes": null}], "messages": [{"role": "user",
      "content": "<image>what?"}, {"role": "assistant", "content": "grey"}]}])");
  ASSERT_EQ(all.size(), 4u);
  for (const SourceRow& row : all) ASSERT_EQ(row.problem, "");
  EXPECT_THAT(all[0].samples[0].turns,
              ElementsAre(io::Turn{io::TurnRole::kSystem, "be"}, kAsk, kSay));
  EXPECT_THAT(all[1].samples[0].turns, ElementsAre(kAsk, kSay));
  EXPECT_THAT(all[1].samples[0].media, ElementsAre(bytes("images/a.jpg"), bytes("images/b.jpg")));
  EXPECT_EQ(all[1].samples[0].kind, io::MediaKind::kSeparateImages);
  for (const size_t i : {2, 3}) {
    EXPECT_THAT(all[i].samples[0].turns, ElementsAre(kAsk, kSay));
    EXPECT_THAT(all[i].samples[0].media, ElementsAre(bytes("images/b.jpg")));
  }
}

TEST_F(SourceConversationsTest, ContentThatIsNotReadRejectsTheRow) {
  const auto why = [&](const std::string& members, const std::string& turns_text) {
    const auto all = llava("[{" + members + turns(turns_text) + "}]");
    EXPECT_THAT(all.at(0).samples, IsEmpty()) << members;
    return all.at(0).reject;
  };
  const std::string asked = fmt::format("{}, {}", kPlain, kGpt);
  const std::string marked = fmt::format("{}, {}", kHuman, kGpt);
  EXPECT_EQ(why(R"("video": "a.mp4", )", asked), "unread key video") << "there is no decoder";
  EXPECT_EQ(why(R"("audio": "a.wav", )", asked), "unread key audio");
  EXPECT_EQ(why(R"("messages": [{"role": "user", "content": "x"}], )", asked),
            "unread key messages");
  EXPECT_EQ(why(R"("image_file": "a.jpg", )", asked), "unread key image_file");
  EXPECT_EQ(why(R"("image": "a.jpg", "images": ["a.jpg"], )", asked), "unread key images");
  EXPECT_EQ(why(R"("image": "a.jpg", "video": "a.mp4", )", asked), "unread key video");
  EXPECT_EQ(why("", R"({"from": "human", "value": "x", "image": "a.jpg"}, )" + std::string(kGpt)),
            "unread key image");
  EXPECT_EQ(
      why("", R"({"role": "user", "content": [{"type": "input_audio"}]}, )" + std::string(kGpt)),
      "unread key audio");
  const auto of_part = [&](const std::string& part) {
    return why("", R"({"role": "user", "content": [)" + part + "]}, " + kGpt);
  };
  EXPECT_EQ(of_part(R"({"type": "text", "text": "x", "image": "a.jpg"})"), "unread key image");
  EXPECT_EQ(of_part(R"({"type": "text", "text": "x", "image_url": {"url": "a.jpg"}})"),
            "unread key image_url");
  EXPECT_EQ(of_part(R"({"type": "image", "image": "a.jpg", "text": "x"})"), "unread key text");
  EXPECT_EQ(of_part(R"({"type": "image", "image": "a.jpg", "path": "b.jpg"})"), "unread key path");
  EXPECT_EQ(of_part(R"({"type": "image", "image": "a.jpg", "video_url": "a.mp4"})"),
            "unread key video_url");
  const auto empty = llava("[{" +
                           turns(R"({"role": "user", "content": [{"type": "image", "image": "a.jpg",
                               "text": null, "path": "", "image_id": 3}, "what?"]}, )" +
                                 std::string(kGpt)) +
                           "}]");
  EXPECT_EQ(empty.at(0).problem, "");
  EXPECT_EQ(why("", R"({"role": "user", "content": "x"}, {"role": "assistant", "content": "",
                        "tool_calls": [{"id": 1}]})"),
            "unread key tool_calls");
  const auto of_turn = [&](const std::string& turn) { return why("", turn + ", " + kGpt); };
  EXPECT_EQ(of_turn(R"({"from": "human", "value": "x", "role": "user", "content": "y"})"),
            "unread key content");
  EXPECT_EQ(of_turn(R"({"from": "human", "role": "assistant", "value": "x"})"), "unread key role");
  EXPECT_EQ(of_turn(R"({"from": "human", "value": "x", "thinking": "y"})"), "unread key thinking");
  EXPECT_EQ(why("", std::string(kPlain) + R"(, {"role": "assistant", "content": "x",
                                               "reasoning_content": "y"})"),
            "unread key reasoning_content");
  EXPECT_EQ(llava("[{" + turns(R"({"from": null, "role": "user", "value": null, "content": "what?"},
                           {"from": "gpt", "role": "assistant", "value": "grey",
                            "content": "grey", "reasoning_content": null})") +
                  "}]")
                .at(0)
                .samples.at(0)
                .turns,
            (std::vector{kAsk, kSay}));
  EXPECT_EQ(why("", R"({"from": "human", "value": "<audio> x"}, )" + std::string(kGpt)),
            "placeholders without media");
  EXPECT_EQ(why(R"("image": "a.jpg", )",
                std::string(kHuman) + R"(, {"from": "gpt", "value": "see <image>"})"),
            "placeholder in a text that is learned");
  EXPECT_EQ(llava("[{\"image\": \"\", \"video\": null, " + turns(asked) + "}]")[0].reject, "");
  EXPECT_EQ(why("", marked), "placeholders without pictures");
}

TEST_F(SourceConversationsTest, OpenVqa) {
  const auto row = [](int index, const std::string& question_class, const std::string& image) {
    return fmt::format(
        R"({{"dataset": "D", "question": "what?", "answer": ["grey", "dark"], "index": {},
 {}, "origin_dataset": "o", "class": "{}"}})",
        index, image, question_class);
  };
  std::string file;
  for (const std::string& one :
       {row(1, "Place", R"("image": "a.jpg")"), row(2, "OCR", R"("image": "b.jpg")"),
        std::string("{broken"), row(4, "Place", R"("video": "a.mp4")"),
        row(5, "Place", R"("image": "b.jpg")")}) {
    std::string line = one;
    std::erase(line, '\n');
    file += line + "\n";
  }
  const auto path = write("x.jsonl", file);
  EXPECT_THAT(OpenVqaSource::classes(path), ElementsAre("Place", "OCR"));
  const auto of_class = [&](const std::string& name, bool takes_malformed, int64_t skip = 0) {
    return rows(OpenVqaSource({path, directory_ / "images", name, takes_malformed}), skip);
  };
  const auto place = of_class("Place", true);
  ASSERT_EQ(place.size(), 4u);
  EXPECT_THAT(keys(place), ElementsAre("D#1", "D#5"));
  EXPECT_THAT(place[0].samples[0].turns, ElementsAre(kAsk, kSay));
  EXPECT_THAT(place[0].samples[0].media, ElementsAre(bytes("images/a.jpg")));
  EXPECT_EQ(place[1].reject, "malformed row");
  EXPECT_EQ(place[2].reject, "unread key video");
  EXPECT_EQ(place[3].done, 4);
  EXPECT_THAT(keys(of_class("Place", true, 1)), ElementsAre("D#5"));
  EXPECT_THAT(keys(of_class("OCR", false)), ElementsAre("D#2"));
  EXPECT_EQ(of_class("OCR", false).size(), 1u);
}

TEST_F(SourceConversationsTest, OpenVqaTakesTheFirstAnswerWithContent) {
  const auto answered = [&](const std::string& answer) {
    const auto path = write("x.jsonl", R"({"dataset": "D", "question": "what?", "index": 1,
        "image": "a.jpg", "class": "c", "answer": )" +
                                           answer + "}");
    std::string line = io::read_text(path);
    std::erase(line, '\n');
    write("x.jsonl", line);
    return rows(OpenVqaSource({path, directory_ / "images", "c", true})).at(0);
  };
  for (const char* answer :
       {"[\"\", \"grey\", \"dark\"]", "[null, \" \", \"grey\", \"\", \"dark\"]"}) {
    const SourceRow row = answered(answer);
    ASSERT_EQ(row.samples.size(), 1u) << row.problem;
    EXPECT_EQ(row.samples[0].turns[1].text, "grey");
    EXPECT_EQ(row.left_out, (LeftOut{{"answers after the first", 1}}));
  }
  EXPECT_EQ(answered("[\"\", null]").reject, "empty text");
}

}  // namespace
}  // namespace lynceus::prepare
