#include "judge/reply_journal.h"

#include <fmt/format.h>
#include <sys/file.h>

#include <cerrno>
#include <cstring>

#include "core/error.h"
#include "core/log.h"
#include "evaluate/answer_rows.h"
#include "evaluate/judge/replies.h"

namespace lynceus::judge {

ReplyJournal::ReplyJournal(const std::filesystem::path& path)
    : file_(io::File::open_appending(path)) {
  lock();
  repair();
  if (file_.size() > 0) read();
  if (path.has_parent_path()) io::sync_directory(path.parent_path());
}

void ReplyJournal::lock() {
  if (::flock(file_.descriptor(), LOCK_EX | LOCK_NB) == 0) return;
  if (errno == EWOULDBLOCK)
    throw UsageError(
        "{}: another process writes to this file of replies; wait for its end or choose another "
        "file",
        file_.path().string());
  log::warn("{}: locks do not work here ({}); do not start two processes on this file",
            file_.path().string(), std::strerror(errno));
}

void ReplyJournal::repair() {
  const uint64_t size = file_.size();
  uint64_t end = size;  // after the last newline
  for (char last = 0; end > 0; --end) {
    file_.read_at(end - 1, &last, 1);
    if (last == '\n') break;
  }
  if (end == size) return;
  log::warn("{}: the last line was cut off, {} bytes removed; its question is asked again",
            file_.path().string(), size - end);
  const std::filesystem::path path = file_.path();
  io::truncate_file(path, end);
  file_ = io::File();  // the end of the contents is another now
  file_ = io::File::open_appending(path);
  lock();
}

void ReplyJournal::read() {
  evaluate::InputFaults faults;
  for (const io::Json& row : evaluate::read_rows(file_.path(), &faults))
    faults.collect([&] {
      const evaluate::JudgeReply reply = evaluate::read_reply(row);
      if (reply.text && !reply.digest.empty()) known_.insert(reply.digest);
    });
  faults.raise();
}

void ReplyJournal::add(const evaluate::JudgeRequest& request, const std::string& server,
                       long status, const io::Json& body, const ApiKey& key) {
  const std::string line = fmt::format(
      R"({{"custom_id": {}, "request": "{}", "server": {}, "response": {{"status_code": {}, "body": {}}}, "error": null}})",
      io::json_quoted(request.id), request.digest, io::json_quoted(server), status, body.dump());
  const std::string text = key.cut_out_of(line) + "\n";
  file_.append(text.data(), text.size());
  is_dirty_ = true;
  if (status == 200) known_.insert(request.digest);
}

void ReplyJournal::sync() {
  if (is_dirty_) file_.sync();
  is_dirty_ = false;
}

}  // namespace lynceus::judge
