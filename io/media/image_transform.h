// From a decoded image to the pixels that the vision encoder reads: [3, R, R] f32, normalised with
// CLIP's mean and standard deviation. Same arithmetic as torchvision's transforms on PIL images.
// Used by the media loader.
#pragma once

#include <cstdint>

#include "io/media/image.h"
#include "io/media/resize.h"

namespace lynceus::io {

/// Where Resize(shorter side = size) puts an image and what CenterCrop(size) keeps of it.
struct EvaluationGeometry {
  int resized_width = 0;
  int resized_height = 0;
  CropBox crop;  ///< in the resized image, size x size
};
/// InputError where the longer side would be more than an int holds.
EvaluationGeometry evaluation_geometry(int width, int height, int size);

/// Resize(size, bicubic) and CenterCrop(size); size x size.
Image evaluation_transform(const Image& image, int size);

/// The box that RandomResizedCrop(scale 0.9 to 1, ratio 3/4 to 4/3) cuts out: a pure function of
/// its arguments. sample_index is the sample's place in the whole run, so that each epoch has
/// other crops; frames of one video share media_index and hence the box.
CropBox random_resized_crop_box(int width, int height, uint64_t seed, uint64_t sample_index,
                                uint64_t media_index);

/// The training transform: that box, resized to size x size.
Image training_transform(const Image& image, int size, uint64_t seed, uint64_t sample_index,
                         uint64_t media_index);

/// (byte / 255 - mean) / std of channel 0 (red), 1 or 2, in f32 as torchvision computes it.
float normalized_value(int channel, uint8_t byte);

/// Writes the planes [3, height, width] f32.
void normalize(const Image& image, float* target);

}  // namespace lynceus::io
