// Starts the decoder, parses its output and encodes JPEGs. The format of the output is described in
// src/frames/main.cpp.
#include "prepare/video.h"

#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "core/text/foreign_file.h"
#include "io/files/file.h"
#include "io/files/missing_file.h"
#include "io/media/frame_choice.h"
#include "io/media/image.h"
#include "io/media/jpeg.h"
#include "prepare/child_process.h"
#include "prepare/image_reader.h"
#include "prepare/rows/row_text.h"
#include "prepare/rows/source.h"

namespace lynceus::prepare {
namespace {

namespace fs = std::filesystem;

constexpr const char* kProgram = "lynceus-frames";
constexpr const char* kVersion = "lynceus-frames 1\n";
constexpr size_t kKept = 32;  // videos whose frames are kept for later rows

/// Parses the output of the decoder from front to back.
class DecoderOutput {
 public:
  explicit DecoderOutput(std::string_view bytes) : rest_(bytes) {}

  bool done() const { return rest_.empty(); }
  std::optional<std::string_view> take(size_t size) {
    if (rest_.size() < size) return std::nullopt;
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  bool take_word(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  /// A number and the character `end` after it; nullopt for anything else.
  std::optional<int64_t> take_number(char end) {
    int64_t value = 0;
    const auto [stop, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    const auto length = static_cast<size_t>(stop - rest_.data());
    if (error != std::errc() || length >= rest_.size() || rest_[length] != end) return std::nullopt;
    rest_.remove_prefix(length + 1);
    return value;
  }

 private:
  std::string_view rest_;
};

/// The next frame as JPEG; nullopt unless it is frame `index` and complete.
std::optional<std::string> take_jpeg(DecoderOutput& output, int64_t index,
                                     const VideoOptions& options) {
  if (!output.take_word("frame ")) return std::nullopt;
  const auto found = output.take_number(' ');
  const auto width = output.take_number(' ');
  const auto height = output.take_number('\n');
  constexpr int64_t kMaxSide = 65'500;  // largest of a JPEG
  if (found != index || !width || !height || *width < 1 || *height < 1 || *width > kMaxSide ||
      *height > kMaxSide || *width * *height > options.max_pixels)
    return std::nullopt;
  const auto rgb = output.take(static_cast<size_t>(*width * *height) * 3);
  if (!rgb) return std::nullopt;
  io::Image image{static_cast<int>(*width), static_cast<int>(*height), {}};
  image.rgb.assign(rgb->begin(), rgb->end());
  return io::encode_jpeg(image, options.jpeg_quality);
}

}  // namespace

std::vector<std::string> jpegs_of(std::string_view output, const VideoOptions& options) {
  DecoderOutput parser(output);
  std::vector<std::string> jpegs;
  if (!parser.take_word("decoded ")) return {};
  const auto decoded = parser.take_number('\n');
  if (!decoded || *decoded < 1) return {};
  int64_t before = -1;
  for (const int64_t index : io::choose_frames(*decoded, options.frames)) {
    if (index == before) {
      jpegs.push_back(jpegs.back());
      continue;
    }
    auto jpeg = take_jpeg(parser, index, options);
    if (!jpeg) return {};
    jpegs.push_back(std::move(*jpeg));
    before = index;
  }
  if (!parser.take_word("end\n") || !parser.done()) return {};
  return jpegs;
}

struct VideoReader::Result {
  std::vector<std::string> jpegs;  // empty: the video cannot be used
  const char* reject = "";         // kind
  std::string problem;
};

VideoReader::VideoReader(VideoOptions options) : options_(std::move(options)) {
  if (options_.root.empty()) options_.root = ".";
  if (!fs::is_directory(options_.root))
    throw InputError("--root {}: expected a directory, found {}", options_.root.string(),
                     io::file_exists(options_.root) ? "a file" : io::missing_text(options_.root));
  std::error_code ignored;
  if (options_.program.empty())
    options_.program = fs::read_symlink("/proc/self/exe", ignored).parent_path() / kProgram;
}

VideoReader::~VideoReader() = default;

void VideoReader::check_program() {
  std::call_once(program_checked_, [&] {
    const std::string program = options_.program.string();
    if (!fs::is_regular_file(options_.program))
      throw UsageError(
          "{}: expected the program that decodes videos, found none; it is built if FFmpeg's "
          "libavformat-dev and libswscale-dev are installed",
          program);
    const ChildResult child = run_child(program, {"--version"}, {}, {});
    if (child.exit_code != 0 || child.output != kVersion)
      throw UsageError("{} --version: expected '{}', found '{}' and exit code {}", program,
                       trimmed(kVersion), trimmed(child.output).substr(0, 80), child.exit_code);
  });
}

std::vector<std::string> VideoReader::read(const std::string& path, const std::string& where) {
  const std::string name = path_below(path, where).string();
  const std::shared_ptr<const Result> result = shared_result(name);
  if (result->jpegs.empty())
    throw RejectedRow(result->reject, "{}: {}: {}", where, name, result->problem);
  return result->jpegs;
}

std::shared_ptr<const VideoReader::Result> VideoReader::shared_result(const std::string& name) {
  std::promise<std::shared_ptr<const Result>> promise;
  Shared shared;
  bool is_first = false;
  {
    const std::lock_guard lock(mutex_);
    const auto found = results_.find(name);
    is_first = found == results_.end();
    shared = is_first ? promise.get_future().share() : found->second;
    if (is_first) {
      results_.emplace(name, shared);
      names_.push_back(name);
      if (names_.size() > kKept) {
        results_.erase(names_.front());
        names_.pop_front();
      }
    }
  }
  if (is_first) {
    try {
      promise.set_value(std::make_shared<const Result>(decode(name)));
    } catch (...) {
      promise.set_exception(std::current_exception());
    }
  }
  return shared.get();
}

VideoReader::Result VideoReader::decode(const std::string& name) {
  io::File file;
  try {
    file = io::File::open(options_.root / name);
  } catch (const IoError& error) {
    return {{}, "missing video", error.what()};
  } catch (const ForeignFile& error) {
    return {{}, error.kind(), error.what()};
  }
  check_program();
  const size_t most =
      static_cast<size_t>(options_.frames) * (static_cast<size_t>(options_.max_pixels) * 3 + 100);
  const ChildResult child = run_child(
      options_.program,
      {"--frames", std::to_string(options_.frames), "--max-pixels",
       std::to_string(options_.max_pixels), "--memory-mib", std::to_string(options_.memory_mib)},
      file, {options_.timeout_seconds, most + 100});
  if (child.out_of_time)
    return {{},
            "video took too long",
            fmt::format("not decoded within --video-timeout {} seconds", options_.timeout_seconds)};
  if (child.signal != 0)
    return {{},
            "decoder crashed",
            fmt::format("the decoder was ended by signal {} ({})", child.signal,
                        ::strsignal(child.signal))};
  const std::string& output = child.output;
  for (const auto& [word, kind] :
       {std::pair{"damaged ", "damaged video"}, std::pair{"large ", "video too large"}}) {
    if (child.exit_code != 3 || !output.starts_with(word)) continue;
    const std::string head = file.head(kForeignHeadBytes);
    if (const ForeignFormat* found = find_foreign(head); found != nullptr) {
      return {{}, found->kind, fmt::format("it is {}", found->what)};
    }
    return {{}, kind, trimmed(output.substr(std::strlen(word), 1000))};
  }
  Result result{{}, "decoder crashed", ""};
  if (child.exit_code == 0 && !child.too_much_output) result.jpegs = jpegs_of(output, options_);
  result.problem =
      fmt::format("the decoder ended with exit code {} and invalid output", child.exit_code);
  return result;
}

}  // namespace lynceus::prepare
