// The replies of servers in one file, which only grows: the format of evaluate/judge/replies.h. A
// reply is on disk before it counts, so no question is paid for twice.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>

#include "evaluate/judge/requests.h"
#include "io/files/file.h"
#include "io/files/json.h"
#include "judge/api_key.h"

namespace lynceus::judge {

class ReplyJournal {
 public:
  /// Opens or creates the file and locks it for this process. A last line without its end is what a
  /// killed process left: it is cut off, with a warning. UsageError if another process has the
  /// file; InputError listing malformed lines.
  explicit ReplyJournal(const std::filesystem::path& path);

  /// Whether there is a reply to the content of the request.
  bool has(const evaluate::JudgeRequest& request) const { return known_.contains(request.digest); }
  int64_t size() const { return static_cast<int64_t>(known_.size()); }

  /// Adds a reply, or with another status than 200 an error that stays one.
  void add(const evaluate::JudgeRequest& request, const std::string& server, long status,
           const io::Json& body, const ApiKey& key);
  /// Makes what was added durable.
  void sync();

 private:
  void lock();
  void repair();
  void read();

  io::File file_;
  std::set<std::string> known_;  // digests of requests
  bool is_dirty_ = false;
};

}  // namespace lynceus::judge
