// Encoder and bridge on this rank's media, and the exchanges of visual tokens and their gradients
// with the first stage.
#include "train/step/vision_branch.h"

#include <algorithm>

#include "core/trace.h"

namespace lynceus::train {
namespace {

/// Rows of the items that `keep` accepts, in item order.
template <typename Keep>
int64_t rows_of(const VisionWindow& window, Keep keep) {
  int64_t rows = 0;
  for (size_t i = 0; i < window.items.size(); ++i)
    if (keep(i)) rows += window.items[i].visual_count;
  return rows;
}

/// Copies between the window's layout and the packed rows of the items that `keep` accepts.
template <typename Keep>
void copy_items(const VisionWindow& window, const Tensor& all, const Tensor& packed, bool pack,
                Keep keep) {
  int64_t row = 0;
  for (size_t i = 0; i < window.items.size(); ++i) {
    if (!keep(i)) continue;
    const MediaItem& item = window.items[i];
    const Tensor in_window = all.slice(item.visual_begin, item.visual_count);
    const Tensor in_pack = packed.slice(row, item.visual_count);
    if (pack)
      in_pack.copy_from(in_window);
    else
      in_window.copy_from(in_pack);
    row += item.visual_count;
  }
}

/// This rank's items of a window as the bridge needs them, without their patch features.
model::Bridge::Media describe_media(const Runtime& rt, const model::ModelConfig& config,
                                    const VisionWindow& window) {
  model::Bridge::Media media;
  std::vector<int32_t> begins{0};
  for (const MediaItem& item : window.items) {
    if (item.owner != rt.grid.replica->rank()) continue;
    media.frames.push_back(item.frames);
    media.is_video.push_back(item.is_video);
    begins.push_back(begins.back() +
                     static_cast<int32_t>(item.frames * config.vision.tokens_per_image()));
  }
  media.begin = kernels::CumulativeLengths(rt.stream, std::move(begins));
  return media;
}

/// The images of this rank's items, [1, 3, side, side] each, in item order; a frame is an image
/// here.
std::vector<Tensor> images_of(const Runtime& rt, const VisionWindow& window,
                              const PixelSource& pixels) {
  std::vector<Tensor> images;
  Tensor sample_pixels;
  int64_t sample = -1;
  for (const MediaItem& item : window.items) {
    if (item.owner != rt.grid.replica->rank()) continue;
    if (item.sample != sample) sample_pixels = pixels(item.sample);
    sample = item.sample;
    for (int64_t frame = 0; frame < item.frames; ++frame)
      images.push_back(sample_pixels.slice(item.first_frame + frame, 1));
  }
  return images;
}

/// Runs the frozen encoder over the images in groups, which may contain images of several samples.
/// features [images · tokens, vision width].
void encode(const Runtime& rt, const model::LynxModel& model, const std::vector<Tensor>& images,
            const Tensor& features) {
  const model::VisionConfig& config = model.config.vision;
  const int64_t tokens = config.tokens_per_image(), side = config.image_size;
  const auto count = static_cast<int64_t>(images.size());
  for (int64_t begin = 0; begin < count; begin += config.images_per_pass) {
    const int64_t group = std::min(config.images_per_pass, count - begin);
    const Tensor input = Tensor::empty(rt.stream, {group, 3, side, side});
    for (int64_t i = 0; i < group; ++i) input.slice(i, 1).copy_from(images[begin + i]);
    model.vision.forward(rt, input, features.slice(begin * tokens, group * tokens));
  }
}

Tensor empty_features(const Runtime& rt, const model::VisionConfig& config, size_t images) {
  return rt.activation(
      {static_cast<int64_t>(images) * config.tokens_per_image(), config.hidden_size});
}

/// The patch features of this rank's items, encoded ahead of the step or now.
Tensor features_of(const Runtime& rt, const model::LynxModel& model, const VisionWindow& window,
                   const PixelSource& pixels) {
  if (window.encoded) {
    LYNCEUS_CHECK(window.encoded->features.defined(), "patch features are used twice");
    window.encoded->ready.wait(rt.stream);
    return std::move(window.encoded->features);
  }
  const trace::QueueScope scope(rt.stream.pool()->queue(), "compute", "vision encoder");
  const std::vector<Tensor> images = images_of(rt, window, pixels);
  Tensor features = empty_features(rt, model.config.vision, images.size());
  encode(rt, model, images, features);
  return features;
}

}  // namespace

std::function<void()> encode_ahead(const Runtime& rt, const Runtime& side,
                                   const model::LynxModel& model, ReplicaBatch* batch,
                                   const PixelSource& pixels) {
  struct Part {
    VisionWindow* window;
    std::vector<Tensor> images;
    Tensor features;
  };
  std::vector<Part> parts;
  for (VisionWindow& window : batch->windows) {
    std::vector<Tensor> images = images_of(rt, window, pixels);
    if (images.empty()) continue;
    Tensor features = empty_features(rt, model.config.vision, images.size());
    parts.push_back({&window, std::move(images), std::move(features)});
  }
  const accelerator::Queue& queue = side.stream.pool()->queue();
  // The memory belongs to rt's stream, where earlier work may still use it: the side stream waits
  // once, for what is submitted now.
  accelerator::wait(queue, accelerator::record(rt.stream.pool()->queue()));
  return [&rt, &side, &model, queue, parts = std::move(parts)] {
    for (const auto& [window, images, features] : parts) {
      const trace::QueueScope scope(queue, "ahead", "vision encoder");
      encode(side, model, images, features);
      window->encoded = std::make_shared<EncodedMedia>(
          EncodedMedia{features, {{features}, rt.stream, accelerator::record(queue)}});
    }
  };
}

Tensor vision_forward(const Runtime& rt, const model::LynxModel& model, const VisionWindow& window,
                      const PixelSource& pixels, VisionBranchSaved* saved, VisionCounts* counts) {
  LYNCEUS_TRACE("vision branch forward");
  if (window.items.empty()) return {};
  if (!model.config.llm.trains("bridge")) saved = nullptr;
  const int me = rt.grid.replica->rank(), ranks = rt.grid.replica->size();
  const int tensor_ranks = rt.grid.tensor->size();
  const int64_t hidden = model.config.llm.hidden_size;
  const auto owned_by = [&](int rank) {
    return [&window, rank](size_t i) { return window.items[i].owner == rank; };
  };

  Tensor mine;
  if (rows_of(window, owned_by(me)) > 0) {
    model::Bridge::Media media = describe_media(rt, model.config, window);
    media.features = features_of(rt, model, window, pixels);
    if (counts) {
      counts->items += static_cast<int64_t>(media.frames.size());
      counts->patch_tokens += media.features.rows();
    }
    mine = model.bridge.forward(rt, media, saved ? &saved->bridge : nullptr);
    if (saved) saved->any = true;
  }

  // Replica ranks 0 .. T-1 are the first stage; each of them receives every item.
  std::vector<parallel::Transfer> sends, receives;
  if (mine.defined())
    for (int peer = 0; peer < tensor_ranks; ++peer)
      if (peer != me) sends.push_back({peer, mine});
  if (rt.grid.first_stage())
    for (int owner = 0; owner < ranks; ++owner) {
      const int64_t rows = rows_of(window, owned_by(owner));
      if (owner != me && rows > 0) receives.push_back({owner, rt.activation({rows, hidden})});
    }
  rt.grid.replica->exchange(sends, receives);
  if (!rt.grid.first_stage()) return {};

  Tensor visual = rt.activation({window.visual_tokens, hidden});
  if (mine.defined()) copy_items(window, visual, mine, /*pack=*/false, owned_by(me));
  for (const parallel::Transfer& received : receives)
    copy_items(window, visual, received.tensor, /*pack=*/false, owned_by(received.peer));
  return visual;
}

void vision_backward(const Runtime& rt, const model::LynxModel& model, const VisionWindow& window,
                     const VisionBranchSaved& saved, const Tensor& dvisual) {
  LYNCEUS_TRACE("vision branch backward");
  if (window.items.empty() || !model.config.llm.trains("bridge")) return;
  const int me = rt.grid.replica->rank(), ranks = rt.grid.replica->size();
  const int tensor_ranks = rt.grid.tensor->size();
  const int64_t hidden = model.config.llm.hidden_size;
  // The tensor ranks of the first stage hold identical gradients, so only rank (item mod T) sends
  // the gradient of an item.
  const auto part_of = [&](int owner, int tensor_rank) {
    return [&window, owner, tensor_rank, tensor_ranks](size_t i) {
      return window.items[i].owner == owner && static_cast<int>(i) % tensor_ranks == tensor_rank;
    };
  };
  std::vector<parallel::Transfer> sends, receives;
  std::vector<Tensor> parts(tensor_ranks);
  if (rt.grid.first_stage())
    for (int owner = 0; owner < ranks; ++owner) {
      const int64_t rows = rows_of(window, part_of(owner, me));
      if (rows == 0) continue;
      const Tensor part = rt.activation({rows, hidden});
      copy_items(window, dvisual, part, /*pack=*/true, part_of(owner, me));
      if (owner == me)
        parts[me] = part;
      else
        sends.push_back({owner, part});
    }
  for (int peer = 0; peer < tensor_ranks; ++peer) {
    const int64_t rows = rows_of(window, part_of(me, peer));
    if (peer == me || rows == 0) continue;
    parts[peer] = rt.activation({rows, hidden});
    receives.push_back({peer, parts[peer]});
  }
  rt.grid.replica->exchange(sends, receives);
  if (!saved.any) return;

  // Back from the parts to the order of the bridge's output.
  const Tensor all = rt.activation({window.visual_tokens, hidden});
  for (int peer = 0; peer < tensor_ranks; ++peer)
    if (parts[peer].defined())
      copy_items(window, all, parts[peer], /*pack=*/false, part_of(me, peer));
  const auto owned = [&](size_t i) { return window.items[i].owner == me; };
  const Tensor dy = rt.activation({rows_of(window, owned), hidden});
  copy_items(window, all, dy, /*pack=*/true, owned);
  model.bridge.backward(rt, saved.bridge, dy, /*dmedia=*/nullptr);  // the encoder is frozen
}

}  // namespace lynceus::train
