#include "prepare/dataset_name.h"

#include <filesystem>
#include <system_error>

namespace lynceus::prepare {

namespace fs = std::filesystem;

std::string dataset_name(const std::string& input) {
  fs::path name = fs::path(input).stem();
  if (name.extension() == ".tar") name = name.stem();
  return name.string();
}

std::string dataset_name_of_folder(const std::string& folder) {
  std::error_code ignored;
  fs::path path = fs::weakly_canonical(folder, ignored);
  if (!path.has_filename()) path = path.parent_path();
  return path.has_filename() ? path.filename().string() : "folder";
}

std::string dataset_name(const std::string& input, const std::string& question_class) {
  std::string suffix;
  for (const char c : question_class) {
    const bool is_plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (is_plain) {
      suffix += c;
    } else if (!suffix.empty() && suffix.back() != '_') {
      suffix += '_';
    }
  }
  while (suffix.ends_with('_')) suffix.pop_back();
  return dataset_name(input) + "-" + (suffix.empty() ? "class" : suffix.substr(0, 100));
}

}  // namespace lynceus::prepare
