// Starts the lynceus binary as a user does, alone or under mpirun, and reads the results: exit
// code, both outputs, metrics.jsonl, manifests.
#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "io/checkpoint/manifest.h"
#include "io/files/file.h"

namespace lynceus::cli_test {

namespace fs = std::filesystem;
using Arguments = std::vector<std::string>;

inline Arguments operator+(Arguments left, const Arguments& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

/// Options for starting a program.
struct Launch {
  int ranks = 0;               ///< 0: without mpirun
  Arguments environment = {};  ///< NAME=VALUE, before ours
  std::string shell = "";      ///< a shell text that starts the command as "$@"; empty: no shell
  double timeout_seconds = 60;
};

struct Output {
  int code = -1;  ///< -1: ended by a signal, or by us after the timeout
  std::string out, err;

  std::string all() const { return fmt::format("exit code {}\n{}{}", code, out, err); }
  /// The number of messages that the program ended with.
  int messages() const {
    int count = err.starts_with("lynceus: ") ? 1 : 0;
    for (size_t at = 0; (at = err.find("\nlynceus: ", at)) != std::string::npos; ++at) ++count;
    return count;
  }
};

/// A started program, in an environment of its own: the tests are MPI programs too.
class Program {
 public:
  explicit Program(const Arguments& arguments, const Launch& launch = {}) : launch_(launch) {
    static int number = 0;
    base_ = testing::TempDir() + fmt::format("program-{}-{}", getpid(), number++);
    Arguments command;
    if (!launch.shell.empty()) command = {"sh", "-c", launch.shell, "-"};
    if (launch.ranks > 0)
      command =
          command + Arguments{"mpirun", "--oversubscribe", "-n", std::to_string(launch.ranks)};
    command = command + Arguments{LYNCEUS_BINARY} + arguments;
    // mpirun by default waits for a while between the end of one rank and that of the others.
    Arguments environment =
        launch.environment + Arguments{"OMPI_ALLOW_RUN_AS_ROOT=1",
                                       "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1", "OMP_NUM_THREADS=1",
                                       "OMPI_MCA_odls_base_sigkill_timeout=0"};
    for (const char* name : {"PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "ASAN_OPTIONS",
                             "LSAN_OPTIONS", "UBSAN_OPTIONS", "OMPI_MCA_orte_tmpdir_base"})
      if (const char* value = std::getenv(name))
        environment.push_back(std::string(name) + "=" + value);
    start(command, environment);
  }
  ~Program() {
    if (!ended_) wait();
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  /// The processes of the ranks, in no order.
  std::vector<pid_t> ranks() const {
    if (launch_.ranks == 0) return {pid_};
    std::vector<pid_t> ranks;
    for (const auto& task : fs::directory_iterator(fmt::format("/proc/{}/task", pid_))) {
      std::ifstream children(task.path() / "children");
      for (pid_t child = 0; children >> child;) ranks.push_back(child);
    }
    return ranks;
  }

  /// The command itself, or mpirun.
  pid_t pid() const { return pid_; }

  /// Waits until `holds` returns true (then true) or the program ends (then false).
  bool wait_until(const std::function<bool()>& holds) {
    while (!holds()) {
      if (!running()) return holds();
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
  }

  Output wait() {
    while (running()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return {WIFEXITED(status_) ? WEXITSTATUS(status_) : -1, io::read_text(base_ + ".out"),
            io::read_text(base_ + ".err")};
  }

 private:
  void start(Arguments command, Arguments environment) {
    std::vector<char*> argv, env;
    for (std::string& text : command) argv.push_back(text.data());
    for (std::string& text : environment) env.push_back(text.data());
    argv.push_back(nullptr);
    env.push_back(nullptr);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    constexpr int kWrite = O_WRONLY | O_CREAT | O_TRUNC;
    posix_spawn_file_actions_addopen(&files, 1, (base_ + ".out").c_str(), kWrite, 0600);
    posix_spawn_file_actions_addopen(&files, 2, (base_ + ".err").c_str(), kWrite, 0600);
    const int error = posix_spawnp(&pid_, argv[0], &files, nullptr, argv.data(), env.data());
    posix_spawn_file_actions_destroy(&files);
    if (error != 0) throw IoError("{}: {}", command[0], std::strerror(error));
  }

  bool running() {
    if (ended_) return false;
    ended_ = waitpid(pid_, &status_, WNOHANG) == pid_;
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
    if (!ended_ && seconds > launch_.timeout_seconds && !told_to_end_) {
      kill(pid_, SIGTERM);  // mpirun then ends its ranks
      told_to_end_ = true;
    }
    if (!ended_ && seconds > launch_.timeout_seconds + 5) kill(pid_, SIGKILL);
    return !ended_;
  }

  Launch launch_;
  std::string base_;
  pid_t pid_ = -1;
  int status_ = 0;
  bool ended_ = false;
  bool told_to_end_ = false;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

inline Output run(const Arguments& arguments, const Launch& launch = {}) {
  return Program(arguments, launch).wait();
}

/// A folder with a small world of shapes in it, made once a test program: tokenizer.model (320
/// pieces), train-captions.h5, train-Color.h5 ... of 24 samples each, validation-Color.h5 of 12;
/// data.ini names the tokenizer and two of them.
inline const fs::path& shapes_data() {
  static const fs::path folder = [] {
    const fs::path made = fs::path(testing::TempDir()) / "shapes";
    const Arguments common = {"prepare", "shapes", "--seed", "5", "--output", made.string()};
    for (const Arguments& more : {Arguments{"--count", "24", "--train-tokenizer", "320"},
                                  Arguments{"--count", "12", "--split", "validation"}}) {
      const Output output = run(common + more);
      if (output.code != 0) throw InternalError("prepare failed: {}", output.all());
    }
    std::ofstream(made / "data.ini") << fmt::format(
        "[data]\ntokenizer = {0}/tokenizer.model\nsource = captions:1:{0}/train-captions.h5\n"
        "source = color:2:{0}/train-Color.h5\n",
        made.string());
    return made;
  }();
  return folder;
}

inline std::string shard(const std::string& name) { return shapes_data() / (name + ".h5"); }

/// `lynceus train` of the micro model on captions and color questions; later options win.
inline Arguments train_arguments(const fs::path& run_directory) {
  return {"train",
          "--config",
          std::string(LYNCEUS_SOURCE_DIR) + "/tests/data/micro.ini",
          "--config",
          shapes_data() / "data.ini",
          "--run",
          run_directory.string()};
}

inline Arguments grid(int tensor, int pipeline, int data) {
  return {"--parallel.tensor",      std::to_string(tensor), "--parallel.pipeline",
          std::to_string(pipeline), "--parallel.data",      std::to_string(data)};
}

/// The text of a member of a one-line JSON object, unchanged; empty: there is none.
inline std::string member(const std::string& line, const std::string& key) {
  const size_t at = line.find("\"" + key + "\": ");
  if (at == std::string::npos) return "";
  const size_t begin = at + key.size() + 4;
  return line.substr(begin, line.find_first_of(",}", begin) - begin);
}

inline std::vector<std::string> lines_of(const fs::path& file) {
  std::vector<std::string> lines;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// Whether a process is stopped, as by the action `pause` of LYNCEUS_FAULT.
inline bool is_stopped(pid_t process) {
  const std::string text = lines_of(fmt::format("/proc/{}/stat", process)).at(0);
  return text.at(text.rfind(')') + 2) == 'T';
}

/// Whether a line of metrics.jsonl is that of a step.
inline bool is_step(const std::string& line) { return member(line, "kind") == "\"step\""; }

/// metrics.jsonl without measured times; the lines of validations separately.
struct Metrics {
  std::vector<std::string> steps, validations;
};
inline Metrics metrics_of(const fs::path& run_directory) {
  Metrics metrics;
  for (const std::string& line : lines_of(run_directory / "metrics.jsonl")) {
    if (!member(line, "validation").empty()) {
      metrics.validations.push_back(line);
      continue;
    }
    if (!is_step(line)) continue;
    std::string kept;
    for (const char* key : {"step", "samples_seen", "loss", "scored_tokens", "grad_norm", "lr",
                            "cut_tokens", "damaged_samples"})
      if (const std::string value = member(line, key); !value.empty())
        kept += fmt::format("{} {} ", key, value);
    metrics.steps.push_back(kept);
  }
  return metrics;
}
/// One number of every step.
inline std::vector<double> numbers_of(const fs::path& run_directory, const std::string& key) {
  std::vector<double> numbers;
  for (const std::string& line : lines_of(run_directory / "metrics.jsonl"))
    if (is_step(line)) numbers.push_back(std::stod(member(line, key)));
  return numbers;
}

inline fs::path checkpoint(const fs::path& run_directory, int64_t step) {
  return run_directory / "checkpoints" / fmt::format("step-{:08}", step);
}

/// The entries of a checkpoint for trained tensors and moments: names, shapes, digests, Adam's step
/// counts.
inline std::vector<std::string> digests_of(const fs::path& run_directory, int64_t step,
                                           const std::string& kind = "") {
  const io::Manifest manifest = io::read_manifest(checkpoint(run_directory, step));
  std::vector<std::string> digests;
  for (const io::ManifestTensor& tensor : manifest.tensors) {
    if (!tensor.name.ends_with(kind)) continue;
    std::string text = tensor.name;
    for (const io::Digest128& block : tensor.blocks) text += " " + block.hex();
    digests.push_back(text);
  }
  if (kind.empty())
    for (const auto& [name, steps] : manifest.parameter_steps)
      digests.push_back(fmt::format("{} {}", name, steps));
  return digests;
}

/// A folder for one test, empty at its start and removed at its end.
class Folder {
 public:
  explicit Folder(const std::string& name) : path_(fs::path(testing::TempDir()) / name) {
    fs::remove_all(path_);
    fs::create_directories(path_);
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  fs::path operator/(const std::string& name) const { return path_ / name; }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

}  // namespace lynceus::cli_test
