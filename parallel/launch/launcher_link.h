// The connection of a rank to the `lynceus --ranks N` that started it: a socket whose path is in
// LYNCEUS_LAUNCHER. Through it a rank gets the launcher's standard output and error, so that its
// lines do not pass through mpirun, and requests to stop; and it reports its exit code.
//
// mpirun is not used for this: on INT and TERM it kills its ranks after a second, it forwards no
// output meanwhile, and it waits for long after a rank that ended with an error.
#pragma once

namespace lynceus::parallel {

constexpr const char* kLauncherVariable = "LYNCEUS_LAUNCHER";

/// What a rank sends: one of these and one byte, the exit code.
enum class RankMessage : char {
  kEnd = 'E',    ///< the rank ends in agreement with the others
  kAbort = 'A',  ///< it ends with a message; the others must be ended too
  kExit = 'X'    ///< it ends without a message: by a signal (128 + its number) or a call of exit()
};

/// Of this process; without a launcher every call does nothing.
class LauncherLink {
 public:
  /// Connects if LYNCEUS_LAUNCHER is set, and removes it from the environment. Signals that end
  /// this process are then reported first, except for SIGKILL. Called once, at the start of main().
  static void connect();
  static bool is_connected() { return socket_ >= 0; }
  /// For poll(): readable when the launcher asks to stop, or is gone. -1: no launcher.
  static int stop_socket() { return socket_; }
  static void report(RankMessage message, int exit_code);

 private:
  static int socket_;
  static bool reported_;
};

}  // namespace lynceus::parallel
