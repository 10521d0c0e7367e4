// Transforms a decoded image to the input of the vision encoder: [3, R, R] f32, normalized with
// CLIP's mean and standard deviation. Same arithmetic as torchvision's transforms on PIL images.
#pragma once

#include <cstdint>

#include "io/media/image.h"
#include "io/media/resize.h"

namespace lynceus::io {

/// Size of the image after Resize(shorter side = size), and the box that CenterCrop(size) keeps.
struct EvaluationGeometry {
  int resized_width = 0;
  int resized_height = 0;
  CropBox crop;  ///< in the resized image, size x size
};
/// InputError if the longer side would overflow int.
EvaluationGeometry evaluation_geometry(int width, int height, int size);

/// Resize(size, bicubic), then CenterCrop(size). The result is size x size.
Image evaluation_transform(const Image& image, int size);

/// The box of RandomResizedCrop(scale 0.9 to 1, ratio 3/4 to 4/3), a pure function of the
/// arguments. sample_index is the position of the sample in the run, so that crops differ between
/// epochs. The frames of a video have the same media_index and so the same box.
CropBox random_resized_crop_box(int width, int height, uint64_t seed, uint64_t sample_index,
                                uint64_t media_index);

/// random_resized_crop_box(), resized to size x size.
Image training_transform(const Image& image, int size, uint64_t seed, uint64_t sample_index,
                         uint64_t media_index);

/// (byte / 255 - mean) / std of channel 0 (red), 1 (green) or 2 (blue), in f32 as in torchvision.
float normalized_value(int channel, uint8_t byte);

/// Writes the normalized planes, [3, height, width] f32.
void normalize(const Image& image, float* target);

}  // namespace lynceus::io
