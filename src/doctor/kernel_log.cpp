#include "doctor/kernel_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <sstream>

namespace lynceus::doctor {
namespace {

constexpr int kOfPrograms[] = {13, 31, 43, 45, 68};
constexpr size_t kMostBytes = 16 << 20;
constexpr size_t kRecordBytes = 8192;  // the kernel refuses a smaller buffer for a long record

}  // namespace

std::vector<Xid> hardware_xids(const std::string& log) {
  // "NVRM: Xid (PCI:0000:17:00): 79, pid=1234, GPU has fallen off the bus."
  std::vector<Xid> found;
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    const size_t begin = line.find("NVRM: Xid (");
    if (begin == std::string::npos) continue;
    const size_t open = line.find('(', begin), close = line.find("): ", open);
    if (close == std::string::npos) continue;
    const int number = std::atoi(line.c_str() + close + 3);
    if (number <= 0 || std::count(std::begin(kOfPrograms), std::end(kOfPrograms), number) > 0)
      continue;
    found.push_back({number, line.substr(open + 1, close - open - 1), line.substr(begin)});
  }
  return found;
}

std::optional<std::string> read_kernel_log(const char* device) {
  const int log = open(device, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (log < 0) return std::nullopt;
  std::string text;
  char record[kRecordBytes];
  while (text.size() < kMostBytes) {
    const ssize_t bytes = read(log, record, sizeof(record));
    if (bytes < 0 && (errno == EPIPE || errno == EINTR))
      continue;  // EPIPE: records were overwritten
    if (bytes <= 0) break;
    text.append(record, static_cast<size_t>(bytes));
  }
  close(log);
  return text;
}

}  // namespace lynceus::doctor
