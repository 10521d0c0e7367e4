#include "frames/container.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

extern "C" {
#include <libavutil/error.h>
#include <libavutil/log.h>
#include <libavutil/mem.h>
}

namespace lynceus::frames {
namespace {

constexpr int kBufferBytes = 1 << 16;
/// FFmpeg's names of the formats. The first group includes mp4, the last webm.
constexpr const char* kFormats = "mov,mp4,m4a,3gp,3g2,mj2,avi,matroska,webm";

char last_error[256];

void on_log(void* context, int level, const char* format, va_list arguments) {
  if (level > AV_LOG_ERROR) return;
  int prefix = 0;
  av_log_format_line2(context, level, format, arguments, last_error, sizeof(last_error), &prefix);
}

/// Refuses to open any other file that a format refers to.
int refuse_to_open(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) {
  return AVERROR(EPERM);
}

double seconds_of(int64_t time, AVRational base) {
  return static_cast<double>(time) * av_q2d(base);
}

}  // namespace

void keep_log() { av_log_set_callback(on_log); }

VideoError damaged(const std::string& what, int code) {
  if (code == AVERROR(ENOMEM)) return {"large", "decoding needs more memory than allowed"};
  char text[AV_ERROR_MAX_STRING_SIZE] = "";
  av_strerror(code, text, sizeof(text));
  std::string message = what + ": " + text;
  std::string said = last_error;
  while (!said.empty() && (said.back() == '\n' || said.back() == '.')) said.pop_back();
  // Removes the prefix "[mov,mp4 @ 0x55...] ", whose address differs from run to run.
  if (const size_t end = said.find("] "); said.starts_with('[') && end != std::string::npos)
    said.erase(0, end + 2);
  if (!said.empty()) message += " (" + said + ")";
  return {"damaged", message};
}

Container::Container(int descriptor) : descriptor_(descriptor) {
  try {
    open();
  } catch (...) {
    close();
    throw;
  }
}

Container::~Container() { close(); }

void Container::open() {
  auto* buffer = static_cast<uint8_t*>(av_malloc(kBufferBytes));
  if (buffer == nullptr) throw std::bad_alloc();
  bytes_ = avio_alloc_context(buffer, kBufferBytes, 0, this, on_read, nullptr, on_seek);
  context_ = avformat_alloc_context();
  if (bytes_ == nullptr || context_ == nullptr) throw std::bad_alloc();
  context_->pb = bytes_;
  context_->flags |= AVFMT_FLAG_CUSTOM_IO;
  context_->io_open = refuse_to_open;
  context_->format_whitelist = av_strdup(kFormats);
  context_->protocol_whitelist = av_strdup("none");
  if (const int code = avformat_open_input(&context_, nullptr, nullptr, nullptr); code < 0)
    throw damaged("not a video in mp4, avi or webm", code);
  video_ = av_find_best_stream(context_, AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
  const bool is_cover = video_ >= 0 && (video().disposition & AV_DISPOSITION_ATTACHED_PIC) != 0;
  if (video_ < 0 || is_cover) throw VideoError("damaged", "no video in it");
}

void Container::close() {
  avformat_close_input(&context_);
  if (bytes_ != nullptr) av_freep(&bytes_->buffer);
  avio_context_free(&bytes_);
}

int Container::on_read(void* self, uint8_t* target, int size) {
  auto* container = static_cast<Container*>(self);
  while (true) {
    const ssize_t count =
        ::pread(container->descriptor_, target, static_cast<size_t>(size), container->position_);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return AVERROR(errno);
    if (count == 0) return AVERROR_EOF;
    container->position_ += count;
    return static_cast<int>(count);
  }
}

int64_t Container::on_seek(void* self, int64_t offset, int whence) {
  auto* container = static_cast<Container*>(self);
  struct stat status {};
  if (::fstat(container->descriptor_, &status) != 0) return AVERROR(errno);
  whence &= ~AVSEEK_FORCE;
  if (whence == AVSEEK_SIZE) return status.st_size;
  if (whence == SEEK_CUR) offset += container->position_;
  if (whence == SEEK_END) offset += status.st_size;
  if (offset < 0) return AVERROR(EINVAL);
  return container->position_ = offset;
}

bool Container::read(AVPacket* packet) {
  while (true) {
    av_packet_unref(packet);
    const int code = av_read_frame(context_, packet);
    if (code == AVERROR_EOF) return false;
    if (code < 0) throw damaged("cannot be read to the end", code);
    if ((packet->flags & AV_PKT_FLAG_CORRUPT) != 0)
      throw VideoError("damaged", "a part of it is damaged or cut off");
    note_time(*packet);
    if (packet->stream_index == video_) return true;
  }
}

void Container::note_time(const AVPacket& packet) {
  const int64_t start = packet.pts != AV_NOPTS_VALUE ? packet.pts : packet.dts;
  if (start == AV_NOPTS_VALUE) return;
  const AVRational base = context_->streams[packet.stream_index]->time_base;
  end_ = std::max(end_, seconds_of(start + std::max<int64_t>(packet.duration, 0), base));
  if (packet.stream_index != video_ || packet.dts == AV_NOPTS_VALUE) return;
  const double decoded_at = seconds_of(packet.dts, base);
  largest_gap_ = std::max(largest_gap_, decoded_at - last_start_);
  last_start_ = decoded_at;
}

double Container::promised_seconds() const {
  if (context_->duration > 0) return seconds_of(context_->duration, AVRational{1, AV_TIME_BASE});
  return video().duration > 0 ? seconds_of(video().duration, video().time_base) : 0;
}

Survey Container::survey() {
  const double promised = promised_seconds();
  Survey survey;
  AVPacket* packet = av_packet_alloc();
  if (packet == nullptr) throw std::bad_alloc();
  try {
    while (read(packet))
      if ((packet->flags & AV_PKT_FLAG_DISCARD) == 0 && packet->size > 0) ++survey.shown;
  } catch (...) {
    av_packet_free(&packet);
    throw;
  }
  av_packet_free(&packet);
  // The duration of the last packet may be unknown, and that of the header is not exact.
  const double slack = std::max({0.5, 0.02 * promised, 1.5 * largest_gap_});
  if (end_ < promised - slack) {
    char text[120];
    std::snprintf(text, sizeof(text), "cut off: its header says %.1f s, it ends after %.1f s",
                  promised, end_);
    throw VideoError("damaged", text);
  }
  return survey;
}

}  // namespace lynceus::frames
