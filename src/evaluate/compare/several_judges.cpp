#include "evaluate/compare/several_judges.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "evaluate/compare/agreement.h"
#include "evaluate/compare/page.h"
#include "evaluate/compare/pairs.h"

namespace lynceus::evaluate {
namespace {

using io::JsonValue;

/// The rows of each judge, with its name in front.
void add_rows(const std::string& judge, const ScoreTable& from, ScoreTable* to) {
  for (size_t r = to->rows.empty() ? 0 : 1; r < from.rows.size(); ++r) {
    std::vector<std::string> cells = {r == 0 ? "judge" : judge};
    cells.insert(cells.end(), from.rows[r].begin(), from.rows[r].end());
    to->rows.push_back(std::move(cells));
  }
  for (const std::string& note : from.notes) to->notes.push_back(note);
  to->text_columns = from.text_columns + 1;
}

}  // namespace

Evaluation combine_judges(std::vector<Evaluation> evaluations) {
  LYNCEUS_CHECK(!evaluations.empty(), "expected an evaluation, found none");
  Evaluation combined = std::move(evaluations.front());
  if (evaluations.size() == 1) return combined;
  ScoreTable table;
  add_rows(combined.card.judge, combined.table, &table);
  JsonValue others = JsonValue::array();
  for (size_t i = 1; i < evaluations.size(); ++i) {
    const Evaluation& other = evaluations[i];
    JsonValue object = JsonValue::object({{"judge", other.card.judge}});
    for (const JsonValue::Member& member : other.scores.members())
      object.set(member.key, member.value);
    others.push_back(std::move(object));
    add_rows(other.card.judge, other.table, &table);
    combined.items.insert(combined.items.end(), other.items.begin(), other.items.end());
    for (const std::string& warning : other.warnings)
      if (std::find(combined.warnings.begin(), combined.warnings.end(), warning) ==
          combined.warnings.end())
        combined.warnings.push_back(warning);
  }
  combined.table = std::move(table);
  const ItemFile file{"", combined.items};
  const std::vector<ItemsBySet> sets = {items_by_set(file)};
  JsonValue agreements = JsonValue::array();
  for (const JudgeAgreement& agreement : judge_agreements(sets, {})) {
    JsonValue object = agreement_json(agreement);
    agreements.push_back(std::move(object));
    combined.table.notes.push_back(agreement_text(agreement));
  }
  combined.scores.set("other_judges", std::move(others));
  combined.scores.set("agreements", std::move(agreements));
  return combined;
}

}  // namespace lynceus::evaluate
