#include "generate/engine/visual_store.h"

#include <algorithm>
#include <exception>

#include "core/trace.h"

namespace lynceus::generate {
namespace {

/// One sample for each medium, without text: what assigns media to ranks.
std::vector<train::SampleInput> samples_of(const std::vector<int64_t>& media, const Feed& feed) {
  std::vector<train::SampleInput> samples;
  for (size_t i = 0; i < media.size(); ++i) {
    const PromptMedia described = feed.describe(media[i]);
    train::SampleInput sample;
    sample.index = static_cast<int64_t>(i);
    sample.item_frames = described.item_frames;
    sample.is_video = described.is_video;
    samples.push_back(std::move(sample));
  }
  return samples;
}

/// What one rank loads.
struct Loaded {
  std::vector<Tensor> pixels;        // by sample; undefined: of another rank
  std::vector<std::string> reasons;  // empty: intact
};

/// The pixels of this rank's samples. Unreadable media become zeros, the mean colour.
Loaded load(const Runtime& rt, const train::ReplicaBatch& batch, const std::vector<int64_t>& media,
            const Feed& feed, int64_t side) {
  std::vector<int64_t> mine;
  for (const train::VisionWindow& window : batch.windows)
    for (const train::MediaItem& item : window.items)
      if (item.owner == rt.grid.replica->rank() && (mine.empty() || mine.back() != item.sample))
        mine.push_back(item.sample);
  Loaded loaded{std::vector<Tensor>(media.size()), std::vector<std::string>(media.size())};
  std::vector<std::exception_ptr> errors(mine.size());
#pragma omp parallel for schedule(dynamic)
  for (size_t i = 0; i < mine.size(); ++i) {
    const auto sample = static_cast<size_t>(mine[i]);
    try {
      loaded.pixels[sample] = feed.pixels(media[sample]);
    } catch (const InputError& error) {
      loaded.reasons[sample] = error.what();
    } catch (...) {
      errors[i] = std::current_exception();
    }
  }
  for (const std::exception_ptr& error : errors)
    if (error) std::rethrow_exception(error);
  for (const int64_t sample : mine)
    if (!loaded.pixels[static_cast<size_t>(sample)].defined())
      loaded.pixels[static_cast<size_t>(sample)] = Tensor::zeros(
          rt.host(), {batch.samples[static_cast<size_t>(sample)].frames(), 3, side, side});
  return loaded;
}

/// The reasons of all ranks; each sample was loaded by one.
std::vector<std::string> agreed_reasons(const Runtime& rt, const std::vector<std::string>& mine) {
  const bool any = std::any_of(mine.begin(), mine.end(), [](const auto& r) { return !r.empty(); });
  std::vector<std::string> reasons(mine.size());
  if (rt.grid.replica->all_reduce(int64_t{any}, parallel::ReduceOp::kMax) == 0) return reasons;
  for (size_t i = 0; i < mine.size(); ++i)
    for (const std::string& reason : rt.grid.replica->all_gather(mine[i]))
      if (!reason.empty()) reasons[i] = reason;
  return reasons;
}

}  // namespace

void VisualStore::prepare(Feed* feed) {
  while (true) {
    std::vector<int64_t> media = feed->media_to_come(group_);
    if (media.empty() || tokens_.contains(media.front())) return;
    std::erase_if(media, [&](int64_t number) { return tokens_.contains(number); });
    encode(media, feed);
  }
}

void VisualStore::encode(const std::vector<int64_t>& media, Feed* feed) {
  LYNCEUS_TRACE("encode media");
  const train::ReplicaBatch batch = train::make_replica_batch(
      rt_, model_.config, samples_of(media, *feed), {}, rt_.grid.replica->size());
  const Loaded loaded = load(rt_, batch, media, *feed, model_.config.vision.image_size);
  const auto pixels = [&](int64_t sample) { return loaded.pixels[static_cast<size_t>(sample)]; };
  for (const train::VisionWindow& window : batch.windows) {
    const Tensor visual =
        train::vision_forward(rt_, model_, window, pixels, /*saved=*/nullptr, /*counts=*/nullptr);
    for (size_t i = 0; i < window.items.size();) {
      const train::MediaItem& first = window.items[i];
      int64_t rows = 0;
      for (; i < window.items.size() && window.items[i].sample == first.sample; ++i)
        rows += window.items[i].visual_count;
      Tensor& tokens = tokens_[media[static_cast<size_t>(first.sample)]];
      if (visual.defined()) tokens = visual.slice(first.visual_begin, rows).clone(rt_.stream);
    }
  }
  encoded_ += static_cast<int64_t>(media.size());
  const std::vector<std::string> reasons = agreed_reasons(rt_, loaded.reasons);
  for (size_t i = 0; i < media.size(); ++i) {
    if (reasons[i].empty()) continue;
    tokens_.erase(media[i]);
    feed->reject(media[i], reasons[i]);
  }
}

void VisualStore::forget_unneeded(const Feed& feed) {
  std::erase_if(tokens_, [&](const auto& known) { return !feed.is_needed(known.first); });
}

}  // namespace lynceus::generate
