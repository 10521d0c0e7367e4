// What scoring a benchmark gives: scores for programs and for people, per-item results, and what
// the protocol card needs.
#pragma once

#include <string>
#include <vector>

#include "evaluate/items.h"
#include "evaluate/protocol_card.h"
#include "io/files/json_value.h"

namespace lynceus::evaluate {

/// Cells of a page for people. The first row is the heading.
struct ScoreTable {
  std::vector<std::vector<std::string>> rows;
  size_t text_columns = 1;         ///< set to the left; the others are numbers, to the right
  std::vector<std::string> notes;  ///< lines after the table
};

struct Evaluation {
  std::string benchmark;
  io::JsonValue scores = io::JsonValue::object();  ///< members of the JSON object of the benchmark
  ScoreTable table;
  std::vector<Item> items;
  ProtocolCard card;
  std::vector<std::string> warnings;  ///< of what is odd but can be scored
};

/// {"benchmark", the scores, "items", "protocol"}, one line.
std::string to_json(const Evaluation& evaluation);
/// The lines of the protocol card for people.
std::vector<std::string> card_lines(const Evaluation& evaluation);

/// "76.2 %".
std::string percent(double share);
/// right / questions; null for no questions.
io::JsonValue share_of(int64_t right, int64_t questions);

}  // namespace lynceus::evaluate
