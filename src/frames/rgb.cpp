#include "frames/rgb.h"

#include <algorithm>
#include <memory>
#include <new>

extern "C" {
#include <libavutil/mem.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
}

namespace lynceus::frames {
namespace {

struct FreeScaler {
  void operator()(SwsContext* scaler) const { sws_freeContext(scaler); }
};
struct FreeBytes {
  void operator()(uint8_t* bytes) const { av_free(bytes); }
};

constexpr int kRowAlignment = 64;  // the scaler's vector code writes whole vectors

}  // namespace

RgbFrame to_rgb(const AVFrame& frame) {
  const auto format = static_cast<AVPixelFormat>(frame.format);
  constexpr int kExact = SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_BITEXACT;
  const std::unique_ptr<SwsContext, FreeScaler> scaler(
      sws_getContext(frame.width, frame.height, format, frame.width, frame.height, AV_PIX_FMT_RGB24,
                     kExact, nullptr, nullptr, nullptr));
  if (scaler == nullptr) {
    const char* name = av_get_pix_fmt_name(format);
    throw VideoError("damaged", std::string("frames of the pixel format ") +
                                    (name == nullptr ? "unknown" : name) + " cannot be converted");
  }
  int *inverse = nullptr, *table = nullptr;
  int from_full = 0, to_full = 0, brightness = 0, contrast = 0, saturation = 0;
  if (sws_getColorspaceDetails(scaler.get(), &inverse, &from_full, &table, &to_full, &brightness,
                               &contrast, &saturation) >= 0)
    sws_setColorspaceDetails(scaler.get(), sws_getCoefficients(frame.colorspace),
                             from_full != 0 || frame.color_range == AVCOL_RANGE_JPEG ? 1 : 0, table,
                             to_full, brightness, contrast, saturation);

  RgbFrame rgb{0, frame.width, frame.height, {}};
  const size_t row = static_cast<size_t>(frame.width) * 3;
  const size_t stride = (row + 2 * kRowAlignment - 1) / kRowAlignment * kRowAlignment;
  const std::unique_ptr<uint8_t, FreeBytes> padded(
      static_cast<uint8_t*>(av_malloc(stride * static_cast<size_t>(frame.height))));
  if (padded == nullptr) throw std::bad_alloc();
  uint8_t* planes[] = {padded.get(), nullptr, nullptr, nullptr};
  const int strides[] = {static_cast<int>(stride), 0, 0, 0};
  if (sws_scale(scaler.get(), frame.data, frame.linesize, 0, frame.height, planes, strides) !=
      frame.height)
    throw VideoError("damaged", "a frame cannot be converted to RGB");
  rgb.rgb.resize(row * static_cast<size_t>(frame.height));
  for (size_t y = 0; y < static_cast<size_t>(frame.height); ++y)
    std::copy_n(padded.get() + y * stride, row, rgb.rgb.data() + y * row);
  return rgb;
}

RgbFrame turned(RgbFrame frame, int quarter_turns) {
  if (quarter_turns == 0) return frame;
  const int width = frame.width;
  const int height = frame.height;
  const bool swaps = quarter_turns % 2 == 1;
  RgbFrame upright{frame.index, swaps ? height : width, swaps ? width : height, {}};
  upright.rgb.resize(frame.rgb.size());
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      int to_x = width - 1 - x;  // half a turn
      int to_y = height - 1 - y;
      if (quarter_turns == 1) {
        to_x = height - 1 - y;
        to_y = x;
      } else if (quarter_turns == 3) {
        to_x = y;
        to_y = width - 1 - x;
      }
      const auto at = [](int row, int row_width, int column) {
        return (static_cast<size_t>(row) * static_cast<size_t>(row_width) +
                static_cast<size_t>(column)) *
               3;
      };
      std::copy_n(frame.rgb.data() + at(y, width, x), 3,
                  upright.rgb.data() + at(to_y, upright.width, to_x));
    }
  }
  return upright;
}

}  // namespace lynceus::frames
