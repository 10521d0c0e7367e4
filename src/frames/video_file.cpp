#include "frames/video_file.h"

#include <algorithm>
#include <memory>
#include <new>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavutil/display.h>
#include <libavutil/frame.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>
}

#include "frames/container.h"
#include "frames/rgb.h"
#include "io/media/frame_choice.h"

namespace lynceus::frames {
namespace {

struct FreeCodec {
  void operator()(AVCodecContext* codec) const { avcodec_free_context(&codec); }
};
struct FreePacket {
  void operator()(AVPacket* packet) const { av_packet_free(&packet); }
};
struct FreeFrame {
  void operator()(AVFrame* frame) const { av_frame_free(&frame); }
};
using Codec = std::unique_ptr<AVCodecContext, FreeCodec>;

template <typename T>
T* allocated(T* pointer) {
  if (pointer == nullptr) throw std::bad_alloc();
  return pointer;
}

void check_pixels(int width, int height, int64_t max_pixels) {
  if (int64_t{width} * height <= max_pixels) return;
  throw VideoError("large", std::to_string(width) + " x " + std::to_string(height) +
                                " pixels, more than " + std::to_string(max_pixels));
}

Codec open_decoder(const AVStream& stream, int64_t max_pixels) {
  const AVCodecParameters& parameters = *stream.codecpar;
  check_pixels(parameters.width, parameters.height, max_pixels);
  const AVCodec* decoder = avcodec_find_decoder(parameters.codec_id);
  if (decoder == nullptr)
    throw VideoError("damaged", std::string("no decoder for the codec ") +
                                    avcodec_get_name(parameters.codec_id));
  Codec codec(allocated(avcodec_alloc_context3(decoder)));
  if (const int code = avcodec_parameters_to_context(codec.get(), &parameters); code < 0)
    throw damaged("damaged header", code);
  codec->pkt_timebase = stream.time_base;
  codec->thread_count = 1;
  codec->max_pixels = max_pixels;  // headers in the stream may contradict the container
  if (const int code = avcodec_open2(codec.get(), decoder, nullptr); code < 0)
    throw damaged("damaged header", code);
  return codec;
}

/// Number of clockwise quarter turns that show the video upright.
int quarter_turns(const AVStream& stream) {
  size_t size = 0;
  const uint8_t* data = av_stream_get_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
  if (data == nullptr || size < 9 * sizeof(int32_t)) return 0;
  const double degrees = -av_display_rotation_get(reinterpret_cast<const int32_t*>(data));
  if (!(degrees >= -360 && degrees <= 360)) return 0;  // not a rotation
  return static_cast<int>((degrees + 360 + 45) / 90) % 4;
}

/// Decodes frames in display order.
class Decoder {
 public:
  Decoder(int descriptor, int64_t max_pixels)
      : container_(descriptor),
        codec_(open_decoder(container_.video(), max_pixels)),
        turns_(quarter_turns(container_.video())),
        max_pixels_(max_pixels) {}

  /// Counts all frames and keeps those whose index is in the ascending list `wanted`.
  ChosenFrames run(const std::vector<int64_t>& wanted) {
    std::unique_ptr<AVPacket, FreePacket> packet(allocated(av_packet_alloc()));
    bool more = true;
    while (more) {
      more = container_.read(packet.get());
      if (more && packet->size == 0) continue;  // an empty packet would mean the end
      int code = avcodec_send_packet(codec_.get(), more ? packet.get() : nullptr);
      if (code < 0 && code != AVERROR_EOF) throw damaged(place(), code);
      take_frames(wanted);
    }
    return std::move(chosen_);
  }

 private:
  std::string place() const {
    return "cannot be decoded after frame " + std::to_string(chosen_.decoded);
  }

  void take_frames(const std::vector<int64_t>& wanted) {
    while (true) {
      const int code = avcodec_receive_frame(codec_.get(), frame_.get());
      if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return;
      if (code < 0) throw damaged(place(), code);
      const int64_t index = chosen_.decoded++;
      if (!std::binary_search(wanted.begin(), wanted.end(), index)) continue;
      if ((frame_->flags & AV_FRAME_FLAG_CORRUPT) != 0 || frame_->decode_error_flags != 0)
        throw VideoError("damaged", "frame " + std::to_string(index) + " is damaged");
      check_pixels(frame_->width, frame_->height, max_pixels_);
      RgbFrame rgb = turned(to_rgb(*frame_), turns_);
      rgb.index = index;
      chosen_.frames.push_back(std::move(rgb));
    }
  }

  Container container_;
  Codec codec_;
  int turns_;
  int64_t max_pixels_;
  std::unique_ptr<AVFrame, FreeFrame> frame_{allocated(av_frame_alloc())};
  ChosenFrames chosen_;
};

}  // namespace

ChosenFrames read_frames(int descriptor, int64_t wanted, int64_t max_pixels) {
  keep_log();
  int64_t frames = Container(descriptor).survey().shown;
  // Nearly always one packet is one frame, and one pass is enough. Otherwise there is a second.
  for (int pass = 0; pass < 2; ++pass) {
    std::vector<int64_t> chosen;
    if (frames > 0) chosen = io::choose_frames(frames, wanted);
    ChosenFrames found = Decoder(descriptor, max_pixels).run(chosen);
    if (found.decoded == 0) throw VideoError("damaged", "no frame in it");
    if (found.decoded == frames) return found;
    frames = found.decoded;
  }
  throw VideoError("damaged", "has a different number of frames each time it is decoded");
}

}  // namespace lynceus::frames
