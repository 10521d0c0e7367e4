// Answers that a case gives, token by token: the model is run with these tokens, and what it would
// have said is compared with the case. Draws (generate/sampling.h) replace the choice of tokens; a
// draw sees the scores of all tokens. Draws are called on the ranks that decide, several at once.
#pragma once

#include <deque>
#include <vector>

#include "verify/generation_case.h"
#include "verify/verify.h"

namespace lynceus::verify {

class ForcedAnswers {
 public:
  /// One row of the case with tokens to be followed.
  struct Row {
    size_t row;
    const GenerationRun* run;  // of an answer whose log-probability the case knows
    std::vector<int32_t> tokens;
    double sum = 0;  // of the log-probabilities, as the case says
    generate::Settings settings = {};
    double found = 0;  // of the log-probabilities, on the rank that decides
    bool was_decided_here = false;
    // By run of read.given: the error of probabilities, and the sum of log-probabilities of the
    // tokens, here and in the case.
    std::vector<double> worst = {}, given_found = {}, given_expected = {};
  };

  /// Both outlive this object.
  ForcedAnswers(const Runtime& rt, const GenerationCase& read);

  /// Beam sampling with the draws of the case.
  generate::Draw given_draws(const GenerationRun& run, size_t row);
  const std::deque<Row>& rows() const { return rows_; }
  const generate::Settings& settings(const Row& row) const { return row.settings; }
  /// Follows the tokens of rows()[index].
  generate::Draw draw(uint64_t index);

  /// Collective over the world.
  void append_findings(const Tolerances& tolerances, std::vector<Finding>* findings) const;

 private:
  void follow(Row* row, int64_t step, std::span<const generate::Choice> choices,
              std::vector<int32_t>* drawn) const;
  void compare_given(Row* row, int64_t step, std::span<const float> logits) const;

  void append_given_sums(size_t run, const Tolerances& tolerances,
                         std::vector<Finding>* findings) const;

  /// What given_draws() has found in a row.
  struct Draws {
    const GenerationRun* run;
    double worst = 0;
  };

  const Runtime& rt_;
  const GenerationCase& read_;
  std::deque<Row> rows_;
  std::deque<Draws> draws_;
};

}  // namespace lynceus::verify
