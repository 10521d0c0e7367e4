#include "parallel/launch/launcher_link.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>

#include "core/error.h"

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

/// Then the default action ends the process (SA_RESETHAND).
extern "C" void report_signal(int signal) {
  LauncherLink::report(RankMessage::kExit, 128 + signal);
  raise(signal);
}

/// Those that others handle, such as a sanitizer, stay theirs.
void report_signals() {
  for (const int signal :
       {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGXCPU}) {
    struct sigaction action = {};
    sigaction(signal, nullptr, &action);
    if (action.sa_handler != SIG_DFL) continue;
    action.sa_handler = report_signal;
    action.sa_flags = SA_RESETHAND | SA_NODEFER;
    sigaction(signal, &action, nullptr);
  }
}

}  // namespace

int LauncherLink::socket_ = -1;
bool LauncherLink::reported_ = false;

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
      report_signals();
      std::atexit([] { report(RankMessage::kExit, static_cast<int>(ExitCode::kInternal)); });
    }
  }
  if (socket_ < 0 && made >= 0) close(made);
  unsetenv(kLauncherVariable);  // not for the programs that this one starts
}

void LauncherLink::report(RankMessage message, int exit_code) {
  if (socket_ < 0 || reported_) return;
  reported_ = true;
  const char bytes[2] = {static_cast<char>(message), static_cast<char>(exit_code)};
  // A launcher that is gone needs no report.
  [[maybe_unused]] const ssize_t sent = send(socket_, bytes, sizeof(bytes), MSG_NOSIGNAL);
}

}  // namespace lynceus::parallel
