#include "generate/rows/answers_file.h"

#include <fmt/format.h>

#include "core/error.h"
#include "core/fault.h"
#include "generate/rows/answer_text.h"
#include "io/files/digest.h"
#include "io/files/json.h"
#include "io/files/lines.h"

namespace lynceus::generate {
namespace {

namespace fs = std::filesystem;

constexpr const char* kAnswersDigest = "answers_digest";

/// The row without its last bracket, up to the first member that is added.
std::string open_row(const Row& row) {
  const std::string text = row.json.substr(0, row.json.size() - 1);
  return trimmed(text) == "{" ? text : text + ",";
}

/// The row with the members of `added`, of which there is at least one.
std::string line_with(const Row& row, const io::JsonValue& added) {
  return open_row(row) + added.dump_replacing().substr(1);
}

std::string option_line(const Row& row, const RowAnswer& answer) {
  io::JsonValue scores = io::JsonValue::array();
  size_t best = 0;
  for (size_t i = 0; i < answer.answers.size(); ++i) {
    const Search::Answer& option = answer.answers[i];
    scores.push_back(io::JsonValue::object({{"sum", option.sum}, {"length", option.length}}));
    if (option.score > answer.answers[best].score) best = i;
  }
  io::JsonValue added = io::JsonValue::object({{"answer_predicted", row.options.at(best)}});
  if (!answer.description.empty()) added.set("description", answer.description);
  added.set("option_scores", scores);
  return line_with(row, added);
}

bool is_line_of(const std::string& line, const Row& row) {
  return row.problem.empty() && line.starts_with(open_row(row) + "\"answer_predicted\":");
}

}  // namespace

std::string answered_line(const Row& row, const RowAnswer& answer, const io::Tokenizer& tokenizer,
                          bool with_scores) {
  if (!row.options.empty()) return option_line(row, answer);
  io::JsonValue all = io::JsonValue::array(), scores = io::JsonValue::array();
  for (const Search::Answer& one : answer.answers) {
    all.push_back(answer_text(tokenizer, one.tokens));
    scores.push_back(io::JsonValue::object(
        {{"sum", one.sum},
         {"length", one.length},
         {"score", one.score},
         {"ended", one.ended},
         {"tokens", std::vector<int64_t>(one.tokens.begin(), one.tokens.end())}}));
  }
  io::JsonValue added = io::JsonValue::object(
      {{"answer_predicted", answer_text(tokenizer, answer.answers.front().tokens)}});
  if (answer.answers.size() > 1) added.set("answers_predicted", all);
  if (answer.right) added.set("right", *answer.right);
  if (!answer.description.empty()) added.set("description", answer.description);
  if (with_scores) added.set("scores", scores);
  return line_with(row, added);
}

std::vector<std::string> added_members(const Conversation& conversation, bool with_scores) {
  std::vector<std::string> members = {"answer_predicted"};
  if (conversation.description.first) members.emplace_back("description");
  if (conversation.scores_options) {
    members.emplace_back("option_scores");
    return members;
  }
  if (conversation.settings.num_return_sequences > 1) members.emplace_back("answers_predicted");
  if (with_scores) members.emplace_back("scores");
  return members;
}

AnswerOutput::AnswerOutput(fs::path file, Card card)
    : file_(std::move(file)), card_(std::move(card)) {}

std::string AnswerOutput::card_text(const std::string& digest) const {
  io::JsonValue card = io::JsonValue::object();
  for (const auto& [key, value] : card_) card.set(key, value);
  if (!digest.empty()) card.set(kAnswersDigest, digest);
  return card.dump(2) + "\n";
}

void AnswerOutput::compare_card(const fs::path& card) const {
  const io::Json found = io::Json::read(card);
  for (const auto& [key, value] : card_) {
    const auto member = found.find(key);
    // Both through the same parser, so that the order of members does not matter.
    const std::string expected = io::Json::parse(value.dump(), key).dump();
    const std::string present = member ? member->dump() : "nothing";
    if (present == expected) continue;
    throw UsageError(
        "{}: answers with {} {} are there, but {} is asked for: give another --output, or "
        "--overwrite to answer all rows again",
        card.string(), key, present, expected);
  }
}

AnsweredRows AnswerOutput::begin(const std::vector<Row>& rows, bool overwrite) {
  if (!file_.parent_path().empty()) fs::create_directories(file_.parent_path());
  if (overwrite) {
    fs::remove_all(partial());
    fs::remove(file_);
    fs::remove(card_file());
  }
  AnsweredRows answered;
  if (io::file_exists(file_)) {
    if (!io::file_exists(card_file()))
      throw UsageError(
          "{}: expected no such file, or answers with {}: give another --output, or --overwrite",
          file_.string(), card_file().string());
    compare_card(card_file());
    answered = read_finished(rows);
  }
  const fs::path about = partial() / "card.json";
  if (io::file_exists(about)) {
    compare_card(about);
    answered.merge(read_parts(rows));
  } else {
    fs::remove_all(partial());  // lines of unknown settings
  }
  fs::create_directories(partial());
  io::atomic_write_text(about, card_text(""));
  return answered;
}

AnsweredRows AnswerOutput::read_parts(const std::vector<Row>& rows) const {
  AnsweredRows answered;
  for (const auto& entry : fs::directory_iterator(partial())) {
    if (entry.path().extension() != ".jsonl") continue;
    io::Lines lines(entry.path());
    for (std::string line; lines.next(line);) {
      try {  // the last line of a process that was killed may be incomplete
        const io::Json json = io::Json::parse(line, entry.path().string());
        const auto row = static_cast<size_t>(json.at("row").integer(0));
        const std::string text = json.at("line").string();
        if (row < rows.size() && is_line_of(text, rows[row])) answered[row] = text;
      } catch (const InputError&) {
      }
    }
  }
  return answered;
}

AnsweredRows AnswerOutput::read_finished(const std::vector<Row>& rows) const {
  AnsweredRows answered;
  io::Lines lines(file_);
  size_t row = 0;
  for (std::string line; lines.next(line);) {
    size_t at = row;
    while (at < rows.size() && !is_line_of(line, rows[at])) ++at;
    if (at == rows.size()) continue;  // the row is not in the input any more
    answered[at] = line;
    row = at + 1;
  }
  return answered;
}

void AnswerOutput::open_part(int replica) {
  part_ = io::File::open_appending(partial() / fmt::format("replica-{}.jsonl", replica));
  part_.append("\n", 1);  // an earlier process may have left an incomplete line
}

void AnswerOutput::add(size_t row, const std::string& line) {
  LYNCEUS_FAULT_POINT("generate.answer");
  const std::string text =
      io::JsonValue::object({{"row", static_cast<int64_t>(row)}, {"line", line}}).dump_replacing() +
      "\n";
  part_.append(text.data(), text.size());
}

void AnswerOutput::close_part() {
  if (!part_.is_open()) return;
  part_.sync();
  part_.close();
}

size_t AnswerOutput::finish(const std::vector<Row>& rows,
                            const std::map<size_t, std::string>& rejected) {
  AnsweredRows answered;
  if (io::file_exists(file_)) answered = read_finished(rows);
  answered.merge(read_parts(rows));
  std::string text, list;
  for (const auto& [row, line] : answered) text += line + "\n";
  for (const auto& [row, reason] : rejected) {
    io::JsonValue entry =
        io::JsonValue::object({{"row", static_cast<int64_t>(row)}, {"reason", reason}});
    if (!rows[row].json.empty()) entry.set("input", rows[row].json);
    list += entry.dump_replacing() + "\n";
  }
  // The card first: a file without one would be refused by a later start.
  const fs::path finished = partial() / "finished";
  io::atomic_write_text(finished, text);
  io::atomic_write_text(card_file(), card_text(io::digest_file(finished).hex()));
  io::rename_file(finished, file_);
  io::sync_directory(fs::absolute(file_).parent_path());
  if (list.empty())
    fs::remove(rejected_file());
  else
    io::atomic_write_text(rejected_file(), list);
  fs::remove_all(partial());
  return answered.size();
}

}  // namespace lynceus::generate
