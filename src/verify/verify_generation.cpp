// All runs of a case are answered together: rows of many settings are in flight at once, in batches
// smaller than a run, which tests that no row depends on another.
#include "verify/verify_generation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "generate/engine/decoder.h"
#include "generate/engine/given_prompts.h"
#include "model/load_weights.h"
#include "parallel/agreement.h"
#include "verify/case_checks.h"
#include "verify/forced_answers.h"
#include "verify/generation_case.h"

namespace lynceus::verify {
namespace {

using generate::Search;

constexpr int64_t kBatchSize = 3;

/// A frozen model with the weights of the case, and a decoder for it.
class CaseDecoder {
 public:
  CaseDecoder(const Runtime& rt, const GenerationCase& read, const std::string& layers)
      : rt_(rt), read_(read) {
    rt_.ordered_sums = true;
    model_ = model::make_lynx(
        rt_, read.model, model::partition_model(read.model, rt_.grid.pipeline->size(), layers), 0);
    model::load_weights(rt_, &model_, *read.weights);
    model_.freeze(rt_);
  }

  /// The answers of all prompts, by row, on every rank. Prompts are dealt to the replicas.
  std::map<uint64_t, std::vector<Search::Answer>> answer(std::vector<generate::Prompt> prompts) {
    const auto replicas = static_cast<uint64_t>(rt_.grid.data->size());
    std::erase_if(prompts, [&](const generate::Prompt& prompt) {
      return prompt.row % replicas != static_cast<uint64_t>(rt_.grid.data->rank());
    });
    const int64_t cache_rows = rows_of_cache(prompts);
    const auto pixels = [this](int64_t row) {
      const Tensor one = read_.pixels.slice(row, 1);
      const Shape& s = one.shape();
      return one.reshape({s[1], s[2], s[3], s[4]});
    };
    generate::GivenPrompts feed(
        std::move(prompts), std::vector<generate::PromptMedia>(read_.token_ids.size(), read_.media),
        pixels);
    generate::DecoderOptions options;
    options.batch_size = kBatchSize;
    options.cache = rt_.precision;
    options.bos = read_.bos;
    options.cache_rows = cache_rows;
    parallel::agree(*rt_.grid.world, [&] { generate::Decoder(rt_, model_, options).run(&feed); });
    return gathered(feed.answers());
  }

  generate::Prompt prompt(size_t row, const generate::Settings& settings, int32_t eos) const {
    generate::Prompt prompt;
    prompt.token_ids = read_.token_ids[row];
    prompt.media = read_.media.item_frames.empty() ? -1 : static_cast<int64_t>(row);
    prompt.settings = &settings;
    prompt.eos = eos;
    return prompt;
  }

 private:
  /// Of as many of the largest prompts as are in flight.
  int64_t rows_of_cache(const std::vector<generate::Prompt>& prompts) const {
    int64_t most = 1, visual = 0;
    for (const int64_t frames : read_.media.item_frames)
      visual += read_.model.visual_tokens(frames);
    for (const generate::Prompt& prompt : prompts)
      most = std::max(
          most, generate::Sequences::rows_needed(
                    visual + static_cast<int64_t>(prompt.token_ids.size()),
                    generate::most_sequences(*prompt.settings), prompt.settings->max_new_tokens));
    return most * kBatchSize * rt_.grid.pipeline->size();
  }

  /// One rank of each replica sends its answers to all.
  std::map<uint64_t, std::vector<Search::Answer>> gathered(
      const std::map<uint64_t, std::vector<Search::Answer>>& mine) const {
    generate::Decisions decisions;
    std::string rows;
    if (rt_.grid.replica->rank() == 0)
      for (const auto& [row, answers] : mine) {
        decisions.prompts.push_back({true, {}, answers});
        rows += fmt::format("{} ", row);
      }
    const auto all_rows = rt_.grid.world->all_gather(rows);
    const auto all = rt_.grid.world->all_gather(generate::to_bytes(decisions));
    std::map<uint64_t, std::vector<Search::Answer>> answers;
    for (size_t rank = 0; rank < all.size(); ++rank) {
      const char* number = all_rows[rank].c_str();
      for (generate::Decision& decision : generate::decisions_from(all[rank]).prompts) {
        char* end = nullptr;
        answers[std::strtoull(number, &end, 10)] = std::move(decision.answers);
        number = end;
      }
    }
    return answers;
  }

  Runtime rt_;
  const GenerationCase& read_;
  model::LynxModel model_;
};

/// "row 2: 7 expected at token 3, found 9" for the first answer that differs; empty if none does.
std::string difference_of(const std::vector<Search::Answer>& expected,
                          const std::vector<Search::Answer>& found, size_t row) {
  if (found.size() < expected.size())
    return fmt::format("row {}: {} answers, expected {}", row, found.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    const auto &a = expected[i].tokens, &b = found[i].tokens;
    const auto at = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
    if (at.first == a.end() && at.second == b.end()) continue;
    const auto text = [](const auto& place, const auto& tokens) {
      return place == tokens.end() ? "the end" : fmt::format("{}", *place);
    };
    return fmt::format("row {}, answer {}, token {}: {}, expected {}", row, i, at.first - a.begin(),
                       text(at.second, b), text(at.first, a));
  }
  return "";
}

/// Tokens of the best answers that differ, and their number.
std::pair<int64_t, int64_t> differing_tokens(const std::vector<Search::Answer>& expected,
                                             const std::vector<Search::Answer>& found) {
  if (found.empty()) return {1, 1};
  const auto &a = expected.front().tokens, &b = found.front().tokens;
  const size_t longest = std::max(a.size(), b.size());
  int64_t differing = 0;
  for (size_t i = 0; i < longest; ++i) differing += i >= a.size() || i >= b.size() || a[i] != b[i];
  return {differing, static_cast<int64_t>(longest)};
}

struct Comparison {
  const GenerationRun& run;
  std::vector<std::vector<Search::Answer>> found;  // by row

  Finding tokens_equal() const {
    Finding finding{"tokens, " + run.name, 0, 0, ""};
    for (size_t row = 0; row < found.size(); ++row) {
      const std::string difference = difference_of(run.rows[row].answers, found[row], row);
      if (difference.empty()) continue;
      if (finding.worst.empty()) finding.worst = difference;
      ++finding.error;
    }
    return finding;
  }
  Finding tokens_share() const {
    int64_t differing = 0, all = 0;
    for (size_t row = 0; row < found.size(); ++row) {
      const auto [some, of] = differing_tokens(run.rows[row].answers, found[row]);
      differing += some;
      all += of;
    }
    return {"share of tokens that differ, " + run.name,
            static_cast<double>(differing) / static_cast<double>(std::max<int64_t>(all, 1)), 1, ""};
  }
  Finding sums() const {
    Finding finding{"sums, " + run.name, 0, kSumTolerance, ""};
    for (size_t row = 0; row < found.size(); ++row) {
      const auto& expected = run.rows[row].answers;
      for (size_t i = 0; i < expected.size() && i < found[row].size(); ++i) {
        const Search::Answer& answer = found[row][i];
        double error = std::abs(answer.sum - expected[i].sum);
        if (answer.length != expected[i].length || answer.ended != expected[i].ended)
          error = INFINITY;
        if (error <= finding.error) continue;
        finding.error = error;
        finding.worst = fmt::format("row {}, answer {}", row, i);
      }
    }
    return finding;
  }

  static constexpr double kSumTolerance = 1e-4;
};

}  // namespace

std::vector<Finding> verify_generation(const Runtime& rt, const std::filesystem::path& directory,
                                       const VerifyOptions& options, const Tolerances& tolerances) {
  GenerationCase read;
  parallel::agree(*rt.grid.world, [&] {
    read = read_generation_case(directory, rt.host());
    check_model(rt, directory, read.model, *read.weights, options.layers);
  });
  CaseDecoder decoder(rt, read, options.layers);
  ForcedAnswers forced(rt, read);

  std::vector<generate::Prompt> prompts;
  for (const GenerationRun& run : read.runs)
    for (size_t row = 0; row < run.rows.size(); ++row) {
      generate::Prompt prompt = decoder.prompt(row, run.settings, run.eos);
      prompt.row = prompts.size();
      if (run.has_padded_positions) prompt.positions = read.padded_positions[row];
      if (!run.rows[row].steps.empty()) prompt.draw = forced.given_draws(run, row);
      prompts.push_back(std::move(prompt));
    }
  auto answers = decoder.answer(std::move(prompts));

  const bool is_exact = rt.precision == DType::kF32;
  std::vector<Finding> findings;
  uint64_t number = 0;
  for (const GenerationRun& run : read.runs) {
    Comparison comparison{run, {}};
    for (size_t row = 0; row < run.rows.size(); ++row)
      comparison.found.push_back(std::move(answers[number++]));
    findings.push_back(is_exact ? comparison.tokens_equal() : comparison.tokens_share());
    if (is_exact && run.has_sums) findings.push_back(comparison.sums());
  }

  std::vector<generate::Prompt> given;
  for (const ForcedAnswers::Row& row : forced.rows()) {
    generate::Prompt prompt = decoder.prompt(row.row, forced.settings(row), /*eos=*/-1);
    prompt.row = given.size();
    if (row.run != nullptr && row.run->has_padded_positions)
      prompt.positions = read.padded_positions[row.row];
    prompt.draw = forced.draw(prompt.row);
    given.push_back(std::move(prompt));
  }
  if (!given.empty()) decoder.answer(std::move(given));
  forced.append_findings(tolerances, &findings);
  if (findings.empty())
    throw InputError("{}: expected at least one run, found none", directory.string());
  return findings;
}

}  // namespace lynceus::verify
