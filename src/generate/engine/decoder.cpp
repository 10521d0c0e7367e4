#include "generate/engine/decoder.h"

#include <algorithm>
#include <exception>

#include "core/trace.h"
#include "kernels/embedding.h"
#include "model/parameter_value.h"

namespace lynceus::generate {

namespace {

/// Each round of a row has draws of its own.
uint64_t row_of_draws(const Prompt& prompt) {
  constexpr int kRound = 56;
  return prompt.row | static_cast<uint64_t>(prompt.round) << kRound;
}

}  // namespace

int64_t most_sequences(const Settings& settings) {
  return settings.num_beams * (settings.do_sample ? settings.num_return_sequences : 1);
}

int64_t most_sequences(const Prompt& prompt) {
  if (!prompt.given.empty()) return static_cast<int64_t>(prompt.given.size());
  return most_sequences(*prompt.settings);
}

int64_t most_new_tokens(const Prompt& prompt) {
  if (prompt.given.empty()) return prompt.settings->max_new_tokens;
  size_t most = 0;
  for (const std::vector<int32_t>& answer : prompt.given) most = std::max(most, answer.size());
  return static_cast<int64_t>(most);
}

Decoder::Decoder(const Runtime& rt, const model::LynxModel& model, const DecoderOptions& options)
    : rt_(rt),
      model_(model),
      options_(options),
      cache_(rt, model.stage, options.cache, options.cache_rows),
      store_(rt, model,
             static_cast<size_t>(std::max<int64_t>(options.batch_size * rt.grid.pipeline->size(),
                                                   rt.grid.replica->size()))),
      batches_(static_cast<size_t>(rt.grid.pipeline->size())) {}

void Decoder::run(Feed* feed) {
  const int64_t stages = rt_.grid.pipeline->size(), stage = rt_.grid.stage();
  // The batch that has been under way for `age` turns in this turn.
  const auto at = [&](int64_t turn_number, int64_t age) -> Batch* {
    if (turn_number < age) return nullptr;
    Batch& batch = batches_[static_cast<size_t>((turn_number - age) % stages)];
    return batch.step ? &batch : nullptr;
  };
  // A batch that is idle in one turn may get a prompt that follows from an answer in the next.
  for (int64_t number = 0, idle = 0; idle < stages; ++number) {
    const bool is_busy = plan(&batches_[static_cast<size_t>(number % stages)], feed);
    idle = is_busy ? 0 : idle + 1;
    turn(at(number, stage), stage > 0 ? at(number, stage - 1) : nullptr, at(number, stages - 1),
         feed);
  }
}

bool Decoder::plan(Batch* batch, Feed* feed) {
  begin_prompts(batch, feed);
  if (batch->active.empty()) return false;
  batch->step = make_step(rt_, batch->active);
  if (rt_.grid.first_stage()) batch->input = visual_tokens(*batch->step);
  if (!waiting_) store_.forget_unneeded(*feed);
  return true;
}

void Decoder::begin_prompts(Batch* batch, Feed* feed) {
  while (static_cast<int64_t>(batch->active.size()) < options_.batch_size) {
    if (!waiting_) {
      store_.prepare(feed);
      waiting_ = feed->next();
    }
    if (!waiting_) return;
    int64_t visual = 0;
    if (waiting_->media >= 0)
      for (const int64_t frames : feed->describe(waiting_->media).item_frames)
        visual += model_.config.visual_tokens(frames);
    const auto tokens = visual + static_cast<int64_t>(waiting_->token_ids.size());
    const int64_t width = most_sequences(*waiting_);
    const int64_t rows = Sequences::rows_needed(tokens, width, most_new_tokens(*waiting_));
    if (!make_room(rows)) return;
    const int32_t next_position =
        waiting_->positions.empty() ? static_cast<int32_t>(tokens) : waiting_->positions.back() + 1;
    auto active = std::make_unique<Active>(
        Active{*std::move(waiting_), visual,
               Sequences(tokens, next_position, width, cache_.take(rows)), std::nullopt, false});
    waiting_.reset();
    if (is_deciding()) begin_search(active.get());
    batch->active.push_back(std::move(active));
  }
}

void Decoder::begin_search(Active* active) const {
  const Prompt& prompt = active->prompt;
  const Search::Vocabulary vocabulary{model_.config.llm.vocab_size, options_.bos, prompt.eos};
  if (prompt.given.empty())
    active->search.emplace(*prompt.settings, vocabulary, row_of_draws(prompt), prompt.draw);
  else
    active->search.emplace(prompt.given, vocabulary);
}

bool Decoder::make_room(int64_t rows) {
  if (rows <= cache_.free_rows()) return true;
  if (cache_.free_rows() < cache_.rows()) return false;
  cache_.grow(rt_, rows);
  return true;
}

Tensor Decoder::visual_tokens(const Step& step) const {
  const Tensor all = rt_.activation({step.batch.visual_tokens(), model_.config.llm.hidden_size});
  int64_t row = 0;
  for (const Active* active : step.prompts) {
    if (active->begun || active->visual == 0) continue;
    all.slice(row, active->visual).copy_from(store_.tokens(active->prompt.media));
    row += active->visual;
  }
  return all;
}

void Decoder::turn(Batch* here, Batch* coming, Batch* finished, Feed* feed) {
  Tensor h;
  if (here != nullptr) {
    LYNCEUS_TRACE("decode");
    model_.stage.prepare(rt_, &here->step->batch);
    h = model_.stage.forward_cached(rt_, here->step->batch, here->input, cache_.layers());
  }
  if (rt_.grid.pipeline->size() > 1) {
    std::vector<parallel::Transfer> sends, receives;
    const int stage = rt_.grid.stage();
    if (here != nullptr && !rt_.grid.last_stage()) sends.push_back({stage + 1, h});
    if (coming != nullptr) {
      coming->input = rt_.activation({coming->step->batch.tokens(), model_.config.llm.hidden_size});
      receives.push_back({stage - 1, coming->input});
    }
    rt_.grid.pipeline->exchange(sends, receives);
  }
  if (finished == nullptr) return;
  Tensor logits;
  if (rt_.grid.last_stage()) logits = gather_logits(*finished->step, h);
  const std::string bytes = rt_.grid.replica->broadcast(
      is_deciding() ? to_bytes(decide(*finished->step, logits)) : "", deciding_rank());
  apply(decisions_from(bytes), finished, feed);
}

Tensor Decoder::gather_logits(const Step& step, const Tensor& h) const {
  const model::LmHead& head = *model_.stage.head;
  const int64_t wanted = step.wanted.size(), vocab = model_.config.llm.vocab_size;
  const Tensor picked = rt_.activation({wanted, h.cols()});
  kernels::gather_rows(rt_.stream, h, step.wanted, picked);
  const Tensor mine = head.wide_logits(rt_, picked);
  const int64_t ranks = rt_.grid.tensor->size(), width = mine.cols();
  Tensor all = mine;
  if (ranks > 1) {
    all = Tensor::empty(rt_.stream, {ranks * wanted, width});
    rt_.grid.tensor->all_gather(mine, all);
  }
  if (!is_deciding()) return {};
  all = model::on_host(rt_, all);
  if (width == vocab) return all;
  const Tensor joined = Tensor::empty(rt_.host(), {wanted, vocab});
  for (int64_t rank = 0; rank < ranks; ++rank) {
    const int64_t first = rank * width, count = std::clamp<int64_t>(vocab - first, 0, width);
    for (int64_t row = 0; row < wanted; ++row)
      std::copy_n(all.data<float>() + (rank * wanted + row) * width, count,
                  joined.data<float>() + row * vocab + first);
  }
  return joined;
}

Decisions Decoder::decide(const Step& step, const Tensor& logits) const {
  LYNCEUS_TRACE("decide");
  const auto count = static_cast<int64_t>(step.prompts.size());
  std::vector<int64_t> first_row{0};
  for (const Active* active : step.prompts)
    first_row.push_back(first_row.back() + active->search->live());
  LYNCEUS_CHECK(first_row.back() == logits.rows(), "{} rows of logits for {} live sequences",
                logits.rows(), first_row.back());
  Decisions decisions;
  decisions.prompts.resize(step.prompts.size());
  std::vector<std::exception_ptr> errors(step.prompts.size());
#pragma omp parallel for schedule(dynamic, 1) if (count > 1)
  for (int64_t i = 0; i < count; ++i) {
    const auto at = static_cast<size_t>(i);
    try {
      Search& search = *step.prompts[at]->search;
      const int64_t rows = first_row[at + 1] - first_row[at];
      search.advance(logits.slice(first_row[at], rows).span<float>());
      Decision& decision = decisions.prompts[at];
      decision.done = search.done();
      if (decision.done)
        decision.answers = search.answers();
      else
        decision.next.assign(search.next().begin(), search.next().end());
    } catch (...) {
      errors[at] = std::current_exception();
    }
  }
  for (size_t i = 0; i < errors.size() && decisions.failure.empty(); ++i) {
    if (!errors[i]) continue;
    try {
      std::rethrow_exception(errors[i]);
    } catch (const NumericError& error) {
      decisions.failure = fmt::format("row {}: {}", step.prompts[i]->prompt.row + 1, error.what());
    }
  }
  return decisions;
}

void Decoder::apply(const Decisions& decisions, Batch* batch, Feed* feed) {
  if (!decisions.failure.empty()) throw NumericError("{}", decisions.failure);
  const std::vector<Active*> prompts = std::move(batch->step->prompts);
  batch->step.reset();
  batch->input = Tensor();
  for (size_t i = 0; i < prompts.size(); ++i) {
    Active& active = *prompts[i];
    const Decision& decision = decisions.prompts[i];
    active.begun = true;
    if (!decision.done) {
      active.sequences.advance(decision.next);
      continue;
    }
    cache_.give_back(active.sequences.all_rows());
    feed->take(active.prompt, decision.answers);
    std::erase_if(batch->active, [&](const auto& one) { return one.get() == &active; });
  }
}

}  // namespace lynceus::generate
