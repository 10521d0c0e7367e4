// The container of a video: FFmpeg's demuxer on a descriptor that is already open, held to three
// formats and to this one file. Used by video_file.cpp.
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
/// Lets damaged() know what FFmpeg logs; nothing is printed.
void keep_log();

/// What the packets alone tell.
struct Survey {
  int64_t shown = 0;  ///< packets of the video that are meant to be shown
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
  /// Reads to the end. VideoError when it comes much earlier than the header says.
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
  double end_ = 0;         // seconds, of the packet that is shown last
  double last_start_ = 0;  // seconds, of the video's packet before
  double largest_gap_ = 0;
};

}  // namespace lynceus::frames
