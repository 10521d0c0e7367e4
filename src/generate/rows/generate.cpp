#include "generate/rows/generate.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "core/error.h"
#include "core/progress.h"
#include "io/files/digest.h"
#include "io/weights/hf_config.h"
#include "parallel/agreement.h"

namespace lynceus::generate {
namespace {

constexpr int64_t kMostRows = 1 << 20;
constexpr const char* kOptionsMode =
    "likelihood of options: mean log-probability of their tokens and the end token";

/// The numbers of rows as text for the other ranks, and back.
std::string to_text(const AnsweredRows& rows) {
  std::string text;
  for (const auto& [row, line] : rows) text += fmt::format("{} ", row);
  return text;
}
std::vector<size_t> numbers_of(const std::string& text) {
  std::vector<size_t> numbers;
  const char* at = text.c_str();
  for (char* end = nullptr; *at != '\0'; at = end + 1)
    numbers.push_back(std::strtoull(at, &end, 10));
  return numbers;
}

/// Rank 0 reads what earlier starts have answered; all ranks know which rows remain.
std::vector<size_t> answered_before(const Runtime& rt, const std::vector<Row>& rows, bool overwrite,
                                    AnswerOutput* file) {
  std::string text;
  parallel::agree(*rt.grid.world, [&] {
    if (file != nullptr && rt.grid.world->rank() == 0) text = to_text(file->begin(rows, overwrite));
  });
  return numbers_of(rt.grid.world->broadcast(text, 0));
}

/// All rejected rows, on every rank; `mine` are those of this rank's replica.
std::map<size_t, std::string> gathered(const Runtime& rt, std::map<size_t, std::string> mine) {
  std::string text;
  if (rt.grid.replica->rank() == 0)
    for (const auto& [row, reason] : mine)
      text += fmt::format("{} {} {}", row, reason.size(), reason);
  std::map<size_t, std::string> all;
  for (const std::string& part : rt.grid.world->all_gather(text)) {
    const char* at = part.c_str();
    while (at < part.c_str() + part.size()) {
      char* end = nullptr;
      const size_t row = std::strtoull(at, &end, 10), size = std::strtoull(end, &end, 10);
      all[row].assign(end + 1, size);
      at = end + 1 + size;
    }
  }
  return all;
}

int64_t tokens_of(const RowAnswer& answer) {
  int64_t tokens = 0;
  for (const Search::Answer& one : answer.answers)
    tokens += static_cast<int64_t>(one.tokens.size());
  return tokens;
}

io::JsonValue decoding_card(const Decoding& decoding) {
  return io::JsonValue::object({{"max_new_tokens", decoding.max_new_tokens},
                                {"min_length", decoding.min_length},
                                {"min_new_tokens", decoding.min_new_tokens},
                                {"num_beams", decoding.num_beams},
                                {"length_penalty", decoding.length_penalty},
                                {"early_stopping", decoding.early_stopping},
                                {"no_repeat_ngram_size", decoding.no_repeat_ngram_size},
                                {"repetition_penalty", decoding.repetition_penalty},
                                {"do_sample", decoding.do_sample},
                                {"temperature", decoding.temperature},
                                {"top_k", decoding.top_k},
                                {"top_p", decoding.top_p}});
}

/// Answers all prompts of the feed -> bytes of the cache. What all ranks of a replica throw alike
/// is agreed over the world. An error of one rank is not: the others of its replica wait for it in
/// another collective, so it must reach main.cpp, which ends them.
int64_t decode(const Runtime& rt, const model::LynxModel& model, const DecoderOptions& options,
               RowFeed* feed) {
  std::optional<NumericError> failure;
  int64_t cache_bytes = 0;
  try {
    Decoder decoder(rt, model, options);
    decoder.run(feed);
    cache_bytes = decoder.cache_bytes();
  } catch (const NumericError& error) {
    failure = error;
  }
  parallel::agree(*rt.grid.world, [&] {
    if (failure) throw NumericError(*failure);
  });
  return cache_bytes;
}

}  // namespace

void WorkConfig::check(ConfigFaults* faults) const {
  faults->within("generate.batch_size", batch_size, 1, kMostRows);
  faults->at_least("generate.max_input_tokens", max_input_tokens, 0);
  faults->at_least("generate.context", context, 0);
}

DType WorkConfig::cache_type(DType precision) const {
  if (cache == "auto") return precision;
  return cache == "bf16" ? DType::kBf16 : DType::kF32;
}

Card make_card(const Conversation& conversation, const WorkConfig& work, DType precision,
               const ModelIdentity& identity, bool with_scores) {
  const Settings& settings = conversation.settings;
  io::JsonValue decoding = io::JsonValue::object({{"mode", kOptionsMode}});
  if (!conversation.scores_options) {
    decoding = decoding_card(settings);
    decoding.set("num_return_sequences", settings.num_return_sequences);
    decoding.set("seed", settings.seed);
    decoding.set("length", settings.length);
  }
  decoding.set("max_input_tokens", work.max_input_tokens);
  if (!conversation.question.empty()) decoding.set("question", conversation.question);
  if (conversation.description.first) {
    io::JsonValue first = decoding_card(conversation.description.decoding);
    first.set("request", conversation.description.request);
    decoding.set("description_first", first);
  }
  if (with_scores) decoding.set("scores", true);
  decoding.set("precision", name_of(precision));
  decoding.set("cache", name_of(work.cache_type(precision)));
  return {{"prompt_template",
           io::JsonValue::object({{"name", conversation.style.name},
                                  {"fingerprint", conversation.style.fingerprint()}})},
          {"decoding", decoding},
          {"weights", identity.weights},
          {"checkpoint", identity.checkpoint},
          {"tokenizer", conversation.tokenizer->describe()}};
}

int64_t context_of(const std::string& weights) {
  constexpr int64_t kLlama = 2048;
  return weights.empty() ? kLlama : io::read_llama_config(weights).max_position_embeddings;
}

void expect_same_rows(parallel::Communicator& world, const std::vector<Row>& rows,
                      const std::string& file) {
  std::string all;
  for (const Row& row : rows) all += row.json + "\n" + row.problem + "\n";
  const std::string digest = io::digest128(all.data(), all.size()).hex();
  parallel::agree(world, [&] {
    if (world.broadcast(digest, 0) != digest)
      throw IoError("{}: rank {} reads other rows than rank 0", file, world.rank());
  });
}

AnswerReport answer_rows(const Runtime& rt, const model::LynxModel& model,
                         const std::vector<Row>& rows, const Conversation& conversation,
                         const MediaReader& media, const AnswerOptions& options, AnswerOutput* file,
                         const RowFeed::Sink& sink) {
  const auto begin = std::chrono::steady_clock::now();
  AnswerReport report;
  report.rows = rows.size();
  for (size_t i = 0; i < rows.size(); ++i)
    if (!rows[i].problem.empty()) report.rejected[i] = rows[i].problem;
  const std::vector<size_t> known = answered_before(rt, rows, options.overwrite, file);
  report.kept = known.size();

  std::vector<size_t> mine =
      share_rows(rows, rt.grid.data->size())[static_cast<size_t>(rt.grid.data->rank())];
  const auto total = static_cast<int64_t>(mine.size());
  std::erase_if(mine,
                [&](size_t row) { return std::binary_search(known.begin(), known.end(), row); });
  const bool writes = file != nullptr && rt.grid.replica->rank() == 0;
  const bool prints = options.shows_progress && rt.grid.world->rank() == 0 && !mine.empty();
  Progress progress("generate", total, "rows",
                    {.file = prints ? stderr : nullptr,
                     .done_before = total - static_cast<int64_t>(mine.size())});
  if (rt.grid.data->size() > 1) progress.note(fmt::format("replica 1 of {}", rt.grid.data->size()));

  int64_t tokens = 0;
  std::map<size_t, std::string> rejected;
  const auto take = [&](const RowAnswer& answer) {
    tokens += tokens_of(answer);
    if (!answer.problem.empty())
      rejected[answer.row] = answer.problem;
    else if (writes)
      file->add(answer.row, answered_line(rows[answer.row], answer, *conversation.tokenizer,
                                          options.with_scores));
    if (sink) sink(answer);
    progress.advance();
  };
  parallel::agree(*rt.grid.world, [&] {
    if (writes) file->open_part(rt.grid.data->rank());
  });
  RowFeed feed(rows, std::move(mine), conversation, model.config, media, take);
  DecoderOptions decoder_options = options.decoder;
  decoder_options.cache_rows =
      feed.most_cache_rows() * decoder_options.batch_size * rt.grid.pipeline->size();
  report.cache_bytes = decode(rt, model, decoder_options, &feed);
  parallel::agree(*rt.grid.world, [&] {
    if (writes) file->close_part();
  });
  if (prints) progress.finish();

  report.rejected.merge(gathered(rt, std::move(rejected)));
  report.tokens = rt.grid.data->all_reduce(tokens);
  report.answered = rows.size() - report.rejected.size();
  parallel::agree(*rt.grid.world, [&] {
    if (file != nullptr && rt.grid.world->rank() == 0) {
      const size_t written = file->finish(rows, report.rejected);
      LYNCEUS_CHECK(written == report.answered, "{} answers of {} rows", written, report.answered);
    }
  });
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return report;
}

}  // namespace lynceus::generate
