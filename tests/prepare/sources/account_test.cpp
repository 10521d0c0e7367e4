// Thousands of small corpora with random damage: every row of the input is either read, with the
// content that it was made from, or rejected with the reason of its damage; in both forms of JSON.
#include <algorithm>

#include "prepare/sources/coco.h"
#include "prepare/sources/jsonl.h"
#include "prepare/sources/llava.h"
#include "prepare/sources/openvqa.h"
#include "tests/prepare/sources/made_row.h"
#include "tests/prepare/sources/source_fixture.h"

namespace lynceus::prepare {
namespace {

using Role = io::TurnRole;

class SourceAccountTest : public SourceTest {
 protected:
  /// The row as text, with its members in random order.
  static std::string json(Maker& make, MadeRow& row) {
    std::string all;
    for (size_t i = 0; i < row.members.size(); ++i) {
      std::swap(row.members[i], row.members[i + make.below(row.members.size() - i)]);
      all += (i == 0 ? "" : ", ") + row.members[i];
    }
    return "{" + all + "}";
  }
  static std::string array(Maker& make, std::vector<MadeRow>& rows) {
    std::string all = "[";
    for (MadeRow& row : rows)
      all += (&row == rows.data() ? "" : ",") + std::string(make.chance(2) ? "\n  " : "") +
             json(make, row);
    return all + (make.chance(2) ? "\r\n]\n" : "]");
  }
  static std::string lines(Maker& make, std::vector<MadeRow>& rows) {
    std::string all;
    const std::string end = make.chance(3) ? "\r\n" : "\n";
    for (MadeRow& row : rows) all += (make.chance(6) ? " " + end : "") + json(make, row) + end;
    if (!all.empty() && make.chance(2)) all.resize(all.size() - end.size());
    return all;
  }
  std::filesystem::path save(Maker& make, const std::string& text) const {
    std::filesystem::remove(directory_ / "x.json");  // a file that is overwritten is flushed: slow
    return write("x.json", (make.chance(3) ? "\xEF\xBB\xBF" : "") + text);
  }

  void check(Source&& source, const std::vector<MadeRow>& made, const std::string& text) {
    SCOPED_TRACE(text);
    EXPECT_EQ(source.extent().rows, std::ssize(made));
    const size_t skip = made.size() / 2;
    for (const size_t begin : {size_t{0}, skip}) {
      const auto all = rows(std::move(source), static_cast<int64_t>(begin));
      ASSERT_EQ(all.size(), made.size() - begin) << "read + rejected = rows";
      for (size_t i = 0; i < all.size(); ++i) check_row(all[i], made[begin + i], begin + i);
    }
  }
  void check_row(const SourceRow& row, const MadeRow& made, size_t index) {
    EXPECT_EQ(row.done, static_cast<int64_t>(index) + 1);
    EXPECT_EQ(row.reject, made.reject) << row.problem;
    if (made.reject.empty()) {
      EXPECT_EQ(row.left_out, made.left_out);
    }
    ++(row.reject.empty() ? read_ : rejected_);
    if (!made.reject.empty()) {
      EXPECT_TRUE(row.samples.empty());
      return;
    }
    ASSERT_EQ(row.samples.size(), made.samples.size());
    for (size_t k = 0; k < row.samples.size(); ++k) {
      EXPECT_EQ(row.samples[k].key, made.samples[k].key);
      EXPECT_EQ(row.samples[k].turns, made.samples[k].turns);
      EXPECT_EQ(row.samples[k].media, made.samples[k].media);
      EXPECT_EQ(row.samples[k].kind, made.samples[k].kind);
    }
  }

  std::vector<std::string> pictures() const {
    return {bytes("images/a.jpg"), bytes("images/b.jpg")};
  }

  int64_t read_ = 0;
  int64_t rejected_ = 0;
};

io::MediaKind kind_of(const MadeRow& row, const io::Sample& sample, bool lists_are_apart) {
  const bool is_list =
      lists_are_apart &&
      std::any_of(row.members.begin(), row.members.end(), [](const std::string& member) {
        return member.starts_with("\"image") && member.find("[\"") < 12;
      });
  return sample.media.size() > 1 || is_list ? io::MediaKind::kSeparateImages
                                            : io::MediaKind::kFrames;
}

/// What may be wrong with the content of a row, apart from its JSON.
void spoil(Maker& make, MadeRow& row, std::string& text) {
  if (!make.chance(12)) return;
  text = " \n";
  row.reject = "empty text";
}

MadeRow jsonl_row(Maker& make, size_t index) {
  MadeRow row;
  io::Sample sample;
  const size_t form = make.below(4);
  std::vector<std::string> answers;
  if (form == 0) {
    std::string text = make.text();
    row.add("text", make.quoted(text));
    sample.turns = {{Role::kText, text}};
  } else {
    make.add_pictures(row, sample, form == 1 ? make.below(2) : 1 + make.below(2));
    std::string answer = make.text();
    if (form == 1) {
      const std::string question = make.text();
      const bool has_mark = !sample.media.empty() && make.chance(2);
      row.add("question", make.quoted((has_mark ? "<image>\n" : "") + question));
      sample.turns = {{Role::kUser, question}};
      spoil(make, row, answer);
      const bool has_more = row.reject.empty() && make.chance(4);
      if (has_more) row.left_out = {{"answers after the first", 1}};
      row.add("answer", has_more ? "[" + make.quoted(answer) + ", \"b\"]" : make.quoted(answer));
      answers = {answer};
    } else if (form == 2) {
      spoil(make, row, answer);
      row.add("caption", make.chance(2) && row.reject.empty() ? "[" + make.quoted(answer) + "]"
                                                              : make.quoted(answer));
      answers = {answer};
    } else {
      answers = {answer, make.text()};
      row.add("captions", "[" + make.quoted(answers[0]) + ", " + make.quoted(answers[1]) + "]");
    }
  }
  sample.kind = kind_of(row, sample, true);
  std::string name = make.name_of(row);
  if (name.empty()) name = fmt::format("row {}", index + 1);
  sample.key = make.add_id(row, "id", name);
  if (answers.empty()) row.samples = {sample};
  for (size_t i = 0; i < answers.size(); ++i) {
    row.samples.push_back(sample);
    row.samples.back().turns.push_back({Role::kAssistant, answers[i]});
    if (answers.size() > 1) row.samples.back().key += fmt::format("#{}", i + 1);
  }
  return row;
}

MadeRow instructions_row(Maker& make, size_t index) {
  MadeRow row;
  io::Sample sample;
  const size_t form = make.below(3);
  make.add_pictures(row, sample, make.below(3));
  sample.kind = kind_of(row, sample, false);
  sample.key = make.add_id(row, "id", fmt::format("row {}", index + 1));
  std::string system;
  if (make.chance(3)) {
    system = make.text();
    row.add("system", make.quoted(system));
  } else if (make.chance(4)) {
    row.add("system", "\"\"");
  }
  std::vector<io::Turn> turns;
  for (size_t n = 1 + make.below(3); n > 0; --n) {
    turns.push_back({Role::kUser, make.text()});
    turns.push_back({Role::kAssistant, make.text()});
  }
  sample.turns = turns;
  std::string marks;
  if (make.chance(2))
    for (size_t i = 0; i < sample.media.size(); ++i) marks += "<image>\n";
  if (make.chance(15)) {
    marks += "<image>";
    if (marks.size() > 7 || sample.media.size() != 1) row.reject = "placeholders without pictures";
  }
  turns[0].text = marks + turns[0].text;
  if (make.chance(15) && row.reject.empty()) {
    turns.back().text = "";
    row.reject = "empty text";
  }
  std::string list;
  if (form == 0) {
    const size_t last = turns.size() - 2;
    for (size_t i = 0; i < last; i += 2)
      list += fmt::format("{}[{}, {}]", i == 0 ? "" : ", ", make.quoted(turns[i].text),
                          make.quoted(turns[i + 1].text));
    if (last > 0) row.add("history", "[" + list + "]");
    row.add("instruction", make.quoted(turns[last].text));
    row.add("input", make.chance(2) ? "\"\"" : "null");
    row.add("output", make.quoted(turns[last + 1].text));
  } else {
    const bool is_chat = form == 2;
    // Turns without a partner are left out, unless they have a placeholder or would be the caption.
    const bool has_no_question = marks.empty() && make.chance(4);
    const bool has_no_answer = make.chance(4);
    if (has_no_question) turns.insert(turns.begin(), {Role::kAssistant, make.text()});
    if (has_no_answer) turns.push_back({Role::kUser, make.text()});
    if (has_no_question || has_no_answer)
      row.left_out = {{"turns without a partner", int{has_no_question} + int{has_no_answer}}};
    for (const io::Turn& turn : turns) {
      const bool is_user = turn.role == Role::kUser;
      list += (list.empty() ? "" : ", ") +
              fmt::format(R"({{"{}": "{}", "{}": {}}})", is_chat ? "role" : "from",
                          is_chat ? (is_user ? "user" : "assistant") : (is_user ? "human" : "gpt"),
                          is_chat ? "content" : "value",
                          is_chat && is_user
                              ? "[{\"type\": \"text\", \"text\": " + make.quoted(turn.text) + "}]"
                              : make.quoted(turn.text));
    }
    row.add(is_chat ? "messages" : "conversations", "[" + list + "]");
  }
  if (!system.empty()) sample.turns.insert(sample.turns.begin(), {Role::kSystem, system});
  row.samples = {sample};
  return row;
}

MadeRow open_vqa_row(Maker& make, size_t index) {
  MadeRow row;
  io::Sample sample;
  const std::string question = make.text();
  std::string answer = make.text();
  const bool is_list = make.chance(2);
  const size_t picture = make.below(2);
  if (is_list) row.left_out = {{"answers after the first", 1}};
  sample.media = {make.pictures()[picture]};
  row.add("image", picture == 0 ? "\"images/a.jpg\"" : "\"images/b.jpg\"");
  spoil(make, row, answer);
  const std::string first = answer;
  if (is_list && !row.reject.empty()) {  // the next answer is taken
    answer = "other";
    row.reject = "";
    row.left_out = {};
  }
  row.add("class", "\"A\"");
  row.add("question", make.quoted(question));
  row.add("answer", is_list ? "[" + make.quoted(first) + ", \"other\"]" : make.quoted(first));
  row.add("origin_dataset", "\"o\"");
  row.add("dataset", "\"D\"");
  sample.key = "D#" + make.add_id(row, "index", fmt::format("row {}", index + 1));
  sample.turns = {{Role::kUser, question}, {Role::kAssistant, answer}};
  row.samples = {sample};
  return row;
}

MadeRow coco_row(Maker& make, size_t index) {
  MadeRow row;
  io::Sample sample;
  std::string caption = make.text();
  spoil(make, row, caption);
  const bool is_unknown = make.chance(10);
  const size_t picture = is_unknown ? 9 : make.below(2);
  if (is_unknown) row.reject = "unknown picture id";
  row.add("image_id", make.number(static_cast<int64_t>(picture)));
  row.add("caption", make.quoted(caption));
  const std::string name = picture == 0 ? "images/a.jpg" : "images/b.jpg";
  sample.key = name + "#" + make.add_id(row, "id", fmt::format("row {}", index + 1));
  sample.turns = {{Role::kAssistant, caption}};
  sample.media = {make.pictures()[picture % 2]};
  row.samples = {sample};
  return row;
}

TEST_F(SourceAccountTest, EveryRowIsReadOrRejected) {
  constexpr uint64_t kCorpora = 2400;
  for (uint64_t seed = 1; seed <= kCorpora && !HasFailure(); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Maker make(seed, pictures());
    const size_t source = seed % 4;
    const bool is_array = source == 0 || make.chance(2);
    std::vector<MadeRow> made;
    for (size_t index = 0, count = make.below(9); index < count; ++index) {
      constexpr decltype(&jsonl_row) kMakers[] = {coco_row, jsonl_row, instructions_row,
                                                  open_vqa_row};
      made.push_back(kMakers[source](make, index));
      make.damage(made.back(), is_array);
    }
    std::string text = is_array ? array(make, made) : lines(make, made);
    if (source == 0) {
      std::string pictures = fmt::format(
          R"([{{"id": {}, "file_name": "images/a.jpg"}}, {{"id": {}, "file_name": "images/b.jpg"}}])",
          make.number(0), make.number(1));
      const bool first = make.chance(2);
      text = fmt::format(R"({{{}"info": NaN, "annotations": {}{}}})",
                         first ? "\"images\": " + pictures + ", " : "", text,
                         first ? "" : ", \"images\": " + pictures);
    }
    const auto path = save(make, text);
    if (source == 0) check(CocoSource({path}), made, text);
    if (source == 1) check(JsonlSource({.file = path}), made, text);
    if (source == 2) check(LlavaSource({path}), made, text);
    if (source == 3)
      check(OpenVqaSource({.file = path, .question_class = "A", .takes_malformed = true}), made,
            text);
  }
  EXPECT_GT(read_, 4000);
  EXPECT_GT(rejected_, 2000);
}

}  // namespace
}  // namespace lynceus::prepare
