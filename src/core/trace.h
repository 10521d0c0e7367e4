// Chrome trace of chosen steps: one scope macro, one JSON file a rank.
//
//   void decoder_layer() {
//     LYNCEUS_TRACE("decoder layer");      // or LYNCEUS_TRACE("decoder layer", layer_index)
//
// Files load in chrome://tracing and ui.perfetto.dev. Each is a JSON array of events with
// pid = rank, so that `jq -s add trace/*.json` merges ranks; times are wall-clock microseconds, so
// ranks of one machine line up. Recording is process-wide like the logger, and thread-safe; when
// off a scope costs one branch.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace lynceus::trace {

/// The name of a scope: a literal without quotes, backslashes and control characters, checked at
/// compile time, since it goes into JSON as it stands.
struct Name {
  const char* text = nullptr;
  consteval Name(const char* literal) : text(literal) {  // NOLINT: implicit on purpose
    for (const char* c = literal; *c != '\0'; ++c)
      if (*c == '"' || *c == '\\' || static_cast<unsigned char>(*c) < 0x20)
        throw "a trace name must not need escaping";
  }
};

/// Forgets what was recorded and records from now on, as `rank`.
void start(int rank);
/// Stops and writes the file, creating its directory; IoError if it cannot be written.
void stop_and_write(const std::string& path);
/// "step-00000010-00000012.rank-3.json": the file of one rank for steps first to last.
std::string file_name(int64_t first_step, int64_t last_step, int rank);

namespace internal {

extern std::atomic<bool> recording;
int64_t now_nanoseconds();
void record(const char* name, int64_t index, int64_t begin_nanoseconds);

}  // namespace internal

/// One event from construction to destruction; `index` (a layer, a micro-batch) when not negative.
class Scope {
 public:
  explicit Scope(Name name, int64_t index = -1) {
    if (!internal::recording.load(std::memory_order_relaxed)) return;
    name_ = name.text;
    index_ = index;
    begin_ = internal::now_nanoseconds();
  }
  ~Scope() {
    if (name_ != nullptr) internal::record(name_, index_, begin_);
  }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  const char* name_ = nullptr;
  int64_t index_ = -1;
  int64_t begin_ = 0;
};

}  // namespace lynceus::trace

#define LYNCEUS_TRACE_JOIN2(a, b) a##b
#define LYNCEUS_TRACE_JOIN(a, b) LYNCEUS_TRACE_JOIN2(a, b)
#define LYNCEUS_TRACE(...) \
  const ::lynceus::trace::Scope LYNCEUS_TRACE_JOIN(lynceus_trace_, __LINE__)(__VA_ARGS__)
