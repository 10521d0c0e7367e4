#include "prepare/sources/folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/text/ascii.h"
#include "io/files/digest.h"
#include "io/files/file.h"
#include "io/files/lines.h"
#include "prepare/rows/conversation.h"
#include "prepare/rows/file_ending.h"
#include "prepare/rows/row_text.h"

namespace lynceus::prepare {
namespace {

namespace fs = std::filesystem;

const fs::path& checked_folder(const fs::path& folder) {
  io::expect_file(folder, "a folder");
  if (!fs::is_directory(folder))
    throw InputError("{}: expected a folder, found a file", folder.string());
  return folder;
}

std::string stem_of(const std::string& path) { return path.substr(0, path.rfind('.')); }

/// Without its dot; empty for a name without one.
std::string ending_of(const std::string& path) {
  const std::string ending = fs::path(path).extension();
  return ending.empty() ? "" : ascii_lower(ending.substr(1));
}

/// Why an entry belongs to no row; empty: it is a file that may.
const char* passed_over_kind(const fs::directory_entry& entry) {
  const std::string name = entry.path().filename();
  if (name.starts_with("._")) return "AppleDouble file";
  std::error_code ignored;
  const fs::file_type type = entry.status(ignored).type();  // of what a link leads to
  if (type == fs::file_type::directory) {
    if (entry.is_symlink(ignored)) return "link to a folder";
    return name.starts_with('.') ? "hidden folder" : "";
  }
  if (name.starts_with('.')) return "hidden file";
  const bool is_file = type == fs::file_type::regular || entry.is_symlink(ignored);
  return is_file ? "" : "device";
}

bool is_blank_file(const fs::path& path) {
  std::error_code ignored;
  constexpr uint64_t kMost = 4096;  // a longer one has a text
  if (fs::file_size(path, ignored) > kMost || ignored) return false;
  try {
    return is_blank_text(io::read_text(path, kMost));
  } catch (const std::exception&) {
    return false;  // its row has the reason
  }
}

bool is_same_folder(const fs::path& a, const fs::path& b) {
  std::error_code is_missing;
  return !b.empty() && fs::equivalent(a, b, is_missing);
}

/// `sink` says whether to enter a folder.
template <typename Sink>
void walk(const fs::path& folder, const Sink& sink) {
  std::error_code error;
  fs::recursive_directory_iterator entries(checked_folder(folder), error);
  for (; !error && entries != fs::recursive_directory_iterator(); entries.increment(error))
    if (!sink(*entries)) entries.disable_recursion_pending();
  if (error) throw IoError("cannot list {}: {}", folder.string(), error.message());
}

}  // namespace

FolderSource::FolderSource(FolderOptions options)
    : options_(std::move(options)), images_(checked_folder(options_.folder), options_.check) {
  if (is_same_folder(options_.folder, options_.output))
    throw UsageError("--output {}: expected another folder than the input",
                     options_.output.string());
  list();
}

void FolderSource::list() {
  std::vector<std::string> files;
  walk(options_.folder, [&](const fs::directory_entry& entry) {
    std::string kind = passed_over_kind(entry);
    std::error_code ignored;
    const bool is_folder = kind.empty() && entry.is_directory(ignored);
    const bool is_output = is_folder && is_same_folder(entry.path(), options_.output);
    if (is_output) kind = "output folder";
    if (is_folder && !is_output) return true;
    ++account_.entries;
    if (!kind.empty())
      ++account_.passed_over[kind];
    else
      files.push_back(entry.path().lexically_relative(options_.folder));
    return false;
  });
  std::sort(files.begin(), files.end());
  add_rows(files);
}

void FolderSource::add_rows(const std::vector<std::string>& files) {
  std::map<std::string, std::string> texts;  // by stem
  std::map<std::string, bool> is_used;
  for (const char* wanted : {"txt", "caption"}) {
    for (const std::string& file : files) {
      if (ending_of(file) != wanted) continue;
      std::string& text = texts[stem_of(file)];
      if (text.empty()) {
        is_used[file] = false;
      } else if (is_blank_file(options_.folder / text)) {
        is_used.erase(text);
        is_used[file] = false;
        ++account_.passed_over["empty caption file"];
      } else {
        ++account_.passed_over["second caption file"];
        continue;
      }
      text = file;
    }
  }
  for (const std::string& file : files) {
    if (content_of_ending(ending_of(file)) != FileContent::kImage) continue;
    Row row{file, "", 1};
    if (const auto text = texts.find(stem_of(file)); text != texts.end()) {
      row.text = text->second;
      if (!std::exchange(is_used[row.text], true)) ++row.entries;
    }
    rows_.push_back(std::move(row));
  }
  for (const auto& [text, used] : is_used)
    if (!used) rows_.push_back({"", text, 1});
  int64_t of_rows = 0;
  for (const Row& row : rows_) of_rows += row.entries;
  int64_t others = account_.entries - of_rows;
  for (const auto& [kind, count] : account_.passed_over) others -= count;
  if (others > 0) account_.passed_over["other type"] += others;
  std::sort(rows_.begin(), rows_.end(), [](const Row& a, const Row& b) {
    return (a.picture.empty() ? a.text : a.picture) < (b.picture.empty() ? b.text : b.picture);
  });
}

void FolderSource::read(int64_t skip, const RowSink& sink) {
  for (auto i = static_cast<size_t>(skip); i < rows_.size(); ++i) {
    SourceRow row = make_row([&] { return content_of_row(rows_[i]); });
    row.done = static_cast<int64_t>(i) + 1;
    row.entries = rows_[i].entries;
    sink(std::move(row));
  }
}

RowContent FolderSource::content_of_row(const Row& row) {
  const std::string& file = row.picture.empty() ? row.text : row.picture;
  const std::string where = (options_.folder / file).string();
  if (row.picture.empty())
    throw RejectedRow("no picture", "{}: expected a picture of this name next to it, found none",
                      where);
  if (row.text.empty())
    throw RejectedRow("no text", "{}: expected {}.txt next to it, found none", where,
                      fs::path(stem_of(file)).filename().string());
  io::Sample sample;
  sample.key = row.picture;
  std::vector<std::string> captions;
  try {
    const fs::path path = options_.folder / row.text;
    captions = lines_of_text(io::read_text(path, io::Lines::kMaxBytes), path.string());
  } catch (const IoError& error) {
    throw RejectedRow("missing text", "{}", error.what());
  }
  LeftOut further;
  if (options_.first_caption_only) further = keep_first(captions, kFurtherCaptions);
  sample.media.push_back(images_.read(row.picture, where));
  std::vector<io::Sample> samples = one_sample_per_answer(sample, captions);
  for (io::Sample& one : samples) take_placeholders(one.turns, {1, false}, where);
  return {std::move(samples), std::move(further)};
}

std::string FolderSource::fingerprint(const fs::path& folder, const fs::path& output) {
  std::vector<std::string> lines;
  walk(folder, [&](const fs::directory_entry& entry) {
    std::error_code ignored;
    if (entry.is_directory(ignored) && is_same_folder(entry.path(), output)) return false;
    const auto size = entry.file_size(ignored);
    const auto time = entry.last_write_time(ignored).time_since_epoch().count();
    lines.push_back(fmt::format("{}\t{}\t{}", entry.path().string(), size, time));
    return true;
  });
  std::sort(lines.begin(), lines.end());
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return io::digest128(text.data(), text.size()).hex();
}

}  // namespace lynceus::prepare
