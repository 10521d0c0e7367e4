// The container of a video: FFmpeg's demuxer on an open descriptor, restricted to three formats and
// to this one file.
#pragma once

#include <cstdint>
#include <string>

extern "C" {
#include <libavformat/avformat.h>
}

#include "frames/video_file.h"

namespace lynceus::frames {

/// "what: FFmpeg's text", with the last line that FFmpeg logged as an error.
VideoError damaged(const std::string& what, int code);
/// Keeps the errors that FFmpeg logs for damaged(), instead of printing them.
void keep_log();

/// What is known from the packets, without decoding.
struct Survey {
  int64_t shown = 0;  ///< video packets that are to be shown
};

class Container {
 public:
  explicit Container(int descriptor);
  ~Container();
  Container(const Container&) = delete;
  Container& operator=(const Container&) = delete;

  const AVStream& video() const { return *context_->streams[video_]; }
  /// The next packet of the video; false at the end. VideoError for a damaged or cut packet.
  bool read(AVPacket* packet);
  /// Reads to the end. VideoError if the end comes much earlier than the header says.
  Survey survey();

 private:
  static int on_read(void* self, uint8_t* target, int size);
  static int64_t on_seek(void* self, int64_t offset, int whence);
  void open();
  void close();
  void note_time(const AVPacket& packet);
  double promised_seconds() const;

  int descriptor_;
  int64_t position_ = 0;
  AVIOContext* bytes_ = nullptr;
  AVFormatContext* context_ = nullptr;
  int video_ = -1;
  double end_ = 0;          // seconds, end of the packet that is shown last
  double last_start_ = 0;   // seconds, decoding time of the previous video packet
  double largest_gap_ = 0;  // seconds between two video packets
};

}  // namespace lynceus::frames
