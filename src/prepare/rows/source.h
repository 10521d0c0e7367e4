// A source is the reader of one corpus format. It gives the rows of its input in order, each with
// its samples or with the reason why it has none. Each format has a file of its name in sources/; a
// list of videos is read by the source of JSONL.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "io/dataset/sample.h"

namespace lynceus::prepare {

/// A row that cannot be used. `kind` says what is wrong with it; the summary of a run counts kinds.
/// Any other InputError about a row counts as "malformed row".
class RejectedRow : public InputError {
 public:
  template <typename... Args>
  explicit RejectedRow(std::string kind, fmt::format_string<Args...> format, Args&&... args)
      : InputError(fmt::format(format, std::forward<Args>(args)...)), kind_(std::move(kind)) {}
  const std::string& kind() const { return kind_; }

 private:
  std::string kind_;
};

/// What is left out on purpose, such as "answers after the first", and how often. A kind begins
/// with a word in the plural.
using LeftOut = std::map<std::string, int64_t>;

struct RowContent {
  std::vector<io::Sample> samples;
  LeftOut left_out = {};

  RowContent() = default;
  RowContent(std::vector<io::Sample> made) : samples(std::move(made)) {}
  RowContent(std::vector<io::Sample> made, LeftOut omitted)
      : samples(std::move(made)), left_out(std::move(omitted)) {}
  RowContent(io::Sample sample, LeftOut omitted) : left_out(std::move(omitted)) {
    samples.push_back(std::move(sample));
  }
};

/// A line, an array element or a group of archive entries: its samples, or why it has none. A row
/// without samples and without a reason was left out on purpose.
struct SourceRow {
  std::vector<io::Sample> samples;
  LeftOut left_out;
  std::string reject;   ///< kind, e.g. "missing picture"; empty: the row can be used
  std::string problem;  ///< with file and position
  int64_t done = 0;     ///< of the extent's total, including this row
  int64_t entries = 1;  ///< of the input that the row consists of: files or archive entries
};

/// What a source found besides rows. The entries of all rows and those passed over are all entries
/// of the input.
struct SourceAccount {
  int64_t entries = 0;                              ///< in the input; 0: each row is one entry
  std::map<std::string, int64_t> passed_over = {};  ///< entries that belong to no row, by kind
  std::vector<std::string> notes = {};              ///< sentences for the summary
};

/// What the progress line counts.
struct SourceExtent {
  int64_t total = 0;
  const char* unit = "rows";
  int64_t rows = 0;  ///< 0: unknown until the end
};

using RowSink = std::function<void(SourceRow row)>;

class Source {
 public:
  virtual ~Source() = default;
  virtual SourceExtent extent() const = 0;
  /// Passes every row after the first `skip` to `sink`, in input order. No media of skipped rows is
  /// opened. InputError when the input itself is damaged, IoError when it cannot be read.
  virtual void read(int64_t skip, const RowSink& sink) = 0;
  /// Of the whole input, skipped rows included, after read().
  virtual SourceAccount account() const { return {}; }
};

/// The row with the content that `make` returns. An InputError of `make` becomes its reason.
SourceRow make_row(const std::function<RowContent()>& make);

/// `count` texts of a kind, or nothing if there is none.
LeftOut left_out(const char* kind, size_t count);

}  // namespace lynceus::prepare
