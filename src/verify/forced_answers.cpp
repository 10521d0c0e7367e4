#include "verify/forced_answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "generate/processors.h"

namespace lynceus::verify {
namespace {

constexpr double kProbabilityTolerance = 1e-5;

/// Index of the choice, −1: it is not among them.
int32_t index_of(std::span<const generate::Choice> choices, int32_t beam, int32_t token) {
  for (size_t i = 0; i < choices.size(); ++i)
    if (choices[i].beam == beam && choices[i].token == token) return static_cast<int32_t>(i);
  return -1;
}

double log_sum_exp(std::span<const float> logits) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
  return largest + std::log(sum);
}

/// Whether the sums of a run are those of the model's own log-probabilities: processors only forbid
/// tokens.
bool has_plain_sums(const GenerationRun& run) {
  return run.has_sums && !run.settings.do_sample && run.settings.repetition_penalty == 1.0;
}

}  // namespace

ForcedAnswers::ForcedAnswers(const Runtime& rt, const GenerationCase& read) : rt_(rt), read_(read) {
  for (const GenerationRun& run : read.runs) {
    if (!has_plain_sums(run)) continue;
    for (size_t row = 0; row < run.rows.size(); ++row) {
      const generate::Search::Answer& best = run.rows[row].answers.front();
      rows_.push_back({row, &run, best.tokens, best.sum});
    }
  }
  if (read.given)
    for (size_t row = 0; row < read.given->tokens.size(); ++row) {
      rows_.push_back({row, nullptr, read.given->tokens[row]});
      for (auto* values :
           {&rows_.back().worst, &rows_.back().given_found, &rows_.back().given_expected})
        values->assign(read.given->runs.size(), 0);
    }
  for (Row& row : rows_) {
    row.settings.do_sample = true;
    row.settings.max_new_tokens = static_cast<int64_t>(row.tokens.size());
  }
}

generate::Draw ForcedAnswers::given_draws(const GenerationRun& run, size_t row) {
  draws_.push_back({&run});
  Draws& known = draws_.back();
  const std::vector<GivenStep>& steps = run.rows[row].steps;
  return [&known, &steps](int64_t step, std::span<const generate::Choice> choices, int64_t count,
                          std::vector<int32_t>* drawn) {
    drawn->clear();
    if (step >= static_cast<int64_t>(steps.size())) {
      known.worst = INFINITY;  // the search goes on where the case ended
      for (int32_t i = 0; i < std::min<int64_t>(count, static_cast<int64_t>(choices.size())); ++i)
        drawn->push_back(i);
      return;
    }
    const GivenStep& given = steps[static_cast<size_t>(step)];
    if (given.possible.size() != choices.size()) known.worst = INFINITY;
    for (const generate::Choice& possible : given.possible) {
      const int32_t at = index_of(choices, possible.beam, possible.token);
      const double found = at < 0 ? INFINITY : choices[static_cast<size_t>(at)].probability;
      known.worst = std::max(known.worst, std::abs(found - possible.probability));
    }
    for (const auto& [beam, token] : given.drawn) {
      const int32_t at = index_of(choices, beam, token);
      if (at >= 0) drawn->push_back(at);
    }
  };
}

generate::Draw ForcedAnswers::draw(uint64_t index) {
  Row* const row = &rows_[index];
  return [this, row](int64_t step, std::span<const generate::Choice> choices, int64_t /*count*/,
                     std::vector<int32_t>* drawn) { follow(row, step, choices, drawn); };
}

void ForcedAnswers::follow(Row* row, int64_t step, std::span<const generate::Choice> choices,
                           std::vector<int32_t>* drawn) const {
  std::vector<float> logits(static_cast<size_t>(read_.model.llm.vocab_size), -INFINITY);
  for (const generate::Choice& choice : choices)
    logits[static_cast<size_t>(choice.token)] = static_cast<float>(choice.value);
  const int32_t token = row->tokens[static_cast<size_t>(step)];
  row->was_decided_here = true;
  row->found += static_cast<double>(logits[static_cast<size_t>(token)]) - log_sum_exp(logits);
  if (row->run == nullptr) compare_given(row, step, logits);
  drawn->assign(1, index_of(choices, choices.front().beam, token));
}

void ForcedAnswers::compare_given(Row* row, int64_t step, std::span<const float> logits) const {
  const GivenTokens& given = *read_.given;
  const auto size = static_cast<size_t>(read_.model.llm.vocab_size);
  std::vector<int32_t> history{read_.bos};
  history.insert(history.end(), row->tokens.begin(), row->tokens.begin() + step);
  for (size_t i = 0; i < given.runs.size(); ++i) {
    const GenerationRun& run = given.runs[i];
    const size_t steps = given.expected[i].size() / (given.tokens.size() * size);
    if (step >= static_cast<int64_t>(steps)) continue;
    std::vector<float> scores(logits.begin(), logits.end());
    generate::Processors(run.settings, /*bos=*/1, run.eos).apply(history, scores);
    std::vector<generate::Choice> choices;
    generate::TokenFilter filter(run.settings, /*least=*/1);
    for (const int32_t token : filter.keep(scores))
      choices.push_back(
          {0, token,
           static_cast<double>(scores[static_cast<size_t>(token)]) / run.settings.temperature, 0});
    generate::set_probabilities(choices);
    std::vector<double> found(size, 0);
    for (const generate::Choice& choice : choices)
      found[static_cast<size_t>(choice.token)] = choice.probability;
    const float* const expected =
        given.expected[i].data() +
        (static_cast<size_t>(step) * given.tokens.size() + row->row) * size;
    const auto next = static_cast<size_t>(row->tokens[static_cast<size_t>(step)]);
    row->given_found[i] += std::log(found[next]);
    row->given_expected[i] += std::log(static_cast<double>(expected[next]));
    for (size_t token = 0; token < size; ++token) {
      double error = std::abs(found[token] - static_cast<double>(expected[token]));
      if ((found[token] == 0) != (expected[token] == 0)) error = INFINITY;  // cut or not
      row->worst[i] = std::max(row->worst[i], error);
    }
  }
}

/// Of a run that keeps all tokens: with fewer, a small error decides what is cut.
void ForcedAnswers::append_given_sums(size_t run, const Tolerances& tolerances,
                                      std::vector<Finding>* findings) const {
  const std::vector<float>& probabilities = read_.given->expected[run];
  if (std::find(probabilities.begin(), probabilities.end(), 0.0f) != probabilities.end()) return;
  double expected = 0, found = 0;
  for (const Row& row : rows_) {
    if (row.run != nullptr || !row.was_decided_here) continue;
    expected += row.given_expected[run];
    found += row.given_found[run];
  }
  expected = rt_.grid.world->all_reduce(expected, parallel::ReduceOp::kSum);
  found = rt_.grid.world->all_reduce(found, parallel::ReduceOp::kSum);
  findings->push_back(
      {fmt::format("log-probabilities of given tokens, {} (relative)", read_.given->runs[run].name),
       std::abs(found - expected) / std::max(std::abs(expected), 1e-30), tolerances.loss, ""});
}

void ForcedAnswers::append_findings(const Tolerances& tolerances,
                                    std::vector<Finding>* findings) const {
  const auto over_world = [&](double value, parallel::ReduceOp op) {
    return rt_.grid.world->all_reduce(value, op);
  };
  const bool is_exact = rt_.precision == DType::kF32;
  for (const GenerationRun& run : read_.runs) {
    bool has_draws = false;
    double worst = 0;
    for (const Draws& draws : draws_) {
      if (draws.run != &run) continue;
      has_draws = true;
      worst = std::max(worst, draws.worst);
    }
    worst = over_world(worst, parallel::ReduceOp::kMax);
    if (has_draws && is_exact)
      findings->push_back({"probabilities, " + run.name, worst, kProbabilityTolerance, ""});
  }
  double expected = 0, found = 0;
  bool has_sums = false;
  for (const Row& row : rows_) {
    if (row.run == nullptr) continue;
    has_sums = true;
    expected += row.sum;
    if (row.was_decided_here) found += row.found;
  }
  found = over_world(found, parallel::ReduceOp::kSum);
  if (has_sums)
    findings->push_back({"log-probabilities of given answers (relative)",
                         std::abs(found - expected) / std::max(std::abs(expected), 1e-30),
                         is_exact ? kProbabilityTolerance : tolerances.loss, ""});
  if (!read_.given) return;
  for (size_t i = 0; i < read_.given->runs.size(); ++i) {
    if (!is_exact) {
      append_given_sums(i, tolerances, findings);
      continue;
    }
    double worst = 0;
    for (const Row& row : rows_)
      if (row.run == nullptr) worst = std::max(worst, row.worst[i]);
    findings->push_back({"probabilities, " + read_.given->runs[i].name,
                         over_world(worst, parallel::ReduceOp::kMax), kProbabilityTolerance, ""});
  }
}

}  // namespace lynceus::verify
