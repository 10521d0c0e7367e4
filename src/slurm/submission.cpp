#include "slurm/submission.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "core/error.h"
#include "io/files/file.h"
#include "slurm/shell.h"

namespace lynceus::slurm {
namespace {

/// Both outputs of a command and its exit code.
struct Answer {
  std::string text;
  int code = 0;
};

Answer call(const std::vector<std::string>& command) {
  std::vector<std::string> words;
  for (const std::string& word : command) words.push_back(shell_word(word));
  const std::string line = fmt::format("{} 2>&1", fmt::join(words, " "));
  std::FILE* pipe = popen(line.c_str(), "r");
  if (pipe == nullptr) throw IoError("{}: {}", line, std::strerror(errno));
  Answer answer;
  char buffer[4096];
  for (size_t count; (count = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;)
    answer.text.append(buffer, count);
  const int status = pclose(pipe);
  answer.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  while (answer.text.ends_with('\n')) answer.text.pop_back();
  return answer;
}

/// The last line of `sbatch --parsable` is "ID" or "ID;CLUSTER"; lines before it are remarks.
std::string job_id(const std::string& text) {
  const size_t begin = text.rfind('\n');
  const std::string line = begin == std::string::npos ? text : text.substr(begin + 1);
  const std::string id = line.substr(0, line.find(';'));
  const bool is_number = !id.empty() && id.find_first_not_of("0123456789") == std::string::npos;
  return is_number ? id : "";
}

std::string escape_percent(const std::string& path) {
  std::string text;
  for (const char c : path) text += c == '%' ? "%%" : std::string(1, c);
  return text;
}

}  // namespace

std::vector<Submission> submissions(const SubmitConfig& config) {
  const bool is_array = config.kind() == JobKind::kAblation;
  const std::string output = fmt::format("--output={}/slurm-{}.out", escape_percent(config.run),
                                         is_array ? "%A_%a" : "%j");
  std::vector<Submission> all;
  const std::vector<std::string> stages = config.stages();
  for (size_t i = 0; i < stages.size(); ++i)
    all.push_back({"stage " + stages[i], {output}, {std::to_string(i)}, i > 0});
  if (config.kind() == JobKind::kScaling)
    for (const std::string& nodes : config.node_counts())
      all.push_back({fmt::format("{} {}", nodes, nodes == "1" ? "node" : "nodes"),
                     {output, "--nodes=" + nodes},
                     {}});
  if (is_array) all.push_back({fmt::format("{} configs", config.variants().size()), {output}, {}});
  if (all.empty()) all.push_back({config.run, {output}, {}});
  return all;
}

std::vector<std::string> sbatch_arguments(const Submission& submission, const std::string& file,
                                          const std::string& previous) {
  std::vector<std::string> all = {"--parsable"};
  if (submission.after_previous) {
    all.push_back("--dependency=afterok:" + previous);
    all.push_back("--kill-on-invalid-dep=yes");
  }
  all.insert(all.end(), submission.options.begin(), submission.options.end());
  all.push_back(file);
  all.insert(all.end(), submission.arguments.begin(), submission.arguments.end());
  return all;
}

std::string job_file(const SubmitConfig& config) { return config.run + "/job.sbatch"; }

void submit(const SubmitConfig& config, const std::string& text,
            const std::function<void(const Submission&, const std::string& id)>& submitted) {
  if (call({"command", "-v", "sbatch"}).code != 0)
    throw UsageError(
        "submit: found no sbatch: start it on a login node of a cluster with Slurm, or use "
        "--dry-run to see the text");
  std::error_code error;
  std::filesystem::create_directories(config.run, error);
  if (error) throw IoError("{}: {}", config.run, error.message());
  const std::string file = job_file(config);
  io::atomic_write_text(file, text);
  std::string previous, ids;
  for (const Submission& submission : submissions(config)) {
    std::vector<std::string> command = {"sbatch"};
    for (std::string& word : sbatch_arguments(submission, file, previous))
      command.push_back(std::move(word));
    const Answer answer = call(command);
    previous = job_id(answer.text);
    if (answer.code != 0 || previous.empty())
      throw IoError("submit: sbatch refused {} (exit code {}): {}", submission.what, answer.code,
                    answer.text);
    ids += previous + "\n";
    io::atomic_write_text(config.run + "/" + kJobIdsName, ids);
    submitted(submission, previous);
  }
}

}  // namespace lynceus::slurm
