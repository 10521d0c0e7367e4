// The file of answers: the rows of the input, in their order, each with its answer. While rows are
// answered, each replica appends to a file of its own in FILE.partial/, so that a later start
// keeps what was answered, on any grid. Next to the finished file:
//
//   FILE.card.json        what the answers depend on (evaluate/protocol_card.h)
//   FILE.rejected.jsonl   rows that were not answered, and why; only if there are any
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "generate/rows/row_feed.h"
#include "io/files/file.h"
#include "io/files/json_value.h"

namespace lynceus::generate {

/// What answers depend on besides their rows: members of the card.
using Card = std::vector<std::pair<std::string, io::JsonValue>>;

/// Lines of answered rows, by number of the row.
using AnsweredRows = std::map<size_t, std::string>;

/// The row as it came with "answer_predicted", the text of the best answer, and
///   "answers_predicted"  of all, best first, if there are several
///   "right"              of a sample of a dataset (RowAnswer::right)
///   "description"        of the first round, if there was one
///   "scores"             if wanted: of each answer "sum", "length", "score", "ended", "tokens"
/// Of a row with options the best answer is the one with the largest mean log-probability of its
/// tokens, the end token included, of equal ones the first, and "option_scores" has "sum" and
/// "length" of each option.
std::string answered_line(const Row& row, const RowAnswer& answer, const io::Tokenizer& tokenizer,
                          bool with_scores);

/// The members that answered_line() may add to the rows of a file.
std::vector<std::string> added_members(const Conversation& conversation, bool with_scores);

class AnswerOutput {
 public:
  AnswerOutput(std::filesystem::path file, Card card);

  /// On rank 0, before any answer: what earlier starts have answered of these rows. UsageError if
  /// there are answers of another card, unless `overwrite`, which removes them.
  AnsweredRows begin(const std::vector<Row>& rows, bool overwrite);
  /// On one rank of each replica.
  void open_part(int replica);
  void add(size_t row, const std::string& line);
  void close_part();
  /// On rank 0, when all parts are closed: writes the file, its card and the list of rejected rows,
  /// and removes the parts. Returns the number of answered rows.
  size_t finish(const std::vector<Row>& rows, const std::map<size_t, std::string>& rejected);

  const std::filesystem::path& path() const { return file_; }

 private:
  std::filesystem::path partial() const { return file_.string() + ".partial"; }
  std::filesystem::path card_file() const { return file_.string() + ".card.json"; }
  std::filesystem::path rejected_file() const { return file_.string() + ".rejected.jsonl"; }
  std::string card_text(const std::string& digest) const;
  void compare_card(const std::filesystem::path& card) const;
  AnsweredRows read_parts(const std::vector<Row>& rows) const;
  AnsweredRows read_finished(const std::vector<Row>& rows) const;

  std::filesystem::path file_;
  Card card_;
  io::File part_;
};

}  // namespace lynceus::generate
