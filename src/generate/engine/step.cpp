#include "generate/engine/step.h"

namespace lynceus::generate {
namespace {

/// The rows of a step while they are laid out.
struct Rows {
  std::vector<int32_t> token_ids, positions, begins{0}, visual_rows, written, wanted;
  std::vector<int32_t> begun{0}, continued{0}, keys, key_begins{0};

  int32_t count() const { return static_cast<int32_t>(token_ids.size()); }
  void end_sequence() { begins.push_back(count()); }
};

void add_prompt(const Active& active, Rows* rows) {
  const Prompt& prompt = active.prompt;
  for (int64_t r = 0; r < active.prompt_tokens(); ++r) {
    const bool is_visual = r < active.visual;
    if (is_visual) rows->visual_rows.push_back(rows->count());
    rows->token_ids.push_back(is_visual ? -1
                                        : prompt.token_ids[static_cast<size_t>(r - active.visual)]);
    rows->positions.push_back(prompt.positions.empty() ? static_cast<int32_t>(r)
                                                       : prompt.positions[static_cast<size_t>(r)]);
  }
  const std::span<const int32_t> cached = active.sequences.prompt_rows();
  rows->written.insert(rows->written.end(), cached.begin(), cached.end());
  rows->wanted.push_back(rows->count() - 1);
  rows->end_sequence();
  rows->begun.push_back(rows->count());
}

void add_next_tokens(const Active& active, Rows* rows) {
  for (int64_t i = 0; i < active.sequences.live(); ++i) {
    rows->wanted.push_back(rows->count());
    rows->token_ids.push_back(active.sequences.token(i));
    rows->positions.push_back(active.sequences.position());
    rows->written.push_back(active.sequences.newest_row(i));
    rows->end_sequence();
    rows->continued.push_back(rows->continued.back() + 1);
    active.sequences.append_rows(i, &rows->keys);
    rows->key_begins.push_back(static_cast<int32_t>(rows->keys.size()));
  }
}

}  // namespace

Step make_step(const Runtime& rt, const std::vector<std::unique_ptr<Active>>& active) {
  Step step;
  Rows rows;
  for (const bool begun : {false, true})
    for (const std::unique_ptr<Active>& one : active) {
      if (one->begun != begun) continue;
      step.prompts.push_back(one.get());
      if (begun)
        add_next_tokens(*one, &rows);
      else
        add_prompt(*one, &rows);
    }
  const auto tensor = [&](const std::vector<int32_t>& values) {
    return Tensor::from(rt.stream, {static_cast<int64_t>(values.size())}, values);
  };
  model::PackedBatch& batch = step.batch;
  batch.token_ids = tensor(rows.token_ids);
  batch.positions = tensor(rows.positions);
  batch.sequences = kernels::CumulativeLengths(rt.stream, std::move(rows.begins));
  batch.visual_rows = tensor(rows.visual_rows);
  batch.cache.written = tensor(rows.written);
  batch.cache.begun = kernels::CumulativeLengths(rt.stream, std::move(rows.begun));
  batch.cache.continued = kernels::CumulativeLengths(rt.stream, std::move(rows.continued));
  batch.cache.keys = {tensor(rows.keys),
                      kernels::CumulativeLengths(rt.stream, std::move(rows.key_begins))};
  step.wanted = tensor(rows.wanted);
  return step;
}

}  // namespace lynceus::generate
