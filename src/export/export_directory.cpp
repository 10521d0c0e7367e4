// Writes an export under a temporary name; one rename makes it visible.
#include "export/export_directory.h"

#include <set>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/text/units.h"
#include "io/files/file.h"

namespace lynceus::weight_export {
namespace {

namespace fs = std::filesystem;

/// An upper bound for small files and headers.
constexpr uint64_t kOtherBytes = 16ull << 20;

fs::path with_ending(const fs::path& output, const char* ending) {
  fs::path path = output.has_filename() ? output : output.parent_path();
  return path += ending;
}

bool is_export_file(const std::string& name) {
  static const std::set<std::string> kNames = {"config.json",
                                               "generation_config.json",
                                               "tokenizer.model",
                                               "tokenizer_config.json",
                                               "special_tokens_map.json",
                                               "added_tokens.json",
                                               "model.safetensors.index.json",
                                               "lynx.safetensors.index.json"};
  return kNames.contains(name) || (name.ends_with(".safetensors") &&
                                   (name.starts_with("model") || name.starts_with("lynx")));
}

}  // namespace

void refuse_existing(const fs::path& output, bool overwrite) {
  if (!io::file_exists(output)) return;
  if (!overwrite) throw UsageError("{}: already exists (--overwrite replaces it)", output.string());
  std::error_code error;
  for (fs::directory_iterator at(output, error), end; !error && at != end; at.increment(error))
    if (!is_export_file(at->path().filename().string()))
      throw UsageError("{}: cannot be replaced: it was not written by an export",
                       at->path().string());
  if (error) throw IoError("{}: {}", output.string(), error.message());
}

ExportDirectory::ExportDirectory(fs::path output, bool overwrite, uint64_t bytes)
    : output_(std::move(output)),
      partial_(with_ending(output_, ".partial")),
      overwrite_(overwrite) {
  std::error_code error;
  fs::remove_all(partial_, error);
  if (!error) fs::create_directories(partial_, error);
  if (error) throw IoError("{}: {}", partial_.string(), error.message());
  const fs::space_info space = fs::space(partial_, error);
  if (error || space.available < bytes + kOtherBytes) {
    std::error_code ignored;
    fs::remove_all(partial_, ignored);
    if (error) throw IoError("{}: {}", partial_.string(), error.message());
    throw IoError("{}: no space left for the export: {} are needed, {} are free", output_.string(),
                  bytes_text(bytes + kOtherBytes), bytes_text(space.available));
  }
}

ExportDirectory::~ExportDirectory() {
  std::error_code ignored;
  if (!committed_) fs::remove_all(partial_, ignored);
}

void ExportDirectory::commit() {
  io::sync_directory(partial_);
  const fs::path target = with_ending(output_, "");
  const fs::path old = with_ending(output_, ".replaced");
  refuse_existing(target, overwrite_);
  std::error_code ignored;
  if (io::file_exists(target)) {
    fs::remove_all(old, ignored);
    io::rename_new(target, old);
  }
  io::rename_new(partial_, target);
  committed_ = true;
  io::sync_directory(target.has_parent_path() ? target.parent_path() : ".");
  fs::remove_all(old, ignored);
}

}  // namespace lynceus::weight_export
