// What the sources of `lynceus prepare` have in common: rows in the order of the input, each with
// its samples or with the reason why it has none; pictures read from below a root; texts and
// conversations out of JSON. One file a source: source_<name>.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "core/error.h"
#include "io/dataset/sample.h"
#include "io/files/json.h"

namespace lynceus::prepare {

/// A row that cannot be used, by the kind of what is wrong with it: the account of a run counts
/// kinds. Any other InputError about a row counts as "malformed row".
class RejectedRow : public InputError {
 public:
  template <typename... Args>
  explicit RejectedRow(const char* kind, fmt::format_string<Args...> format, Args&&... args)
      : InputError(fmt::format(format, std::forward<Args>(args)...)), kind_(kind) {}
  const char* kind() const { return kind_; }

 private:
  const char* kind_;  // a literal
};

/// A line, an element, a group of archive entries: its samples, or why there are none. Neither: the
/// row was left out on purpose (a further caption of a picture, where only the first is wanted).
struct SourceRow {
  std::vector<io::Sample> samples;
  std::string reject;   ///< kind, e.g. "missing picture"; empty: it can be used
  std::string problem;  ///< with file and place
  int64_t done = 0;     ///< of the extent's total, this row included
};

/// What progress counts.
struct SourceExtent {
  int64_t total = 0;
  const char* unit = "rows";
  int64_t rows = 0;  ///< 0: not known before the end
};

using RowSink = std::function<void(SourceRow row)>;

class Source {
 public:
  virtual ~Source() = default;
  virtual SourceExtent extent() const = 0;
  /// Gives every row but the first `skip`, in the order of the input. For those that are skipped no
  /// picture is opened. InputError when the input itself is damaged, IoError when it cannot be
  /// read.
  virtual void read(int64_t skip, const RowSink& sink) = 0;
};

/// The row that `make` returns samples for; what it throws about its input becomes the reason.
SourceRow make_row(const std::function<std::vector<io::Sample>()>& make);

/// Without space at its ends.
std::string trimmed(const std::string& text);
/// A text value, trimmed; RejectedRow when nothing is left.
std::string text_of(const io::Json& value);

/// Whether pictures are decoded once, or only their header is looked at (type and size).
enum class PictureCheck { kDecode, kHeader };

constexpr uint64_t kMaxPictureBytes = 64ull << 20;

/// Pictures as they came. RejectedRow for what is absent, too large, damaged or outside the root.
class PictureReader {
 public:
  /// IoError if `root` is not a folder.
  PictureReader(std::filesystem::path root, PictureCheck check);

  /// `path`: the picture's, relative to the root; `where` stands in messages.
  std::string read(const std::string& path, const std::string& where);
  std::string read(const io::Json& path) { return read(text_of(path), path.where()); }

 private:
  std::filesystem::path root_;
  PictureCheck check_;
  std::unordered_set<std::string> checked_;  // many rows share a picture: looked at once
};

/// RejectedRow unless the bytes are a picture that a run can read. `name` stands in the message.
void check_picture(std::string_view encoded, const std::string& name, PictureCheck check);

/// RejectedRow for a path that is absolute or leads out of the folder it is relative to.
std::filesystem::path path_below(const std::string& path, const std::string& where);

/// The texts of a list that may not be empty, or the one text that stands in its place.
std::vector<std::string> texts_of(const io::Json& value);
/// A text or an integer as text.
std::string id_of(const io::Json& value);
/// The keys of an object, for messages.
std::string keys_of(const io::Json& row);

/// The samples of one input with captions (one sample each, as "#1", "#2" ... of the key when there
/// are several): `sample` has everything but the last answer.
std::vector<io::Sample> one_sample_an_answer(const io::Sample& sample,
                                             const std::vector<std::string>& answers);

/// The turns of a list of {"from": "human" | "user" | "gpt" | "assistant" | ... | "system",
/// "value": text}, as they stand.
std::vector<io::Turn> turns_of(const io::Json& conversation);
/// Trims the texts and leaves out answers before the first question and questions behind the last
/// answer. RejectedRow when then user and assistant do not take turns, or nothing is left.
std::vector<io::Turn> settled_turns(std::vector<io::Turn> turns, const std::string& where);

}  // namespace lynceus::prepare
