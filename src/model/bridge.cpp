// One forward and backward for the three kinds of bridge, and the frame positions of videos.
#include "model/bridge.h"

#include <type_traits>

#include "kernels/activation.h"
#include "kernels/elementwise.h"
#include "model/layer.h"

namespace lynceus::model {
namespace {

/// visit(first row, rows, frame) for each frame of each video.
template <typename Visit>
void for_each_frame(const kernels::CumulativeLengths& begin, const std::vector<int64_t>& frames,
                    const std::vector<uint8_t>& is_video, Visit visit) {
  for (size_t item = 0; item < frames.size(); ++item) {
    if (!is_video[item]) continue;
    const int64_t tokens = (begin.host[item + 1] - begin.host[item]) / frames[item];
    for (int64_t frame = 0; frame < frames[item]; ++frame)
      visit(begin.host[item] + frame * tokens, tokens, frame);
  }
}

std::optional<LayerNorm> make_vision_norm(const ParameterMaker& make, const ModelConfig& config) {
  if (!config.bridge.vision_norm) return std::nullopt;
  return make_layer_norm(make.in("ln_vision"), config.vision.hidden_size,
                         config.bridge.layer_norm_eps);
}

}  // namespace

Tensor AffineBridge::forward(const Runtime& rt, const Tensor& media, Saved* saved) const {
  const Tensor x =
      ln_vision ? ln_vision->forward(rt, media, part(saved, &Saved::ln_vision)) : media;
  return mlp.forward(rt, x, part(saved, &Saved::mlp));
}

void AffineBridge::backward(const Runtime& rt, const Saved& saved, const Tensor& dy,
                            Tensor* dmedia) const {
  if (!ln_vision) return mlp.backward(rt, saved.mlp, dy, dmedia);
  Tensor dx;
  mlp.backward(rt, saved.mlp, dy, &dx);
  ln_vision->backward(rt, saved.ln_vision, dx, dmedia);
}

void AffineBridge::visit_linears(const LinearVisitor& visit) { visit(mlp); }

void AffineBridge::visit_parameters(const ParameterVisitor& visit) {
  if (ln_vision) ln_vision->visit_parameters(visit);
  mlp.visit_parameters(visit);
}

Tensor MlpBridge::forward(const Runtime& rt, const Tensor& media, Saved* saved) const {
  const Tensor x =
      ln_vision ? ln_vision->forward(rt, media, part(saved, &Saved::ln_vision)) : media;
  const Tensor hidden = in.forward(rt, x, part(saved, &Saved::in));
  const Tensor normed = norm.forward(rt, hidden, part(saved, &Saved::norm));
  const Tensor activated = saved ? rt.activation(normed.shape()) : normed;
  kernels::gelu_forward(rt.stream, normed, activated);
  if (saved) saved->normed = normed;
  return out.forward(rt, activated, part(saved, &Saved::out));
}

void MlpBridge::backward(const Runtime& rt, const Saved& saved, const Tensor& dy,
                         Tensor* dmedia) const {
  Tensor dnormed;
  out.backward(rt, saved.out, dy, &dnormed);
  kernels::gelu_backward(rt.stream, saved.normed, dnormed, dnormed);
  Tensor dhidden;
  norm.backward(rt, saved.norm, dnormed, &dhidden);
  if (!ln_vision) return in.backward(rt, saved.in, dhidden, dmedia);
  Tensor dx;
  in.backward(rt, saved.in, dhidden, &dx);
  ln_vision->backward(rt, saved.ln_vision, dx, dmedia);
}

void MlpBridge::visit_linears(const LinearVisitor& visit) {
  visit(in);
  visit(out);
}

void MlpBridge::visit_parameters(const ParameterVisitor& visit) {
  if (ln_vision) ln_vision->visit_parameters(visit);
  in.visit_parameters(visit);
  norm.visit_parameters(visit);
  out.visit_parameters(visit);
}

Tensor Bridge::forward(const Runtime& rt, const Media& media, Saved* saved) const {
  if (frame_position) {
    const int64_t width = media.features.cols();
    const Tensor table = frame_position->value.reshape({frame_position->value.dim(1), width});
    for_each_frame(media.begin, media.frames, media.is_video,
                   [&](int64_t row, int64_t tokens, int64_t frame) {
                     kernels::add_bias(rt.stream, table.slice(frame, 1).reshape({width}),
                                       media.features.slice(row, tokens));
                   });
  }
  if (saved) {
    saved->media_begin = media.begin;
    saved->frames = media.frames;
    saved->is_video = media.is_video;
  }
  if (const auto* resampler = std::get_if<Resampler>(&kind))
    return resampler->forward(rt, media.begin, media.features,
                              saved ? &saved->kind.emplace<Resampler::Saved>() : nullptr);
  if (const auto* affine = std::get_if<AffineBridge>(&kind))
    return affine->forward(rt, media.features,
                           saved ? &saved->kind.emplace<AffineBridge::Saved>() : nullptr);
  return std::get<MlpBridge>(kind).forward(
      rt, media.features, saved ? &saved->kind.emplace<MlpBridge::Saved>() : nullptr);
}

void Bridge::backward(const Runtime& rt, const Saved& saved, const Tensor& dy,
                      Tensor* dmedia) const {
  bool any_video = false;
  for (const uint8_t video : saved.is_video) any_video |= video != 0;
  const bool trains_frames = frame_position && frame_position->trainable() && any_video;
  Tensor dfeatures;
  Tensor* wanted = trains_frames || dmedia != nullptr ? &dfeatures : nullptr;

  std::visit(
      [&](const auto& bridge) {
        using BridgeSaved = typename std::decay_t<decltype(bridge)>::Saved;
        bridge.backward(rt, std::get<BridgeSaved>(saved.kind), dy, wanted);
      },
      kind);

  if (dmedia != nullptr) *dmedia = dfeatures;
  if (!trains_frames) return;
  const int64_t width = dfeatures.cols();
  const Tensor table = frame_position->grad.reshape({frame_position->grad.dim(1), width});
  for_each_frame(saved.media_begin, saved.frames, saved.is_video,
                 [&](int64_t row, int64_t tokens, int64_t frame) {
                   kernels::column_sum(rt.stream, dfeatures.slice(row, tokens),
                                       table.slice(frame, 1).reshape({width}));
                 });
}

void Bridge::visit_parameters(const ParameterVisitor& visit) {
  if (frame_position) visit(*frame_position);
  std::visit([&](auto& bridge) { bridge.visit_parameters(visit); }, kind);
}

void Bridge::visit_linears(const LinearVisitor& visit) {
  std::visit([&](auto& bridge) { bridge.visit_linears(visit); }, kind);
}

Bridge make_bridge(const Runtime& rt, const ModelConfig& config) {
  const ParameterMaker root(rt, "", Module::kBridge, config.llm.trains("bridge"));
  const ParameterMaker make = root.in("bridge");
  const int64_t width = config.llm.hidden_size, vision = config.vision.hidden_size;
  Bridge bridge;
  if (config.bridge.kind == "resampler") {
    bridge.kind = make_resampler(make, config);
  } else if (config.bridge.kind == "affine") {
    AffineBridge affine;
    affine.ln_vision = make_vision_norm(make, config);
    affine.mlp.weight = make.replicated_matrix("mlp.weight", {width, vision});
    affine.mlp.bias = make.replicated("mlp.bias", {width});
    bridge.kind = std::move(affine);
  } else {
    const int64_t hidden = config.bridge.hidden_size == 0 ? 2 * vision : config.bridge.hidden_size;
    MlpBridge mlp;
    mlp.ln_vision = make_vision_norm(make, config);
    mlp.in.weight = make.replicated_matrix("mlp.0.weight", {hidden, vision});
    mlp.in.bias = make.replicated("mlp.0.bias", {hidden});
    mlp.norm = make_layer_norm(make.in("mlp.1"), hidden, config.bridge.layer_norm_eps);
    mlp.out.weight = make.replicated_matrix("mlp.3.weight", {width, hidden});
    mlp.out.bias = make.replicated("mlp.3.bias", {width});
    bridge.kind = std::move(mlp);
  }
  if (config.vision.frame_position)
    bridge.frame_position =
        root.replicated("absolute_frame_pos_embed", {1, config.vision.num_frames, 1, vision});
  return bridge;
}

}  // namespace lynceus::model
