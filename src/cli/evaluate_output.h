// What `evaluate` writes: scores as a table or as JSON lines, and the file of predictions.
#pragma once

#include <exception>
#include <filesystem>
#include <string>
#include <vector>

#include "io/files/file.h"
#include "train/metrics/validation.h"

namespace lynceus::cli {

/// Options of `evaluate`, outside all sections.
struct EvaluateOptions {
  std::string format = "auto";
  std::string predictions = "auto";

  template <typename Visitor>
  void visit(Visitor& v) {
    v.choice("format", format, {"auto", "table", "json"},
             "of the scores: table, json (one object a line), or auto: a table on a terminal, "
             "json elsewhere and under mpirun");
    v.field("predictions", predictions,
            "file of the answers, one JSON object a line; auto: RUN/predictions.jsonl; none");
  }
};

/// What was scored; each JSON line repeats it.
struct Scored {
  std::string run;
  int64_t step = 0;
  std::string weights;          ///< of the LLM: model.weights, or where its values come from
  std::string prompt_template;  ///< its name
};

/// The cells of a table as lines: the first columns to the left, the others, numbers, to the right.
std::string aligned(const std::vector<std::vector<std::string>>& rows, size_t text_columns);

/// Whether `auto` means a table: standard output is a terminal, and no launcher is in between.
bool shows_table(const std::string& format);
std::string scores_as_table(const Scored& scored, const std::vector<train::SetScore>& scores);
std::string scores_as_json(const Scored& scored, const std::vector<train::SetScore>& scores);

/// A file of lines that appears under its name when it is complete. Until then it has a name of its
/// own, so that two processes may write the same one: the last to finish replaces it. On rank 0.
class PredictionFile {
 public:
  /// IoError if the file cannot be created.
  explicit PredictionFile(std::filesystem::path path);
  /// Without close(): removes what was written.
  ~PredictionFile();
  PredictionFile(const PredictionFile&) = delete;
  PredictionFile& operator=(const PredictionFile&) = delete;

  /// A failure to write is thrown by close(): what is scored meanwhile is not lost.
  void add(const train::Prediction& prediction);
  /// IoError if anything was not written.
  void close();

 private:
  void flush();

  std::filesystem::path path_;
  io::File file_;
  std::string lines_;
  std::exception_ptr failure_;
  bool is_complete_ = false;
};

}  // namespace lynceus::cli
