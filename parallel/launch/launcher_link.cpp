#include "parallel/launch/launcher_link.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>

namespace lynceus::parallel {
namespace {

/// Replaces standard output and error by those that the launcher sent along with one byte.
void take_outputs(int socket) {
  char byte = 0;
  iovec part = {&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1) return;
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_len != CMSG_LEN(2 * sizeof(int))) return;
  int outputs[2];
  std::memcpy(outputs, CMSG_DATA(header), sizeof(outputs));
  dup2(outputs[0], STDOUT_FILENO);
  dup2(outputs[1], STDERR_FILENO);
  for (const int output : outputs) close(output);
}

}  // namespace

int LauncherLink::socket_ = -1;

void LauncherLink::connect() {
  const char* path = std::getenv(kLauncherVariable);
  if (path == nullptr) return;
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  const int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (made >= 0 && std::strlen(path) < sizeof(address.sun_path)) {
    std::strcpy(address.sun_path, path);
    if (::connect(made, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
      socket_ = made;
      take_outputs(made);
    }
  }
  if (socket_ < 0 && made >= 0) close(made);
  unsetenv(kLauncherVariable);  // not for the programs that this one starts
}

void LauncherLink::report(RankMessage message, int exit_code) {
  if (socket_ < 0) return;
  const char bytes[2] = {static_cast<char>(message), static_cast<char>(exit_code)};
  // A launcher that is gone needs no report.
  [[maybe_unused]] const ssize_t sent = send(socket_, bytes, sizeof(bytes), MSG_NOSIGNAL);
}

}  // namespace lynceus::parallel
