#include "generate/rows/prompt_answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <utility>

#include "core/error.h"
#include "core/log.h"
#include "core/trace.h"
#include "generate/rows/answer_text.h"
#include "io/files/json.h"
#include "io/files/json_value.h"
#include "parallel/agreement.h"

namespace lynceus::generate {
namespace {

Conversation conversation_of(const train::RunConfig& config, const train::RunData& data) {
  Conversation conversation;
  conversation.tokenizer = data.tokenizer.get();
  conversation.style = data.style;
  conversation.context = context_of(config.model.llm.weights);
  return conversation;
}

std::string line_of(int64_t step, size_t row, const std::string& json, const std::string& answer) {
  return fmt::format("{{\"step\": {}, \"row\": {}, \"prompt\": {}, \"answer\": {}}}\n", step, row,
                     json, io::JsonValue(answer).dump_replacing());
}

}  // namespace

PromptAnswers::PromptAnswers(const Runtime& rt, const train::RunConfig& config,
                             const train::RunData& data, VideoFrames videos)
    : file_(config.train.sample_prompts),
      media_(rt.host(), config.model.vision.image_size, config.data.scaled_decode,
             std::move(videos)) {
  parallel::Communicator& world = *rt.grid.world;
  parallel::agree(world, [&] {
    rows_ = rows_of_file(file_, {"", config.model.vision.num_frames});
    if (rows_.size() > kMostSamplePrompts)
      throw InputError("train.sample_prompts: {}: expected at most {} rows, found {}", file_,
                       kMostSamplePrompts, rows_.size());
    conversation_ = conversation_of(config, data);
  });
  expect_same_rows(world, rows_, file_);
  parallel::agree(world, [&] {
    if (world.rank() == 0) find_problems(config.model);
  });
  for (Row& row : rows_) row.problem = world.broadcast(row.problem, 0);
  options_.decoder.batch_size =
      std::min<int64_t>(WorkConfig().batch_size, static_cast<int64_t>(rows_.size()));
  options_.decoder.cache = rt.precision;
  options_.decoder.bos = std::max(data.tokenizer->bos_id(), 0);
  options_.shows_progress = false;
}

void PromptAnswers::find_problems(const model::ModelConfig& model) {
  std::vector<size_t> usable;
  for (size_t i = 0; i < rows_.size(); ++i)
    if (rows_[i].problem.empty()) usable.push_back(i);
  RowFeed feed(rows_, usable, conversation_, model, media_,
               [this](const RowAnswer& answer) { rows_[answer.row].problem = answer.problem; });
  while (const auto prompt = feed.next()) {
    if (prompt->media < 0) continue;
    try {
      feed.pixels(prompt->media);
    } catch (const InputError& error) {
      rows_[prompt->row].problem = error.what();
    }
  }
  size_t bad = 0;
  std::string first;
  for (size_t i = 0; i < rows_.size(); ++i) {
    if (rows_[i].problem.empty()) continue;
    if (bad++ == 0) first = fmt::format("row {}: {}", i + 1, rows_[i].problem);
    log::warn("train.sample_prompts: row {} is rejected: {}", i + 1, rows_[i].problem);
  }
  if (bad == rows_.size())
    throw InputError(
        "train.sample_prompts: {}: expected a row that can be answered, found none; {}", file_,
        first);
}

std::string PromptAnswers::answer(const Runtime& rt, const model::LynxModel& model,
                                  int64_t step) try {
  LYNCEUS_TRACE("answer sample prompts");
  std::map<size_t, std::string> mine;  // lines, by row
  const AnswerReport report = answer_rows(
      rt, model, rows_, conversation_, media_, options_, nullptr, [&](const RowAnswer& answer) {
        if (answer.problem.empty() && rt.grid.replica->rank() == 0)
          mine[answer.row] =
              line_of(step, answer.row, rows_[answer.row].json,
                      answer_text(*conversation_.tokenizer, answer.answers.front().tokens));
      });
  // Each replica has answered some rows.
  std::string text;
  for (const auto& [row, line] : mine) text += line;
  std::map<size_t, std::string> all;
  for (const std::string& part : rt.grid.world->all_gather(text)) {
    std::istringstream lines(part);
    for (std::string line; std::getline(lines, line);)
      all[static_cast<size_t>(io::Json::parse(line, file_).at("row").integer(0))] = line + "\n";
  }
  if (rt.grid.world->rank() != 0) return "";
  for (const auto& [row, reason] : report.rejected)
    if (rows_[row].problem.empty())  // the others were named at the start
      log::warn("train.sample_prompts: row {} is not answered at step {}: {}", row + 1, step,
                reason);
  std::string sorted;
  for (const auto& [row, line] : all) sorted += line;
  return sorted;
} catch (const parallel::AgreedError& error) {
  if (error.code() != ExitCode::kNumeric) throw;
  // train.nonfinite decides what becomes of the run.
  log::warn("train.sample_prompts: no answers at step {}: {}", step, error.what());
  return "";
}

}  // namespace lynceus::generate
